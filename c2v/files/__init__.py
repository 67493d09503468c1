"""Files as c2v meets them: strangers' files read with care, its own written whole, and locks."""

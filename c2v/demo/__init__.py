"""The videos of ``c2v demo``: made of pictures and clips that installed packages carry."""

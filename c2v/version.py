"""The version, for modules of the package itself: ``c2v.__version__`` to everybody else."""

from __future__ import annotations

VERSION = "0.1.0"

"""Memory of a long run."""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD = -3
"""glibc's malloc.h."""
LARGE_BYTES = 1 << 20
"""The luma of a picture of 1080p is twice that."""


def return_large_blocks() -> None:
    """Let the C library give blocks of a megabyte and more back as soon as they are free.

    By itself glibc raises that bound with the first large block that is freed, and what is smaller
    stays resident for the thread that asked for it: 170 MB after one 4K film. Where there is no
    mallopt nothing is done. It is for the whole process, so it is for programs to call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)

"""File names as SQLite keeps them: bytes.

A file name on Linux is bytes and need not be UTF-8; Python shows such names as text with lone
surrogates, which SQLite's TEXT refuses. A BLOB of ``os.fsencode`` keeps every name exactly, needs
no escapes that two versions could disagree about, and compares byte by byte, so that the files
under a folder are one range of the index. (On Windows ``fsencode`` is UTF-8 that lets surrogates
pass, which is as exact.)
"""

from __future__ import annotations

import os


def encode_path(path: str | os.PathLike[str]) -> bytes:
    """The bytes stored for ``path``."""
    return os.fsencode(path)


def decode_path(stored: bytes) -> str:
    """The path whose bytes were stored; ``decode_path(encode_path(p)) == p``."""
    return os.fsdecode(stored)


def folder_range(folder: str | os.PathLike[str]) -> tuple[bytes, bytes]:
    """Half-open range of stored bytes that holds exactly the paths under ``folder``.

    >>> folder_range("/films")
    (b'/films/', b'/films0')
    """
    separator = os.fsencode(os.sep)
    low = os.fsencode(folder).rstrip(separator) + separator
    return low, low[:-1] + bytes([separator[0] + 1])

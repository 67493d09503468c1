"""File names where text of another kind is wanted: as addresses, and as something to read."""

from __future__ import annotations

import os
from urllib.parse import quote


def file_uri(path: str) -> str:
    """``file://`` and the bytes of an absolute path; everything but plain letters is escaped.

    >>> file_uri("/v/a, b='c'.mp4")
    'file:///v/a%2C%20b%3D%27c%27.mp4'
    """
    place = path.replace(os.sep, "/") if os.sep != "/" else path
    return ("file://" if place.startswith("/") else "file:///") + quote(os.fsencode(place), "/:")


def readable(text: str) -> str:
    """One line of valid Unicode without control characters: what cannot be shown is U+FFFD.

    >>> readable("two\\nlines")
    'two�lines'
    """
    whole = os.fsencode(text).decode("utf-8", "replace") if _has_surrogates(text) else text
    return "".join(one if one.isprintable() or one == " " else "\ufffd" for one in whole)


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= one <= "\udfff" for one in text)


def name_of(path: str) -> str:
    """The file's own name, :func:`readable`."""
    return readable(os.path.basename(path))  # noqa: PTH119

"""What is done to a text before it is cut into tokens, as CLIP and open_clip do it."""

from __future__ import annotations

import html
import re
import string
from collections.abc import Callable

# What ftfy would change in an ASCII text: entities (which may stand for anything), terminal
# escapes and control characters.
_FTFY_CHANGES = re.compile(r"&#?[0-9A-Za-z]{1,24};|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _repair(text: str) -> str:
    """Mojibake, entities (twice, as CLIP does) and outer blanks."""
    if not text.isascii() or _FTFY_CHANGES.search(text):
        import ftfy

        text = ftfy.fix_text(text)
    return html.unescape(html.unescape(text)).strip()


def _whitespace(text: str) -> str:
    return " ".join(_repair(text).split())


def _lower(text: str) -> str:
    return _whitespace(text).lower()


def _canonicalize(text: str) -> str:
    plain = _repair(text).replace("_", " ").translate(str.maketrans("", "", string.punctuation))
    return " ".join(plain.lower().split())


def _nothing(text: str) -> str:
    return text


CLEANERS: dict[str, Callable[[str], str]] = {
    "lower": _lower,
    "whitespace": _whitespace,
    "canonicalize": _canonicalize,
    "none": _nothing,
}

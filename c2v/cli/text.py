"""Text from outside, made fit for a screen: the one place where it is neutralised.

File names, labels, captions, queries, reasons and model names may hold anything: bytes that are no
text, escape sequences that colour or clear a terminal, newlines, marks that turn the direction of
writing, characters the encoding of the output lacks. Here they become visible escapes. Markup needs
nothing: the consoles of c2v do not read any (see :mod:`c2v.cli.console`).
"""

import codecs
import sys
import unicodedata

ESCAPING = "c2v-escaping"
"""An error handler of codecs: bytes of file names as they are, the rest as backslash escapes."""

_ASCII_FORMS = {"…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "×": "x"}
_JOINERS = "\u200c\u200d"
"""Invisible, harmless, and part of words (Persian) and of emoji."""
LONGEST_SENTENCE = 600
"""Characters of a sentence; of a longer one the middle is left out."""


def printable(text: str) -> str:
    """``text`` for the eyes, in characters that standard output has.

    Bytes that are no text, control characters and marks of direction are escaped.

    >>> printable("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    encoding = sys.stdout.encoding or "utf-8" if sys.stdout else "utf-8"
    if text.isascii() and text.isprintable():
        return text
    if any("\ud800" <= c <= "\udfff" for c in text):
        # Surrogates out of a locale that is not UTF-8 may be the bytes of UTF-8 all the same.
        text = text.encode("utf-8", ESCAPING).decode("utf-8", "backslashreplace")
    return "".join(_shown(c, encoding) for c in text)


def _shown(character: str, encoding: str) -> str:
    visible = character.isprintable() or character in _JOINERS
    if not visible and unicodedata.category(character) != "Zs":  # spaces of every width may stay
        return _escaped(character)
    if has_all(encoding, character):
        return character
    return _ASCII_FORMS.get(character) or _escaped(character)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def has_all(encoding: str, characters: str) -> bool:
    """Whether an encoding has all of these characters."""
    try:
        characters.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def fitted(text: str, cells: int, *, tail: int) -> str:
    """``text`` in exactly so many cells of a screen: filled up, or without a part of it.

    What stays of a text that is too long is its beginning and the last ``tail`` cells.

    >>> fitted("a long name.mp4", 10, tail=4), fitted("short", 7, tail=4)
    ('a lon….mp4', 'short  ')
    """
    from rich.cells import cell_len, chop_cells, set_cell_size

    if cell_len(text) > cells:
        tail = min(tail, max(0, cells - 2))
        end = ""
        for character in reversed(text):
            if cell_len(character + end) > tail:
                break
            end = character + end
        text = chop_cells(text, max(1, cells - 1 - cell_len(end)))[0] + "…" + end
    return set_cell_size(text, cells)


def shortened(text: str) -> str:
    """A sentence without its middle where that would fill the screen."""
    if len(text) <= LONGEST_SENTENCE:
        return text
    return f"{text[: LONGEST_SENTENCE // 2]} [...] {text[-LONGEST_SENTENCE // 4 :]}"


def _escaping(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return b"".join(_as_bytes(character) for character in lacking), error.end


def _as_bytes(character: str) -> bytes:
    if "\udc80" <= character <= "\udcff":  # how Python carries a byte that is no text
        return bytes([ord(character) - 0xDC00])
    if character == "…":  # rich's own mark of what it cut, which takes one cell
        return b"."
    return character.encode("ascii", "backslashreplace")


codecs.register_error(ESCAPING, _escaping)

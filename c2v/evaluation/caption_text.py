"""The text of a captions file, whatever wrote it: UTF-8, UTF-16 with a mark, or Windows-1252."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from c2v.errors import DataError
from c2v.files.reading import read_plain

WESTERN = "cp1252"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_RUNS = re.compile(r"[^\x00-\x7f]{3,}")
_MOST_IN_RUNS = 0.1
"""Of the characters that are not ASCII; accents stand alone or in pairs, but in text of another
alphabet that is read as Western whole words are made of them."""


def read_text(file: Path) -> tuple[str, str]:
    """The text of a captions file, and its encoding where that had to be guessed.

    Spreadsheets on Windows write the code page of the country. The Western one is told from those
    of other alphabets by its words, in which accents are few; it is for the caller to say so.

    Raises:
        DataError: it cannot be read, is binary, or in no encoding that can be told.
    """
    try:
        content = read_plain(file)
    except OSError as error:
        raise DataError(
            f"--data {file}: {error.strerror or error}", hint="check the path and its permissions"
        ) from error
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if encoding is None and b"\0" in content:
        raise DataError(f"--data {file} is a binary file, not captions", hint="check the path")
    try:
        return content.decode(encoding or "utf-8"), ""
    except UnicodeDecodeError as error:
        text = None if encoding else _western(content)
        if text is None:
            name = {"utf-8-sig": "UTF-8"}.get(encoding or "utf-8-sig", (encoding or "").upper())
            raise DataError(
                f"--data {file} is not {name} text (byte {error.start})",
                hint=f"save it as UTF-8, or iconv -f ENCODING -t utf-8 {file.name} "
                f"> utf8{file.suffix}",
            ) from error
        return text, WESTERN


def _western(content: bytes) -> str | None:
    try:
        text = content.decode(WESTERN)
    except UnicodeDecodeError:
        return None
    odd = sum(char > "\x7f" for char in text)
    in_runs = sum(len(run) for run in _RUNS.findall(text))
    return text if in_runs <= _MOST_IN_RUNS * odd else None

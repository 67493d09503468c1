"""A small TOML file of ``key = value`` lines: read whole, changed line by line.

What a person has written in it stays as it is, comments included. A file that is not valid TOML is
named with the line that is wrong; a change that makes it valid is written, any other is not.
"""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from pathlib import Path

from c2v.errors import C2VError, UsageError

_WAY_OUT = "mend that line, or begin afresh: c2v config reset (the old file is kept beside it)"


def text_of(path: Path) -> str:
    """What stands in the file; nothing where there is none.

    Raises:
        C2VError: it cannot be read.
        UsageError: it is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise C2VError(
            f"{path} cannot be read: {error.strerror}",
            hint="it holds the settings: make it a file that you can read, or: c2v config reset",
        ) from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(f"{path} line {line} is not UTF-8 text", hint=_WAY_OUT) from error


def values_in(text: str, path: Path) -> dict[str, object]:
    """The values of a file by their keys; ``path`` is for the message.

    Raises:
        UsageError: it is not valid TOML; the line is named.
    """
    if not text:
        return {}
    # The standard library has it from 3.11 on; before that the same reader is named tomli.
    reader = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        content: dict[str, object] = reader.loads(text)
    except ValueError as error:  # TOMLDecodeError is a kind of it
        lines = text.splitlines()
        said = re.search(r"\(at line (\d+)", str(error))
        number = min(int(said[1]) if said else len(lines), len(lines))
        reason = str(error).partition(" (at ")[0]
        raise UsageError(
            f"{path} line {number} is not valid TOML: {lines[number - 1].strip()!r}: {reason}",
            hint=_WAY_OUT,
        ) from error
    return content


def line_of(key: str, text: str) -> int | None:
    """The number of the line, from 1, on which a key stands; None where it is on none."""
    for number, line in enumerate(text.splitlines(), start=1):
        if _sets(key, line) or _header(line) == key:
            return number
    return None


def changed(text: str, key: str, value: str | None) -> str:
    """The text with ``key`` set to ``value``, which is TOML; None takes out all of the key.

    >>> changed("# mine\\nmodel = 'a'\\n", "model", None)
    '# mine\\n'
    >>> changed("[odd]\\nx = 1\\n", "model", '"b"')
    'model = "b"\\n[odd]\\nx = 1\\n'
    """
    kept: list[str] = []
    inside = ""
    for line in text.splitlines():
        inside = _header(line) or inside
        if inside == key or (not inside and _sets(key, line)):
            continue
        kept.append(line)
    if value is not None:
        tables = (number for number, line in enumerate(kept) if _header(line))
        kept.insert(next(tables, len(kept)), f"{key} = {value}")
    return "".join(line + "\n" for line in kept)


def set_aside(path: Path) -> Path | None:
    """Give the file another name, so that there is none; the new name, or None: there was none.

    Raises:
        C2VError: the folder cannot be written.
    """
    names = (
        f"{path.name}.old{'' if number == 1 else f'-{number}'}" for number in itertools.count(1)
    )
    kept = next(place for place in map(path.with_name, names) if not place.exists())
    try:
        path.rename(kept)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise C2VError(
            f"{path} cannot be moved away: {error.strerror}",
            hint="check the folder's permissions, or export C2V_HOME=FOLDER",
        ) from error
    return kept


def _sets(key: str, line: str) -> bool:
    return re.match(rf"""\s*["']?{re.escape(key)}["']?\s*(=|\.)""", line) is not None


def _header(line: str) -> str:
    """The first name of a line such as ``[table]``; "" of any other line."""
    found = re.match(r"""\s*\[\[?\s*["']?([^\]"'.]+?)["']?\s*[\].]""", line)
    return found[1] if found and "=" not in line.partition("#")[0] else ""

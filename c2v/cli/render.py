"""Results as a table, JSON, CSV or bare paths: one renderer for every command that has results."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from c2v.cli.text import ESCAPING, has_all, printable

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

RANK: Final = ("#", {"justify": "right", "style": "dim"})
SCORE: Final = ("score", {"no_wrap": True})
SCORE_BAR_CELLS = 12
_EIGHTHS = " ▏▎▍▌▋▊▉"
MOST_LISTED = 20
"""What cannot be used is listed one by one, up to so many."""


class Format(str, Enum):
    """All output formats. A command that has not all of them has an enumeration of its own below:
    Typer's help and completions list its members, and :func:`show` knows them by their values."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PATHS = "paths"
    PATHS0 = "paths0"
    M3U = "m3u"
    M3U_VLC = "m3u-vlc"
    EDL = "edl"
    FCPXML = "fcpxml"
    OTIO = "otio"
    HTML = "html"


FILE_FORMATS = (
    Format.M3U, Format.M3U_VLC, Format.EDL, Format.FCPXML, Format.OTIO, Format.HTML,
)  # fmt: skip
"""What other programs open: of moments alone, and a whole file each."""


FormatFlag = Annotated[
    Format, typer.Option("--format", "-f", help="How results are printed.", show_choices=True)
]


class LabelFormat(str, Enum):
    """Of labels, which are no moments; those of paths are refused in a sentence of their own."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PATHS = "paths"
    PATHS0 = "paths0"


LabelFormatFlag = Annotated[
    LabelFormat, typer.Option("--format", "-f", help="How results are printed.")
]


class FigureFormat(str, Enum):
    """Of what has rows and no paths."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


FigureFormatFlag = Annotated[
    FigureFormat, typer.Option("--format", "-f", help="How the report is printed.")
]


class PlainFormat(str, Enum):
    """Of what is one report."""

    TABLE = "table"
    JSON = "json"


PlainFormatFlag = Annotated[
    PlainFormat, typer.Option("--format", "-f", help="How the report is printed.")
]


def show(
    style: Format | LabelFormat | FigureFormat | PlainFormat,
    *,
    whole: Callable[[], Any],
    table: Callable[[], None],
    rows: Callable[[], Iterable[dict[str, Any]]] = tuple,
    columns: Sequence[str] = (),
    paths: Iterable[str] = (),
    file: Callable[[], bytes] = bytes,
) -> None:
    """Print one result in the format that was asked for.

    Args:
        style: the format.
        whole: gives the JSON of all of it.
        table: prints it for people.
        rows: gives the lines of JSON lines and CSV.
        columns: the keys of the rows that CSV has.
        paths: files in it, each once.
        file: gives the content of a file for another program.
    """
    if style.value == "json":
        print_json(whole())
    elif style.value == "jsonl":
        print_json_lines(rows())
    elif style.value == "csv":
        print_csv(columns, ([row[name] for name in columns] for row in rows()))
    elif style.value in ("paths", "paths0"):
        print_paths(paths, end="\n" if style.value == "paths" else "\0")
    elif style in FILE_FORMATS:
        sys.stdout.flush()
        sys.stdout.buffer.write(file())
        sys.stdout.buffer.flush()
    else:
        table()


def new_table(
    *columns: str | tuple[str, dict[str, Any]],
    header_style: str = "bold",
    show_header: bool = True,
) -> "Table":
    """A table as all of c2v's are. A column that is only named folds its text."""
    from c2v.cli.plain_table import PlainTable

    table = PlainTable(box=None, pad_edge=False, header_style=header_style, show_header=show_header)
    for column in columns:
        name, options = column if isinstance(column, tuple) else (column, {"overflow": "fold"})
        table.add_column(name, **options)
    return table


def failures_table(title: str, failures: Iterable[tuple[str, str]]) -> "Table":
    """Paths, and why nothing or not all came of them."""
    table = new_table(title, "reason", header_style="bold red")
    for path, reason in failures:
        table.add_row(file_link(path), reason)
    return table


def print_json(value: Any) -> None:
    """One JSON value on standard output; names that are not Unicode stay escaped."""
    sys.stdout.write(json_text(value, indent=2) + "\n")


def print_json_lines(values: Iterable[Any]) -> None:
    """One JSON value a line."""
    for value in values:
        sys.stdout.write(json_text(value, indent=None) + "\n")


def json_text(value: Any, *, indent: int | None) -> str:
    """JSON in the characters of standard output, escaped where that lacks one."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=indent)
    return text


def print_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Comma-separated values with a header line."""
    let_any_name_pass()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)


def let_any_name_pass() -> None:
    """From here on names that are not Unicode go to standard output as the bytes they are."""
    sys.stdout.reconfigure(errors=ESCAPING)  # type: ignore[union-attr]


def print_paths(paths: Iterable[str], *, end: str) -> None:
    """File names as the bytes they are on disk, for xargs and friends."""
    sys.stdout.flush()
    for path in paths:
        sys.stdout.buffer.write(os.fsencode(path) + end.encode())
    sys.stdout.buffer.flush()


def damaged_line(paths: Sequence[str], what: str) -> str:
    """One line about videos of which rows of the library are damaged: the first, how many more."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"rows of {short_path(paths[0])}{more} {what}"


def file_link(path: str, *, missing: bool = False) -> "Text":
    """A path as short as it can be read from here, linked to the file unless that is missing."""
    from rich.style import Style
    from rich.text import Text

    if missing:
        return Text.assemble(printable(short_path(path)), (" missing", "bold"))
    link = None
    with suppress(ValueError):  # a name out of a captions file need not be one of a file
        link = Path(path).as_uri()
    return Text(printable(short_path(path)), style=Style(link=link))


def short_path(path: str) -> str:
    """The shortest of: the path itself, relative to the current folder, below the home folder."""
    ways = [path]
    with suppress(ValueError, OSError):  # another drive on Windows; a current folder that is gone
        ways.append(os.path.relpath(path))
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
    if os.path.isabs(home) and Path(path).is_relative_to(home):  # noqa: PTH117
        ways.append(str("~" / Path(path).relative_to(home)))
    return min(ways, key=len)


def clock(seconds: float) -> str:
    """``mm:ss``, or ``h:mm:ss`` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def score_cell(score: float, amount: float | None, *, of: float) -> "Text":
    """A score, and a bar of ``amount`` where ``of`` is the whole width (None: no bar)."""
    from rich.text import Text

    if amount is None:
        return Text(f"{score:6.3f}")
    share = min(1.0, max(0.0, amount / of)) if of > 0 else 0.0
    return Text.assemble(f"{score:6.3f} ", (_bar(share).ljust(SCORE_BAR_CELLS), "green"))


def _bar(share: float) -> str:
    """Blocks of an eighth of a cell, or whole cells where standard output has no blocks."""
    if not has_all(sys.stdout.encoding or "utf-8", "█" + _EIGHTHS):
        return "#" * round(share * SCORE_BAR_CELLS)
    whole, eighths = divmod(round(share * SCORE_BAR_CELLS * 8), 8)
    return "█" * whole + (_EIGHTHS[eighths] if eighths else "")

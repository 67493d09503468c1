"""Results as a table, JSON, CSV or bare paths: one renderer for every command that has results."""

import csv
import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2v.cli.text import ESCAPING, has_all, printable

if TYPE_CHECKING:
    from rich.text import Text

    from c2v.cli.session import Session
    from c2v.search.results import Answer, Moment

ANSWER_COLUMNS = ("rank", "path", "score", "start", "end", "best", "duration")
SCORE_BAR_CELLS = 12
_EIGHTHS = " ▏▎▍▌▋▊▉"
ROOMY_COLUMNS = 80
"""A terminal narrower than this shows no bars and no spans, so that paths stay readable."""


class Format(str, Enum):
    """Output formats of results."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PATHS = "paths"
    PATHS0 = "paths0"


FormatFlag = Annotated[
    Format, typer.Option("--format", "-f", help="How results are printed.", show_choices=True)
]


class PlainFormat(str, Enum):
    """Output formats of reports."""

    TABLE = "table"
    JSON = "json"


PlainFormatFlag = Annotated[
    PlainFormat, typer.Option("--format", "-f", help="How the report is printed.")
]


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


def answer_as_dict(answer: "Answer") -> dict[str, Any]:
    """An answer as the JSON of the command-line contract."""
    fields = dataclasses.asdict(answer)
    fields["elapsed_ms"] = round(answer.elapsed_ms, 3)
    for result in fields["results"]:
        result["score"] = round(result["score"], 6)
        for key in ("start", "end", "best", "duration"):
            result[key] = round(result[key], 3)
    return fields


def print_answer(session: "Session", answer: "Answer", style: Format) -> None:
    """The moments of one search."""
    if style is Format.TABLE:
        _print_answer_table(session, answer)
    elif style is Format.JSON:
        print_json(answer_as_dict(answer))
    elif style is Format.JSONL:
        print_json_lines(answer_as_dict(answer)["results"])
    elif style is Format.CSV:
        results = answer_as_dict(answer)["results"]
        print_csv(ANSWER_COLUMNS, ([result[name] for name in ANSWER_COLUMNS] for result in results))
    else:
        paths = dict.fromkeys(moment.path for moment in answer.results)
        print_paths(paths, end="\n" if style is Format.PATHS else "\0")


def _print_answer_table(session: "Session", answer: "Answer") -> None:
    from rich.table import Table

    if not answer.results:
        session.notice(f"nothing found for {answer.query!r}")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right", style="dim")
    table.add_column("file", overflow="fold", ratio=1 if session.out.is_terminal else None)
    table.add_column("at", justify="right", style="cyan", no_wrap=True)
    roomy = session.out.width >= ROOMY_COLUMNS
    if roomy:
        table.add_column("moment", justify="right", style="dim", no_wrap=True)
    table.add_column("score", no_wrap=True)
    highest = max(moment.score for moment in answer.results)
    for moment in answer.results:
        score = score_cell(moment.score, highest if roomy else None)
        span = [_span(moment)] if roomy else []
        table.add_row(str(moment.rank), file_link(moment.path), clock(moment.best), *span, score)
    session.out.print(table)
    session.notice(
        f"{answer.model}, {answer.strategy}, {answer.elapsed_ms:.0f} ms, library {answer.library}"
    )


def file_link(path: str) -> "Text":
    """A path as short as it can be read from here, linked to the file."""
    from rich.style import Style
    from rich.text import Text

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


def _span(moment: "Moment") -> str:
    return f"{clock(moment.start)}-{clock(moment.end)}"


def clock(seconds: float) -> str:
    """``mm:ss``, or ``h:mm:ss`` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def score_cell(score: float, highest: float | None) -> "Text":
    """A score, with a bar as long as it is, measured by the highest one (None: no bar)."""
    from rich.text import Text

    if highest is None:
        return Text(f"{score:6.3f}")
    share = max(0.0, score / highest) if highest > 0 else 0.0
    return Text.assemble(f"{score:6.3f} ", (_bar(share).ljust(SCORE_BAR_CELLS), "green"))


def _bar(share: float) -> str:
    """Blocks of an eighth of a cell, or whole cells where standard output has no blocks."""
    if not has_all(sys.stdout.encoding or "utf-8", "█" + _EIGHTHS):
        return "#" * round(share * SCORE_BAR_CELLS)
    whole, eighths = divmod(round(share * SCORE_BAR_CELLS * 8), 8)
    return "█" * whole + (_EIGHTHS[eighths] if eighths else "")

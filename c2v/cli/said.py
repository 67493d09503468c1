"""Lines of subtitles among the results of a search: beneath the file, or in their own column."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from c2v.cli.text import printable

if TYPE_CHECKING:
    from rich.text import Text

    from c2v.search.results import Answer, Moment

SAID_COLUMN = "said"


def with_said(columns: Sequence[str], *, said: bool) -> tuple[str, ...]:
    """The columns of CSV, with one for lines where they were asked for."""
    return (*columns, SAID_COLUMN) if said else tuple(columns)


def has_said(answer: "Answer") -> bool:
    """Whether the answer's moments have lines."""
    return any(moment.said is not None for moment in answer)


def flat(moment: "Moment") -> dict[str, Any]:
    """A row of CSV: of a line its text."""
    row = moment.as_dict()
    return {**row, SAID_COLUMN: moment.said.text if moment.said is not None else ""}


def line_beneath(file: "Text", moment: "Moment", *, time: str) -> "Text":
    """A file's name with the line and its time below."""
    from rich.text import Text

    if moment.said is None:
        return file
    return Text.assemble(file, "\n", (f"{time} ", "cyan"), (printable(moment.said.text), "italic"))

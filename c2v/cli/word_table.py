"""Which frame of a result answers which word of the question: a table on standard error."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from c2v.cli.render import RANK, new_table
from c2v.cli.text import printable

if TYPE_CHECKING:
    from rich.table import Table

    from c2v.search.results import Moment, WordFound

_WHOLE = "(all of it)"


def word_table(rows: "Iterable[tuple[Moment, Sequence[WordFound]]]") -> "Table":
    """A line a word of each result: its weight, the time of its frame, their cosine."""
    right = {"justify": "right", "no_wrap": True}
    table = new_table(RANK, "word", ("weight", right), ("frame", right), ("cosine", right))
    for moment, words in rows:
        for line, found in enumerate(words):
            table.add_row(
                str(moment.rank) if line == 0 else "",
                printable(found.word) or _WHOLE,
                f"{found.share:.0%}",
                f"{found.seconds:.1f} s",
                f"{found.cosine:.3f}",
            )
    return table

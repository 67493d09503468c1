"""Tables that leave nothing behind the last word of a line when they go to a file or a pipe."""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.table import Table


class PlainTable(Table):
    """A table without lines; rich fills its last column up to the width of the widest cell."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """The table; without that filling where nobody looks at a screen."""
        segments = super().__rich_console__(console, options)
        if console.is_terminal:
            yield from segments  # type: ignore[misc]
            return
        for line in Segment.split_lines(segments):  # type: ignore[arg-type]
            yield from _without_filling(line)
            yield Segment.line()


def _without_filling(line: list[Segment]) -> list[Segment]:
    kept = list(line)
    while kept and not kept[-1].text.rstrip():
        kept.pop()
    if kept:
        text, style, control = kept[-1]
        kept[-1] = Segment(text.rstrip(), style, control)
    return kept

"""What moves on stderr while something runs; instead of it a pipe gets a line now and then."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleRenderable, RenderableType
from rich.live import Live
from rich.progress import Progress, ProgressColumn
from rich.text import Text

if TYPE_CHECKING:
    from typing_extensions import Self

_PLAIN_SECONDS = 10.0
"""Without a terminal a line at most so often."""


class LiveDisplay:
    """Bars that stand on the screen during a ``with`` block and leave nothing behind."""

    def __init__(self, console: Console, *columns: ProgressColumn, shown: bool) -> None:
        self._console = console
        self._shown = shown
        self._live = shown and console.is_terminal
        self._progress = Progress(*columns, console=console, transient=True, disable=not self._live)
        self._said = time.monotonic()

    def __enter__(self) -> "Self":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def _say_now_and_then(self, line: str) -> None:
        """A line where there is no terminal, unless one was said just now."""
        now = time.monotonic()
        if self._shown and not self._live and now - self._said >= _PLAIN_SECONDS:
            self._said = now
            self._console.print(line)


class SteadyLive(Live):
    """Lines that stand on the screen and are drawn anew, whatever becomes of its width.

    A terminal that is made narrower breaks the lines that no longer fit: they take up more rows
    than were printed, and all of them are to be erased, but not one more.
    """

    def __init__(self, console: Console, lines: Callable[[], Sequence[Text]]) -> None:
        self._lines = lines
        self._widths: list[int] = []
        """Of the lines on the screen."""
        self._next_widths: list[int] = []
        """Of those that are drawn next."""
        super().__init__(
            console=console, get_renderable=self._group, transient=True, refresh_per_second=8
        )

    def _group(self) -> RenderableType:
        lines = self._lines()
        self._next_widths = [line.cell_len for line in lines]
        return Text("\n").join(lines)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """What is printed now, the lines last."""
        drawn, columns = self._live_render, self.console.width
        if drawn._shape is not None:
            rows = sum(max(1, -(-width // columns)) for width in self._widths)
            drawn._shape = columns, rows
        self._widths = self._next_widths
        return super().process_renderables(renderables)

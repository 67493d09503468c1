"""What moves on stderr while something runs; instead of it a pipe gets a line now and then."""

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, ProgressColumn

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

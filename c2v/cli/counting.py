"""How far a long run is, on stderr: a bar in a terminal, a plain line now and then in a pipe."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_SECONDS = 10.0
"""Without a terminal a line at most so often."""


class Counting:
    """Counts things done; ``what`` names them ("videos read")."""

    def __init__(self, console: Console, what: str, *, shown: bool) -> None:
        self._console = console
        self._what = what
        self._plain = shown and not console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not shown or not console.is_terminal,
        )
        self._task = self._progress.add_task(what, total=None)
        self._said = time.monotonic()

    def __enter__(self) -> "Counting":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def update(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._progress.update(self._task, completed=done, total=total)
        now = time.monotonic()
        if self._plain and now - self._said >= PLAIN_SECONDS:
            self._said = now
            self._console.print(f"{self._what} {done}/{total}", markup=False, highlight=False)

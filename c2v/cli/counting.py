"""How far a long run is, on stderr: a bar in a terminal, a plain line now and then in a pipe."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from c2v.cli.live import LiveDisplay


class Counting(LiveDisplay):
    """Counts things done; ``what`` names them ("videos read")."""

    def __init__(self, console: Console, what: str, *, shown: bool) -> None:
        super().__init__(
            console,
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            shown=shown,
        )
        self._what = what
        self._task = self._progress.add_task(what, total=None)

    def update(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._progress.update(self._task, completed=done, total=total)
        self._say_now_and_then(f"{self._what} {done}/{total}")

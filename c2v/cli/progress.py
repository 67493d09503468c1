"""The live display of ``c2v index``: one bar for everything, a line for each file in flight."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
)
from rich.text import Text

from c2v.cli.consent import agreed
from c2v.cli.live import LiveDisplay
from c2v.cli.render import clock
from c2v.cli.session import stop_on_signals
from c2v.cli.text import printable

if TYPE_CHECKING:
    import threading

    from c2v.indexing.report import IndexProgress

NAME_CELLS = 32


class RateColumn(ProgressColumn):
    """Rate and time left of the overall bar, from the whole run so far.

    Frames arrive in bursts, one batch of the encoder at a time: rich's own estimate, made of the
    last steps, would jump between nothing and millions.
    """

    def render(self, task: Task) -> Text:
        """``31x 02:10``: seconds of video a second, and time left; nothing for a single file."""
        if not task.fields.get("overall") or not task.completed or not task.elapsed:
            return Text("")
        rate = task.completed / task.elapsed
        left = clock(task.remaining / rate) if task.remaining is not None else "--:--"
        return Text.assemble((f"{rate:.0f}x ", "cyan"), (left, "progress.remaining"))


class IndexDisplay(LiveDisplay):
    """Implements :class:`c2v.indexing.report.IndexProgress` on a rich console.

    The length of a video is known once it is opened. Until then the total is estimated from the
    size of the files that are still closed, at the seconds a byte of those already opened.
    """

    def __init__(self, console: Console, *, shown: bool) -> None:
        super().__init__(
            console,
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            RateColumn(),
            shown=shown,
        )
        self._overall: TaskID | None = None
        self._files: dict[Path, TaskID] = {}
        self._videos = self._done = self._failed = 0
        self._closed_bytes = self._opened_bytes = 0
        self._opened_seconds = 0.0

    def __enter__(self) -> "IndexDisplay":
        super().__enter__()
        self._overall = self._progress.add_task("scanning", total=None, overall=True)
        return self

    def scanned(self, count: int) -> None:
        self._describe(f"scanning, {count} files")

    def planned(self, videos: int, size_bytes: int) -> None:
        self._videos, self._closed_bytes = videos, size_bytes
        self._describe(self._summary())
        if self._overall is not None:
            self._progress.reset(self._overall, total=None)  # scanning does not count

    def opened(self, path: Path, *, seconds: float, size_bytes: int) -> None:
        self._closed_bytes -= size_bytes
        self._opened_bytes += size_bytes
        self._opened_seconds += seconds
        name = printable(path.name)
        if len(name) > NAME_CELLS:
            name = name[: NAME_CELLS - 9] + "…" + name[-8:]
        self._files[path] = self._progress.add_task(name, total=seconds)
        self._estimate()

    def advanced(self, path: Path, *, seconds: float) -> None:
        self._progress.advance(self._files[path], seconds)
        if self._overall is not None:
            self._progress.advance(self._overall, seconds)

    def closed(self, path: Path, *, failed: bool) -> None:
        self._done += 1
        self._failed += failed
        if (task := self._files.pop(path, None)) is not None:
            self._progress.remove_task(task)
        self._describe(self._summary())

    def confirm_prune(self, question: str) -> bool:
        """Ask whether vanished videos may be dropped from the library."""
        self._progress.stop()
        answer = agreed(question)
        self._progress.start()
        return answer

    def _estimate(self) -> None:
        rate = self._opened_seconds / max(self._opened_bytes, 1)
        total = self._opened_seconds + rate * max(self._closed_bytes, 0)
        if self._overall is not None:
            self._progress.update(self._overall, total=total)

    def _summary(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._done}/{self._videos} videos{failed}"

    def _describe(self, text: str) -> None:
        if self._overall is not None:
            self._progress.update(self._overall, description=text)


@contextmanager
def running(display: IndexDisplay) -> "Iterator[threading.Event]":
    """The display is on the screen, and the event is set by the first Ctrl-C or SIGTERM."""
    with stop_on_signals() as stop, display:
        yield stop


if TYPE_CHECKING:

    def _is_a_progress(display: IndexDisplay) -> IndexProgress:
        return display

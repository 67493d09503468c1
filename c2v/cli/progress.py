"""The live display of ``c2v index``: one bar for everything, a line for each file in flight."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from c2v.cli.consent import agreed
from c2v.cli.live import SteadyLive
from c2v.cli.render import clock
from c2v.cli.session import stop_on_signals
from c2v.cli.text import fitted, printable

if TYPE_CHECKING:
    import threading

    from c2v.indexing.report import IndexProgress

MOST_COLUMNS = 100
MOST_FILES = 8
_SHARE, _CLOCKS, _GAP = 4, 15, 2
_TAIL = 10
"""Cells of the end of a long name that are kept: its number and extension."""


@dataclass(slots=True)
class _InFlight:
    """A file that is being read."""

    name: str
    seconds: float
    size_bytes: int
    done: float = 0.0
    kept: float = 0.0
    """Seconds of it that a run before has read."""

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.seconds) if self.seconds > 0 else 1.0


class IndexDisplay:
    """Implements :class:`c2v.indexing.report.IndexProgress` on a rich console.

    What is done is counted in bytes of files: their total is known before the first one is opened,
    so neither it nor the bar ever goes back.
    """

    def __init__(self, console: Console, *, shown: bool) -> None:
        self._console = console
        self._files: dict[Path, _InFlight] = {}
        self._scanned: int | None = 0
        """Files found so far; None when all are."""
        self._videos = self._done = self._failed = 0
        self._total_bytes = 0
        self._closed_bytes = self._kept_bytes = self._highest = 0.0
        self._read_seconds = 0.0
        self._began = time.monotonic()
        self._shown = shown and console.is_terminal
        self._live: SteadyLive | None = None

    def __enter__(self) -> "IndexDisplay":
        self._show()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hide()

    def scanned(self, count: int) -> None:
        self._scanned = count

    def planned(self, videos: int, size_bytes: int) -> None:
        self._scanned, self._videos, self._total_bytes = None, videos, size_bytes
        self._began = time.monotonic()  # scanning does not count

    def opened(self, path: Path, *, seconds: float, size_bytes: int) -> None:
        self._files[path] = _InFlight(printable(path.name), seconds, size_bytes)

    def resumed(self, path: Path, *, seconds: float) -> None:
        file = self._files[path]
        file.done = file.kept = seconds
        self._kept_bytes += file.share * file.size_bytes

    def advanced(self, path: Path, *, seconds: float) -> None:
        self._files[path].done += seconds
        self._read_seconds += seconds

    def closed(self, path: Path, *, failed: bool) -> None:
        file = self._files.pop(path, None)
        self._closed_bytes += file.size_bytes if file else 0
        self._done += 1
        self._failed += failed

    def confirm_prune(self, question: str) -> bool:
        """Ask whether vanished videos may be dropped from the library."""
        self._hide()
        answer = agreed(question)
        self._show()
        return answer

    def _show(self) -> None:
        if self._shown:
            self._live = SteadyLive(self._console, self.board)
            self._live.start()

    def _hide(self) -> None:
        if self._live is not None:
            self._live.stop()

    # -- what is drawn ----------------------------------------------------------------------------

    def board(self) -> RenderableType:
        """All lines as they are now, for a terminal as wide as it is now."""
        width = min(self._console.width, MOST_COLUMNS) - 1
        if self._scanned is not None:
            return Text(fitted(f"scanning, {self._scanned:,} files", width, tail=0).rstrip())
        bar = 6 if width < 60 else 16 if width < 90 else 24
        name = max(8, width - _SHARE - bar - _CLOCKS - 3 * _GAP)
        grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
        for cells in (_SHARE, bar, _CLOCKS, name):
            grid.add_column(width=cells, no_wrap=True, overflow="crop")
        grid.add_row(*self._overall(bar, name))
        files = [file for file in list(self._files.values()) if file.share < 1]
        most = max(0, min(MOST_FILES, self._console.height - 4))
        for file in files[:most]:
            grid.add_row(*_of_file(file, bar, name))
        if len(files) > most:
            grid.add_row("", "", "", Text(f"and {len(files) - most} more", style="dim"))
        return grid

    def _overall(self, bar: int, name: int) -> Iterator[RenderableType]:
        done = self._closed_bytes
        done += sum(file.share * file.size_bytes for file in list(self._files.values()))
        self._highest = done = min(max(done, self._highest), self._total_bytes)
        share = done / self._total_bytes if self._total_bytes else 1.0
        elapsed = max(time.monotonic() - self._began, 1e-9)
        bytes_a_second = (done - self._kept_bytes) / elapsed
        clocks = Text()
        if self._read_seconds and bytes_a_second > 0:
            left = clock((self._total_bytes - done) / bytes_a_second)
            rate = f"{self._read_seconds / elapsed:.0f}x"
            clocks = Text.assemble((f"{rate:>6} ", "cyan"), (f"{left:>8}", "progress.remaining"))
        yield Text(f"{int(100 * share):>3}%", style="progress.percentage")
        yield ProgressBar(total=1.0, completed=share, width=bar)
        yield clocks
        yield Text(fitted(self._summary(name), name, tail=0))

    def _summary(self, cells: int) -> str:
        count = f"{self._done:>{len(str(self._videos))}}/{self._videos}"
        failed = f", {self._failed} failed" if self._failed else ""
        whole = f"{count} videos{failed}"
        return whole if len(whole) <= cells else f"{count}{failed}"


def _of_file(file: _InFlight, bar: int, name: int) -> Iterator[RenderableType]:
    clocks = f"{clock(file.done)}/{clock(file.seconds)}"
    yield Text(f"{int(100 * file.share):>3}%", style="dim")
    yield ProgressBar(total=1.0, completed=file.share, width=bar)
    yield Text(f"{clocks:>{_CLOCKS}}", style="dim")
    yield Text(fitted(file.name, name, tail=_TAIL))


@contextmanager
def running(display: IndexDisplay) -> "Iterator[threading.Event]":
    """The display is on the screen, and the event is set by the first Ctrl-C or SIGTERM."""
    with stop_on_signals() as stop, display:
        yield stop


if TYPE_CHECKING:

    def _is_a_progress(display: IndexDisplay) -> IndexProgress:
        return display

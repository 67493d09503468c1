"""The live display of ``c2v index``: one bar for everything, a line for each file in flight."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from c2v.cli.consent import agreed
from c2v.cli.live import SteadyLive
from c2v.cli.render import clock
from c2v.cli.session import stop_on_signals
from c2v.cli.text import fitted, has_all, printable

if TYPE_CHECKING:
    import threading

    from c2v.indexing.report import IndexProgress

MOST_COLUMNS = 100
MOST_FILES = 8
_SHARE, _CLOCKS = 4, 17
_GAP = Text("  ")
_LONGEST, _FASTEST = 999 * 3600, 99_999
"""What there is room for: hours left, and seconds of video a second."""
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


@dataclass(frozen=True, slots=True)
class _Columns:
    """Cells of everything for a terminal of one width; what is of no fixed length comes last."""

    bar: int
    clocks: bool
    """Whether there is room for them."""
    name: int
    all: int

    @classmethod
    def of(cls, width: int) -> "_Columns":
        whole = max(20, min(width, MOST_COLUMNS) - 1)
        bar = 6 if whole < 60 else 16 if whole < 90 else 24
        clocks = whole >= 45
        before = _SHARE + bar + 2 * len(_GAP) + clocks * (_CLOCKS + len(_GAP))
        return cls(bar, clocks, max(1, whole - before), whole)


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

    def board(self) -> list[Text]:
        """All lines as they are now, for a terminal as wide as it is now.

        No line ends with spaces: terminals do not agree on whether these take up room.
        """
        columns = _Columns.of(self._console.width)
        if self._scanned is not None:
            return [
                Text(fitted(f"scanning, {self._scanned:,} files", columns.all, tail=0).rstrip())
            ]
        share, clocks = self._overall()
        summary = fitted(self._summary(columns.name), columns.name, tail=0)
        lines = [self._line(columns, share, clocks, summary)]
        files = [file for file in list(self._files.values()) if file.share < 1]
        most = max(0, min(MOST_FILES, self._console.height - 4))
        for file in files[:most]:
            read = f"{clock(file.done)}/{clock(file.seconds)}"
            name = fitted(file.name, columns.name, tail=_TAIL)
            clocks = Text(f"{read:>{_CLOCKS}}"[:_CLOCKS])
            lines.append(self._line(columns, file.share, clocks, name, "dim"))
        if len(files) > most:
            more = fitted(f"and {len(files) - most} more", columns.name, tail=0).rstrip()
            lines.append(Text(" " * (columns.all - columns.name) + more, style="dim"))
        return lines

    def _overall(self) -> tuple[float, Text]:
        """The share of everything that is done; how fast it goes, and how long it will take."""
        done = self._closed_bytes
        done += sum(file.share * file.size_bytes for file in list(self._files.values()))
        self._highest = done = min(max(done, self._highest), self._total_bytes)
        elapsed = max(time.monotonic() - self._began, 1e-9)
        bytes_a_second = (done - self._kept_bytes) / elapsed
        clocks = Text(" " * _CLOCKS)
        if self._read_seconds and bytes_a_second > 0:
            left = clock(min((self._total_bytes - done) / bytes_a_second, _LONGEST))
            rate = f"{min(self._read_seconds / elapsed, _FASTEST):.0f}x"
            clocks = Text.assemble((f"{rate:>7} ", "cyan"), (f"{left:>9}", "progress.remaining"))
        return done / self._total_bytes if self._total_bytes else 1.0, clocks

    def _summary(self, cells: int) -> str:
        count = f"{self._done:>{len(str(self._videos))}}/{self._videos}"
        failed = f", {self._failed} failed" if self._failed else ""
        whole = f"{count} videos{failed}"
        return whole if len(whole) <= cells else f"{count}{failed}"

    def _line(
        self, columns: "_Columns", share: float, clocks: Text, name: str, style: str = ""
    ) -> Text:
        parts = [Text(f"{int(100 * share):>3}%", style), self._bar(share, columns.bar)]
        if columns.clocks:
            clocks.stylize_before(style)
            parts.append(clocks)
        return _GAP.join([*parts, Text(name.rstrip())])

    def _bar(self, share: float, cells: int) -> Text:
        """A bar in half cells; without colours what is left of it is blank."""
        full, half = ("━", "╸") if has_all(self._console.encoding, "━╸") else ("-", " ")
        whole, halves = divmod(int(2 * cells * share), 2)
        done = full * whole + half * halves
        rest = full if self._console.color_system and not self._console.no_color else " "
        return Text.assemble(
            (done, "bar.complete" if share < 1 else "bar.finished"),
            (rest * (cells - len(done)), "bar.back"),
        )


@contextmanager
def running(display: IndexDisplay) -> "Iterator[threading.Event]":
    """The display is on the screen, and the event is set by the first Ctrl-C or SIGTERM."""
    with stop_on_signals() as stop, display:
        yield stop


if TYPE_CHECKING:

    def _is_a_progress(display: IndexDisplay) -> IndexProgress:
        return display

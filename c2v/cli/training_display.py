"""The live display of ``c2v finetune``: loss, R@1, rate and time left; plain lines in a pipe."""

import math
import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from c2v.cli.text import has_all

if TYPE_CHECKING:
    from c2v.training.loop import EpochReport, StepReport, Watcher

PLAIN_SECONDS = 10.0
"""A line of losses at most so often where there is no terminal."""
ROOMY_COLUMNS = 90
"""A terminal narrower than this shows no bar and fewer words."""


class TrainingDisplay:
    """Implements :class:`c2v.training.loop.Watcher` on a rich console, and passes all on."""

    def __init__(self, console: Console, *, shown: bool, log: "Watcher") -> None:
        self._console = console
        self._shown = shown
        self._log = log
        self._live = shown and console.is_terminal
        self._roomy = console.width >= ROOMY_COLUMNS
        self._progress = Progress(
            SpinnerColumn("dots" if has_all(console.encoding, "⠋") else "line"),
            TextColumn("{task.description}", markup=False),
            *([BarColumn(bar_width=24)] if self._roomy else []),
            TextColumn("{task.fields[count]}", markup=False),
            TextColumn("{task.fields[rate]}", style="cyan", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not self._live,
        )
        self._task = self._progress.add_task("reading features", total=None, rate="", count="")
        self._recall = ""
        self._pairs = 0
        self._begun = self._said = time.monotonic()

    def __enter__(self) -> "TrainingDisplay":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    @property
    def pairs_a_second(self) -> float:
        """How many pairs a second were trained on, validation included."""
        return self._pairs / max(time.monotonic() - self._begun, 1e-9)

    def summary(self) -> str:
        """One line on the whole training; empty where there was no step."""
        if not self._pairs:
            return ""
        seconds = time.monotonic() - self._begun
        return (
            f"{self._pairs:,} pairs seen in {seconds:.1f} s: {self.pairs_a_second:,.0f} pairs a "
            "second, validation included"
        )

    def preparing(self, what: str, done: int, total: int) -> None:
        self._log.preparing(what, done, total)
        self._progress.update(
            self._task, description=what, completed=done, total=total, count=f"{done}/{total}"
        )
        self._say(f"{what} {done}/{total}")

    def started(self, *, steps: int, done: int, epochs: int) -> None:
        self._log.started(steps=steps, done=done, epochs=epochs)
        self._begun = self._said = time.monotonic()
        self._progress.reset(
            self._task,
            description="training",
            total=steps,
            completed=done,
            count=f"{done}/{steps}",
            rate="",
        )
        if done and self._shown:
            self._console.print(f"going on at step {done + 1} of {steps}")

    def stepped(self, report: "StepReport") -> None:
        self._log.stepped(report)
        self._pairs += report.pairs
        rate = f"{self.pairs_a_second:.0f} pairs/s"
        text = f"epoch {report.epoch}  loss {report.loss:.3f}{self._recall}"
        self._progress.update(
            self._task,
            completed=report.step,
            description=text,
            rate=rate,
            count=f"{report.step}/{report.steps}",
        )
        self._say(f"step {report.step}/{report.steps}  {text}  {rate}")

    def validated(self, report: "EpochReport") -> None:
        self._log.validated(report)
        recalls = report.validation.metrics.text_to_video
        found = f"R@1 {recalls.recall_at_1:.1f}  R@5 {recalls.recall_at_5:.1f}"
        self._recall = f"  R@1 {recalls.recall_at_1:.1f}"
        if not self._shown:
            return
        loss = "" if math.isnan(report.loss) else f"  loss {report.loss:.3f}"
        best = "  best" if report.best and report.epoch else ""
        label = "validation " if self._roomy else ""
        line = (
            f"epoch {report.epoch}/{report.epochs}{loss}  {label}{found}  "
            f"{report.seconds:.0f} s{best}"
        )
        self._said = time.monotonic()
        self._console.print(line)

    def _say(self, line: str) -> None:
        """Now and then a line, where there is no terminal."""
        now = time.monotonic()
        if self._shown and not self._live and now - self._said >= PLAIN_SECONDS:
            self._said = now
            self._console.print(line)


if TYPE_CHECKING:

    def _is_a_watcher(display: TrainingDisplay) -> Watcher:
        return display

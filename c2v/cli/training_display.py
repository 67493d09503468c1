"""The live display of ``c2v finetune``: loss, R@1, rate and time left; plain lines in a pipe."""

import math
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn

from c2v.cli.live import LiveDisplay
from c2v.cli.text import has_all

if TYPE_CHECKING:
    from c2v.training.loop import EpochReport, StepReport, Watcher

_ROOMY_COLUMNS = 90
"""A terminal narrower than this shows no bar and fewer words."""


class TrainingDisplay(LiveDisplay):
    """Implements :class:`c2v.training.loop.Watcher` on a rich console, and passes all on."""

    def __init__(self, console: Console, *, shown: bool, log: "Watcher") -> None:
        self._log = log
        self._roomy = console.width >= _ROOMY_COLUMNS
        super().__init__(
            console,
            SpinnerColumn("dots" if has_all(console.encoding, "⠋") else "line"),
            TextColumn("{task.description}", markup=False),
            *([BarColumn(bar_width=24)] if self._roomy else []),
            TextColumn("{task.fields[count]}", markup=False),
            TextColumn("{task.fields[rate]}", style="cyan", markup=False),
            TimeRemainingColumn(compact=True),
            shown=shown,
        )
        self._task = self._progress.add_task("reading features", total=None, rate="", count="")
        self._recall = ""
        self._pairs = 0
        self._begun = self._said = time.monotonic()

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
        self._say_now_and_then(f"{what} {done}/{total}")

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
        self._say_now_and_then(f"step {report.step}/{report.steps}  {text}  {rate}")

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


if TYPE_CHECKING:

    def _is_a_watcher(display: TrainingDisplay) -> Watcher:
        return display

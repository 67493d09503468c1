"""The live display of ``c2v finetune``, on terminals of two widths and in a pipe."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console

from c2v.cli.training_display import TrainingDisplay
from c2v.evaluation.metrics import retrieval_metrics
from c2v.training.loop import EpochReport, StepReport
from c2v.training.validation import Validation


class Log:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def preparing(self, what: str, done: int, total: int) -> None:
        self.told.append("preparing")

    def started(self, *, steps: int, done: int, epochs: int) -> None:
        self.told.append("started")

    def stepped(self, report: StepReport) -> None:
        self.told.append("stepped")

    def validated(self, report: EpochReport) -> None:
        self.told.append("validated")


def run(console: Console, *, shown: bool = True, done: int = 0) -> tuple[str, TrainingDisplay, Log]:
    """One epoch of a run, told to a display."""
    log = Log()
    display = TrainingDisplay(console, shown=shown, log=log)
    found = Validation(retrieval_metrics(np.eye(4)), 1.0)
    with display:
        display.preparing("reading captions", 2, 4)
        display.started(steps=1400, done=done, epochs=1)
        display.validated(EpochReport(0, 100, float("nan"), found, True, 0.5))
        display.stepped(StepReport(done + 1, 1400, 1, 1.25, 64, 1e-4, 20.0))
        display._progress.refresh()
        display.validated(EpochReport(1, 100, 1.25, found, True, 1234.5))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue(), display, log


@pytest.mark.parametrize("width", [60, 120])
def test_a_terminal_shows_loss_recall_rate_and_time_left(width: int) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    text, display, log = run(console)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    for wanted in ("loss 1.250", "R@1 100.0", "1/1400", "pairs/s", "epoch 1/100", "best"):
        assert wanted in plain
    assert all(len(line) <= width for line in re.split(r"[\r\n]", plain))
    assert "64 pairs seen in" in display.summary()
    assert log.told == ["preparing", "started", "validated", "stepped", "validated"]


def test_a_pipe_gets_lines_and_no_escapes() -> None:
    text, _, _ = run(Console(file=io.StringIO(), width=400), done=700)
    assert "\x1b" not in text
    assert text.splitlines()[0] == "going on at step 701 of 1400"
    assert "epoch 1/100  loss 1.250  validation R@1 100.0" in text


def test_quiet_says_nothing_and_logs_all() -> None:
    text, _, log = run(Console(file=io.StringIO(), force_terminal=True), shown=False)
    assert text == ""
    assert len(log.told) == 5

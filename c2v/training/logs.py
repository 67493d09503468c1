"""What a run leaves to look at: a CSV log, TensorBoard events, a picture of the curves."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from c2v.encoder.foreign_caches import keep_caches_here
from c2v.optional import has
from c2v.training.loop import EpochReport, StepReport

CSV_NAME = "log.csv"
CURVES_NAME = "curves.png"
EVENTS_NAME = "tensorboard"
CSV_COLUMNS = (
    "epoch",
    "step",
    "loss",
    "t2v_R@1",
    "t2v_R@5",
    "t2v_R@10",
    "v2t_R@1",
    "v2t_R@5",
    "v2t_R@10",
    "t2v_MnR",
    "seconds",
)


class RunLog:
    """Writes the logs of one run; a watcher of the loop.

    The CSV is always written. TensorBoard events are written where the package ``tensorboard`` is
    installed (the extra ``train``). A resumed run goes on where its checkpoint stands:
    what was logged after it is dropped.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._file: IO[str] | None = None
        self._events: Any = None
        self._step = 0

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        if self._events is not None:
            self._events.close()

    def preparing(self, what: str, done: int, total: int) -> None:
        """Nothing is logged before the first step."""

    def started(self, *, steps: int, done: int, epochs: int) -> None:
        self._step = done
        path = self._folder / CSV_NAME
        kept: list[str] = []
        if epochs and path.is_file():
            kept = path.read_text(encoding="utf-8").splitlines()[: 1 + epochs]
        self._file = path.open("w", newline="", encoding="utf-8")
        self._file.write("".join(f"{line}\n" for line in kept or [",".join(CSV_COLUMNS)]))
        self._file.flush()
        events = self._folder / EVENTS_NAME
        if not epochs:
            shutil.rmtree(events, ignore_errors=True)
        self._events = _events(events, first_step=done + 1)

    def stepped(self, report: StepReport) -> None:
        self._step = report.step
        if self._events is not None:
            self._events.add_scalar("loss", report.loss, report.step)
            self._events.add_scalar("learning_rate", report.rate, report.step)
            self._events.add_scalar("scale", report.scale, report.step)

    def validated(self, report: EpochReport) -> None:
        values = _figures(report)
        loss = "" if report.epoch == 0 else f"{report.loss:.6f}"
        row: list[Any] = [report.epoch, self._step, loss]
        row += [f"{value:.3f}" for value in values.values()]
        if self._file is not None:
            csv.writer(self._file, lineterminator="\n").writerow([*row, f"{report.seconds:.1f}"])
            self._file.flush()
        if self._events is not None:
            for name, value in values.items():
                self._events.add_scalar(f"validation/{name}", value, self._step)


def _figures(report: EpochReport) -> dict[str, float]:
    """The columns of a validation."""
    metrics = report.validation.metrics
    to_video, to_text = metrics.text_to_video, metrics.video_to_text
    return {
        "t2v_R@1": to_video.recall_at_1,
        "t2v_R@5": to_video.recall_at_5,
        "t2v_R@10": to_video.recall_at_10,
        "v2t_R@1": to_text.recall_at_1,
        "v2t_R@5": to_text.recall_at_5,
        "v2t_R@10": to_text.recall_at_10,
        "t2v_MnR": to_video.mean_rank,
    }


def _events(folder: Path, *, first_step: int) -> Any:
    """A TensorBoard writer, or None where the package is not installed."""
    if not has("tensorboard"):
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=first_step)


def draw_curves(history: list[dict[str, Any]], folder: Path, *, title: str) -> Path | None:
    """Loss and validation recall by epoch as a PNG; None where matplotlib is not installed."""
    if not has("matplotlib"):
        return None
    keep_caches_here()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    later = [row for row in history if row["loss"] is not None]
    left.plot([row["epoch"] for row in later], [row["loss"] for row in later], color="tab:red")
    left.set(title="loss", xlabel="epoch")
    epochs = [row["epoch"] for row in history]
    for name, style in (("R@1", "-"), ("R@5", "--")):
        for key, label, color in (
            ("text_to_video", "text to video", "tab:blue"),
            ("video_to_text", "video to text", "tab:green"),
        ):
            values = [row["validation"][key][name] for row in history]
            right.plot(epochs, values, style, color=color, label=f"{label} {name}")
    right.set(title="validation, %", xlabel="epoch", ylim=(-3, 103))
    right.legend(fontsize="small")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle(title)
    path = folder / CURVES_NAME
    figure.savefig(path, dpi=120)
    return path

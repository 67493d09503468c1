"""What a run leaves to look at: a CSV log, TensorBoard events, a picture of the curves."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from c2v.training.loop import EpochReport, StepReport

CSV_NAME = "log.csv"
CURVES_NAME = "curves.png"
EVENTS_NAME = "tensorboard"
COLUMNS = (
    "epoch", "step", "loss", "t2v_R@1", "t2v_R@5", "t2v_R@10", "v2t_R@1", "v2t_R@5", "v2t_R@10",
    "t2v_MnR", "seconds",
)  # fmt: skip


class RunLog:
    """Writes the logs of one run; a watcher of the loop.

    The CSV is always written. TensorBoard events are written where the package ``tensorboard`` is
    installed (``pip install 'c2v[train]'``). A resumed run appends.
    """

    def __init__(self, folder: Path, *, append: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / CSV_NAME
        append = append and path.is_file()
        self._file: IO[str] = path.open("a" if append else "w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        if not append:
            self._writer.writerow(COLUMNS)
        self._events = _events(folder / EVENTS_NAME)
        self._step = 0

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._events is not None:
            self._events.close()

    def started(self, *, steps: int, done: int, pairs: int) -> None:
        self._step = done

    def stepped(self, report: StepReport) -> None:
        self._step = report.step
        if self._events is not None:
            self._events.add_scalar("loss", report.loss, report.step)
            self._events.add_scalar("learning_rate", report.rate, report.step)
            self._events.add_scalar("scale", report.scale, report.step)

    def validated(self, report: EpochReport) -> None:
        metrics = report.validation.metrics
        to_video, to_text = metrics.text_to_video, metrics.video_to_text
        values = {
            "t2v_R@1": to_video.recall_at_1,
            "t2v_R@5": to_video.recall_at_5,
            "t2v_R@10": to_video.recall_at_10,
            "v2t_R@1": to_text.recall_at_1,
            "v2t_R@5": to_text.recall_at_5,
            "v2t_R@10": to_text.recall_at_10,
            "t2v_MnR": to_video.mean_rank,
        }
        loss = "" if report.epoch == 0 else f"{report.loss:.6f}"
        row: list[Any] = [report.epoch, self._step, loss]
        row += [f"{value:.3f}" for value in values.values()]
        self._writer.writerow([*row, f"{report.seconds:.1f}"])
        self._file.flush()
        if self._events is not None:
            for name, value in values.items():
                self._events.add_scalar(f"validation/{name}", value, report.epoch)


def _events(folder: Path) -> Any:
    """A TensorBoard writer, or None where the package is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))


def draw_curves(history: list[dict[str, Any]], path: Path, *, title: str) -> bool:
    """Loss and validation recall by epoch as a PNG; False where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
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
    right.set(title="validation, %", xlabel="epoch", ylim=(0, 100))
    right.legend(fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    return True

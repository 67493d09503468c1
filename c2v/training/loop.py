"""The loop: batches, steps, a validation an epoch, checkpoints; it goes on where it was stopped.

Every random choice is a function of seed and step, so a run that was interrupted anywhere and
resumed takes the very steps of one that was not.
"""

from __future__ import annotations

import copy
import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch  # noqa: TID253

from c2v.errors import DataError
from c2v.training.checkpoints import load_checkpoint, remove_drafts, save_checkpoint
from c2v.training.distributed import Group
from c2v.training.objective import LARGEST_SCALE
from c2v.training.optimiser import clip_gradients, make_optimiser, pull_back, set_rates
from c2v.training.outcome import Ended
from c2v.training.recipe import Recipe
from c2v.training.step import PairBatch, StepSettings, backward
from c2v.training.trainee import Draw, Trainee
from c2v.training.validation import PERFECT, Validation, validate

LAST = "last.pt"
BEST = "best.pt"
SAVE_SECONDS = 30.0
"""How much work a kill -9 may cost: a checkpoint of a head is hundreds of megabytes."""
_ORDER, _CAPTIONS = 3, 4


@dataclass(frozen=True, slots=True)
class Material:
    """What is trained on and what is held back, by number of video and of text."""

    texts_of: Sequence[Sequence[int]]
    """The texts of each video."""
    train: Sequence[int]
    held_back: Sequence[int]
    """None of them: nothing is validated, and all epochs are gone through."""

    def validation(self) -> tuple[list[int], list[int], list[int]]:
        """Texts, the place in ``videos`` of each one's video, and videos."""
        videos = list(self.held_back)
        pairs = [(text, place) for place, v in enumerate(videos) for text in self.texts_of[v]]
        return [text for text, _ in pairs], [place for _, place in pairs], videos


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step, as it is shown and logged."""

    step: int
    steps: int
    epoch: int
    loss: float
    pairs: int
    rate: float
    scale: float


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One epoch; epoch 0 is the state before the first step."""

    epoch: int
    epochs: int
    loss: float
    validation: Validation
    best: bool
    seconds: float


class Watcher(Protocol):
    """Told what happens.

    ``preparing`` comes before the first step, with what is read or computed then. ``started``
    says how many steps and validations (the one before the first step included) were done by an
    earlier part of the run.
    """

    def preparing(self, what: str, done: int, total: int) -> None: ...
    def started(self, *, steps: int, done: int, epochs: int) -> None: ...
    def stepped(self, report: StepReport) -> None: ...
    def validated(self, report: EpochReport) -> None: ...


@dataclass(slots=True)
class Progress:
    """Where a run stands; all of it is in a checkpoint."""

    step: int = 0
    best_epoch: int = 0
    loss_sum: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    finished: bool = False


class Trainer:
    """One run over one folder of checkpoints.

    Args:
        trainee: what learns; its frozen weights are those whose gradient is switched off.
        material: videos and texts.
        recipe: how.
        folder: of the checkpoints.
        identity: what a checkpoint must agree with to be resumed from (data, settings, start).

    Attributes:
        start: the weights before the first step.
    """

    def __init__(
        self,
        trainee: Trainee,
        material: Material,
        recipe: Recipe,
        *,
        folder: Path,
        identity: str,
        watcher: Watcher,
        group: Group | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.trainee = trainee
        self.material = material
        self.recipe = recipe
        self.folder = folder
        self.identity = identity
        self.watcher = watcher
        self.group = group or Group()
        self.stop = stop or threading.Event()
        self._pairs = [(v, text) for v in material.train for text in material.texts_of[v]]
        self.steps_an_epoch = math.ceil(len(material.train) / recipe.batch)
        if recipe.pairs:
            self.steps_an_epoch = max(1, len(self._pairs) // recipe.batch)
        self.steps = self.steps_an_epoch * recipe.epochs
        self.optimiser = make_optimiser(trainee.module, recipe, steps=self.steps)
        self.progress = Progress()
        self._best: tuple[float, ...] | None = None
        self._before: tuple[float, ...] = ()
        self._best_state: dict[str, torch.Tensor] = {}
        self._saved_at = time.monotonic()
        self._best_saved = -1
        two = trainee.settings.aligned or trainee.settings.interacts
        w = recipe.branch_weight
        self._step_settings = StepSettings(
            micro_batch=recipe.micro_batch,
            segments_a_video=recipe.segments_a_video,
            branch_weights=(w, 1.0 - w) if two else (1.0,),
            autocast=recipe.autocast,
        )

    def run(self, *, resume: bool = False) -> Ended:
        """Train until the end, until nothing gets better, or until ``stop`` is set.

        Raises:
            DataError: the loss is no number, or the checkpoint is of another run.
        """
        self.trainee.module.train()
        self.group.same_weights(self.trainee.module.state_dict().values())
        self._set_out()
        if self.group.leads:
            remove_drafts(self.folder)
        if resume and (self.folder / LAST).is_file():
            self._load()
        elif self.group.leads:  # or a run killed before its first checkpoint resumed an older one
            for name in (LAST, BEST):
                (self.folder / name).unlink(missing_ok=True)
        self.group.same_weights(self.trainee.module.state_dict().values())
        validated = len(self.progress.history)
        self.watcher.started(steps=self.steps, done=self.progress.step, epochs=validated)
        if not self.progress.history:
            self._validate(epoch=0, loss=math.nan)
        interrupted = False
        while not self.progress.finished and not interrupted:
            interrupted = not self._epoch()
        if not interrupted:
            self.trainee.module.load_state_dict(self._best_state)
        progress = self.progress
        return Ended(interrupted, progress.history, progress.best_epoch, progress.seconds)

    def _set_out(self) -> None:
        """Remember the start: a checkpoint may put other weights into the trainee."""
        self.start = copy.deepcopy(dict(self.trainee.module.state_dict()))
        self._first = {
            parameter: parameter.detach().clone()
            for parameter in self.trainee.module.parameters()
            if self.recipe.anchor
            and parameter.requires_grad
            and parameter is not self.trainee.log_scale
        }

    # -- one epoch ------------------------------------------------------------------------------

    def _epoch(self) -> bool:
        """Train to the end of the epoch and validate; False when asked to stop on the way."""
        epoch = len(self.progress.history) - 1  # those validated, without the state before
        done = self.progress.step - epoch * self.steps_an_epoch
        for batch in list(self.batches(epoch))[done:]:
            if self.group.any(self.stop.is_set()):
                self._save()
                return False
            self._step(batch, epoch)
            self._save_in_time()
        loss = self.progress.loss_sum / self.steps_an_epoch
        self.progress.loss_sum = 0.0
        self._validate(epoch=epoch + 1, loss=loss)
        over = epoch + 1 == self.recipe.epochs
        if self.material.held_back:
            waited = epoch + 1 - self.progress.best_epoch
            over = over or waited >= self.recipe.stop_after
            over = over or (self._best == PERFECT and not self.recipe.patience)
        elif over:
            self.progress.best_epoch = epoch + 1
            self._best_state = copy.deepcopy(dict(self.trainee.module.state_dict()))
        self.progress.finished = over
        if over or epoch == 0:  # the first one shows early whether there is room for it
            self._save()
        self._save_in_time()
        return True

    def batches(self, epoch: int) -> Iterator[PairBatch]:
        """Every video once, in an order of this epoch's own, each with (some of) its captions.

        Or every pair of a video and a caption, but for a rest that fills no step.
        """
        draw = Draw(self.recipe.seed, epoch)
        if self.recipe.pairs:
            yield from self._batches_of_pairs(draw)
            return
        train = self.material.train
        order = torch.randperm(len(train), generator=draw.generator(_ORDER, 0)).tolist()
        # Batches of equal size: a last one of two videos would have no negatives to speak of.
        parts = self.steps_an_epoch
        for part in range(parts):
            start, end = part * len(order) // parts, (part + 1) * len(order) // parts
            videos = tuple(train[place] for place in order[start:end])
            yield PairBatch(videos, tuple(self._captions(video, draw) for video in videos))

    def _batches_of_pairs(self, draw: Draw) -> Iterator[PairBatch]:
        order = torch.randperm(len(self._pairs), generator=draw.generator(_ORDER, 0)).tolist()
        for part in range(self.steps_an_epoch):
            start = part * self.recipe.batch
            chosen = [self._pairs[place] for place in order[start : start + self.recipe.batch]]
            yield PairBatch(
                tuple(video for video, _ in chosen), tuple((text,) for _, text in chosen)
            )

    def _captions(self, video: int, draw: Draw) -> tuple[int, ...]:
        texts = self.material.texts_of[video]
        most = self.recipe.captions_a_video
        if len(texts) <= most:
            return tuple(texts)
        order = torch.randperm(len(texts), generator=draw.generator(_CAPTIONS, video))
        return tuple(texts[place] for place in sorted(order[:most].tolist()))

    def _step(self, batch: PairBatch, epoch: int) -> None:
        started = time.monotonic()
        step = self.progress.step
        share = set_rates(self.optimiser, step=step, steps=self.steps, warmup=self.recipe.warmup)
        self.optimiser.zero_grad(set_to_none=True)
        draw = Draw(self.recipe.seed, step)
        loss = backward(self.trainee, batch, draw, self._step_settings, self.group)
        if not math.isfinite(loss):
            raise DataError(
                f"the loss of step {step + 1} is {loss}", hint="try a smaller --learning-rate"
            )
        clip_gradients(self.trainee.module.parameters(), self.recipe.clip_norm)
        self.optimiser.step()
        anchor = self.recipe.anchor
        if anchor:
            pull_back(self.optimiser, self._first, strength=anchor, share=share)
        with torch.no_grad():
            self.trainee.log_scale.clamp_(0.0, math.log(LARGEST_SCALE))
        self.progress.step += 1
        self.progress.loss_sum += loss
        self.progress.seconds += time.monotonic() - started
        self.watcher.stepped(
            StepReport(
                step=step + 1,
                steps=self.steps,
                epoch=epoch + 1,
                loss=loss,
                pairs=len(batch.flat_texts),
                rate=share * self.recipe.learning_rate,
                scale=float(self.trainee.log_scale.detach().exp()),
            )
        )

    # -- validation and checkpoints -------------------------------------------------------------

    def _validate(self, *, epoch: int, loss: float) -> None:
        if not self.material.held_back:
            self._note(epoch, loss, {})
            return
        started = time.monotonic()
        texts, owner, videos = self.material.validation()
        # Before the first step an aligned head that starts as meanP is meanP.
        mixing = (self.trainee.settings.center_weight,) if epoch == 0 else None
        found = validate(self.trainee, texts, owner, videos, mixing=mixing)
        if epoch == 0:
            self._before = found.score
        # The start is no end: weights between it and the best of the epochs are tried later.
        better = epoch > 0 and (self._best is None or found.score > self._best)
        if better:
            self._best, self.progress.best_epoch = found.score, epoch
            self._best_state = copy.deepcopy(dict(self.trainee.module.state_dict()))
        better = better and found.score > self._before
        self.progress.seconds += time.monotonic() - started
        self._note(epoch, loss, found.as_dict())
        self.watcher.validated(
            EpochReport(epoch, self.recipe.epochs, loss, found, better, self.progress.seconds)
        )

    def _note(self, epoch: int, loss: float, validation: dict[str, Any]) -> None:
        self.progress.history.append(
            {
                "epoch": epoch,
                "loss": None if math.isnan(loss) else loss,
                "validation": validation,
                "seconds": round(self.progress.seconds, 3),
            }
        )

    def _save_in_time(self) -> None:
        if time.monotonic() - self._saved_at >= SAVE_SECONDS:
            self._save()

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        if not self.group.leads:
            return
        progress = self.progress
        if self._best_state and self._best_saved != progress.best_epoch:
            self._best_saved = progress.best_epoch
            best = {"epoch": progress.best_epoch, "identity": self.identity}
            save_checkpoint(self.folder / BEST, {**best, "weights": self._best_state})
        save_checkpoint(
            self.folder / LAST,
            {
                "identity": self.identity,
                "weights": self.trainee.module.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "best_weights": self._best_state,
                "best": list(self._best or ()),
                "before": list(self._before),
                "step": progress.step,
                "best_epoch": progress.best_epoch,
                "loss_sum": progress.loss_sum,
                "history": progress.history,
                "seconds": progress.seconds,
                "finished": progress.finished,
            },
        )

    def _load(self) -> None:
        path = self.folder / LAST
        content = load_checkpoint(path)
        if content["identity"] != self.identity:
            raise DataError(
                f"the checkpoint {path} is of other data, another start or other settings",
                hint="give the settings of that run again, or start afresh with --overwrite",
            )
        self.trainee.module.load_state_dict(content["weights"])
        self.optimiser.load_state_dict(content["optimiser"])
        self._best_state = content["best_weights"]
        self._best = tuple(content["best"]) or None
        self._before = tuple(content["before"])
        self.progress = Progress(
            step=content["step"],
            best_epoch=content["best_epoch"],
            loss_sum=content["loss_sum"],
            history=content["history"],
            seconds=content["seconds"],
            finished=content["finished"],
        )

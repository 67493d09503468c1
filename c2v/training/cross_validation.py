"""Few videos: each is held back once, then all of them are learnt from.

Of 21 videos one cannot hold back enough to measure a gain by, and cannot spare what is held back.
So they are parted into folds and a model is trained without each. The ranks of all videos, each
among all the others by the model that did not learn from it, say how far to go from the start to
the end; a last model, of all videos, goes that far.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.errors import DataError
from c2v.evaluation.ranks import Ranks
from c2v.files.reading import parse_json, read_plain
from c2v.files.writing import write_file
from c2v.training.choosing import Verdict, choose
from c2v.training.distributed import Group
from c2v.training.guard import Guard
from c2v.training.held_back import take
from c2v.training.interpolation import ShareTrial, try_shares, weights_of
from c2v.training.loop import (
    BEST,
    LAST,
    EpochReport,
    Material,
    StepReport,
    Trainer,
    Watcher,
)
from c2v.training.outcome import Ended, Outcome
from c2v.training.recipe import Recipe
from c2v.training.validation import Ranking, Scored, score

RANKS_PATTERN = "fold-*.json"
_FOLDER_PATTERN = "fold-*/"
MakeTrainer = Callable[[Material, Path, str, Watcher], Trainer]
"""Of what to learn from, folder, identity and watcher; the trainee holds the start's weights."""


@dataclass(frozen=True, slots=True)
class Turns:
    """One run over all folds. ``material`` has all videos to train on, none held back."""

    folds: Sequence[Sequence[int]]
    material: Material
    recipe: Recipe
    folder: Path
    identity: str
    watcher: Watcher
    group: Group
    guard: Guard | None
    make: MakeTrainer

    def run(self, *, resume: bool) -> Outcome:
        """Train without each fold, choose, and train on all videos where it is worth it.

        Raises:
            DataError: the loss is no number, or a checkpoint is of another run.
        """
        if self.group.leads and not resume:
            forget_checkpoints(self.folder)
        self.group.wait()
        parts = [self._without(fold) for fold in self.folds]
        told = _OneRun(self.watcher, [self._steps(part) for part in (*parts, self.material)])
        found: list[list[ShareTrial]] = []
        seconds = 0.0
        for number, part in enumerate(parts):
            told.part = number
            trials, ended = self._fold(number, part, told, resume=resume)
            if trials is None:
                return _halted(ended)
            seconds += ended.seconds
            found.append(trials)
        trials = pooled(found, self.folds)
        choice = choose(trials)
        told.part = len(parts)
        trainer = self.make(self.material, self.folder, f"{self.identity}/all", told)
        if choice.share == 0:  # the trainee holds the start
            return self._outcome(choice, Ended(False, [], 0, seconds))
        ended = trainer.run(resume=resume)
        if ended.interrupted:
            return _halted(ended)
        choice = take(trainer, trials, self.guard)
        return self._outcome(choice, replace(ended, seconds=seconds + ended.seconds))

    # -- one fold -------------------------------------------------------------------------------

    def _without(self, fold: Sequence[int]) -> Material:
        held = set(fold)
        train = [video for video in self.material.train if video not in held]
        return Material(self.material.texts_of, train, ())

    def _steps(self, part: Material) -> int:
        return math.ceil(len(part.train) / self.recipe.batch) * self.recipe.epochs

    def _fold(
        self, number: int, part: Material, told: _OneRun, *, resume: bool
    ) -> tuple[list[ShareTrial] | None, Ended]:
        """How the model without this fold ranks all videos; None where it was interrupted."""
        name = f"fold-{number + 1}"
        done = self.folder / f"{name}.json"
        identity = f"{self.identity}/{name}"
        known = _read(done, identity) if resume else None
        if known is not None:
            return known, Ended(False, [], 0, 0.0)
        trainer = self.make(part, self.folder / name, identity, told)
        ended = trainer.run(resume=resume)
        if ended.interrupted:
            return None, ended
        texts, owner = self._texts()
        trials = try_shares(
            trainer.trainee,
            trainer.start,
            weights_of(trainer.trainee),
            view=lambda: self._view(trainer, texts),
            owner=owner,
            guard=self.guard,
        )
        if self.group.leads:
            content = {"identity": identity, "trials": [trial.as_dict() for trial in trials]}
            write_file(done, json.dumps(content))
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.group.wait()
        return trials, ended

    def _texts(self) -> tuple[list[int], list[int]]:
        """All texts, and the place of each one's video."""
        videos = self.material.train
        pairs = [(text, n) for n, v in enumerate(videos) for text in self.material.texts_of[v]]
        return [text for text, _ in pairs], [place for _, place in pairs]

    def _view(self, trainer: Trainer, texts: Sequence[int]) -> Scored:
        return score(trainer.trainee, texts, self.material.train)

    def _outcome(self, choice: Verdict, ended: Ended) -> Outcome:
        """The two states there are figures of: the start, and what was taken."""
        found = [(0, math.nan, choice.before)]
        if choice.share > 0:
            found.append((ended.end_epoch, ended.history[-1]["loss"], choice.after))
        history: list[dict[str, Any]] = []
        for epoch, loss, metrics in found:
            history.append(
                {
                    "epoch": epoch,
                    "loss": None if math.isnan(loss) else loss,
                    "validation": metrics.as_dict(),
                    "seconds": round(ended.seconds, 3),
                }
            )
            of = self.recipe.epochs
            self.watcher.validated(
                EpochReport(epoch, of, loss, metrics, best=epoch > 0, seconds=ended.seconds)
            )
        return Outcome.chosen(choice, ended, history)


class _OneRun:
    """Shows the parts of a run to a watcher as one: implements :class:`c2v.training.loop.Watcher`.

    ``part`` is the one whose steps are taken now.
    """

    def __init__(self, watcher: Watcher, steps: Sequence[int]) -> None:
        self._watcher, self._steps = watcher, steps
        self._told = False
        self.part = 0

    def preparing(self, what: str, done: int, total: int) -> None:
        self._watcher.preparing(what, done, total)

    def started(self, *, steps: int, done: int, epochs: int) -> None:
        if not self._told:
            self._watcher.started(steps=sum(self._steps), done=self._before + done, epochs=0)
        self._told = True

    def stepped(self, report: StepReport) -> None:
        step = self._before + report.step
        self._watcher.stepped(replace(report, step=step, steps=sum(self._steps)))

    def validated(self, report: EpochReport) -> None:
        """Not of the parts: nothing is held back from them."""

    @property
    def _before(self) -> int:
        return sum(self._steps[: self.part])


def pooled(
    found: Sequence[Sequence[ShareTrial]], folds: Sequence[Sequence[int]]
) -> list[ShareTrial]:
    """The trials of all folds as one: each video, and its texts, by the model without it.

    Args:
        found: of each fold the same trials, which rank all videos.
        folds: the places of the videos of each.
    """
    fold_of = {video: number for number, fold in enumerate(folds) for video in fold}
    by_video = np.array([fold_of[video] for video in range(len(fold_of))])
    trials = []
    for same in zip(*found, strict=True):
        first = same[0]
        owner = first.ranking.owner
        by_text = by_video[owner]

        def chosen(name: str, by: NDArray[np.int64], of: Sequence[ShareTrial] = same) -> Ranks:
            every = np.stack([getattr(trial.ranking, name) for trial in of])
            picked: Ranks = every[by, np.arange(len(by))]
            return picked

        ranking = Ranking(
            chosen("texts", by_text),
            chosen("videos", by_video),
            chosen("by_caption", by_video),
            owner,
        )
        guards = [trial.guard for trial in same if trial.guard is not None]
        guard = Ranking.joined(guards) if guards else None
        trials.append(replace(first, ranking=ranking, guard=guard))
    return trials


def part_in_folds(count: int, folds: int, *, seed: int) -> list[list[int]]:
    """The numbers 0 to ``count`` - 1 in so many parts, drawn by ``seed``, equal but for one."""
    order = np.random.default_rng(seed).permutation(count).tolist()
    return [sorted(order[number::folds]) for number in range(folds)]


def folds_begun(folder: Path) -> bool:
    """Whether something of an unfinished run in turns is in the folder of the run."""
    return any(folder.glob(RANKS_PATTERN)) or any(folder.glob(f"{_FOLDER_PATTERN}{LAST}"))


def forget_checkpoints(folder: Path) -> None:
    """Delete all that a run could be resumed from; its log stays."""
    for name in (LAST, BEST):
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob(RANKS_PATTERN):
        path.unlink(missing_ok=True)
    for path in folder.glob(_FOLDER_PATTERN):
        shutil.rmtree(path, ignore_errors=True)


def _read(path: Path, identity: str) -> list[ShareTrial] | None:
    """The trials of a fold that was finished, or None.

    Raises:
        DataError: they are of another run, or damaged.
    """
    if not path.is_file():
        return None
    try:
        content = parse_json(read_plain(path).decode("utf-8"))
        trials = [ShareTrial.from_dict(trial) for trial in content["trials"]]
        of = content["identity"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read: it is damaged", hint="start afresh with --overwrite"
        ) from error
    if of != identity:
        raise DataError(
            f"{path} is of other data, another start or other settings",
            hint="give the settings of that run again, or start afresh with --overwrite",
        )
    return trials


def _halted(ended: Ended) -> Outcome:
    """Interrupted: there are no figures before all folds are done."""
    return Outcome(
        interrupted=True,
        before={},
        after={},
        history=ended.history,
        best_epoch=0,
        seconds=ended.seconds,
    )

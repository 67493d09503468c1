"""Fine-tuning from end to end: captions and a library in, a bundle out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c2v.encoder.bundle import Bundle
from c2v.encoder.names import check_bundle_name
from c2v.encoder.registry import bundle_folder, check_free, find_bundle
from c2v.errors import ModelError, UsageError
from c2v.evaluation.captions import Captions
from c2v.evaluation.published_videos import Protocol
from c2v.evaluation.stored import Missing, too_long
from c2v.library import Store
from c2v.library.refusals import check_towers
from c2v.training.choices import Choices, Planned, plan
from c2v.training.cross_validation import Turns, folds_begun, forget_checkpoints, part_in_folds
from c2v.training.distributed import Group
from c2v.training.frame_cache import DecodedFrames, decoded_frames
from c2v.training.guard import Guard
from c2v.training.held_back import run_once
from c2v.training.interpolation import weights_of
from c2v.training.loop import LAST, Material, Trainer, Watcher
from c2v.training.material import Gathered, gather
from c2v.training.naming import run_folder
from c2v.training.optimiser import freeze
from c2v.training.outcome import Outcome
from c2v.training.recipe import FEW_VIDEOS, VALIDATION
from c2v.training.record import facts, identity, save
from c2v.training.stored_trainee import guard_of, stored_trainee
from c2v.training.trainee import Trainee


@dataclass(frozen=True, slots=True)
class Finetuned:
    """What came of a run."""

    name: str
    directory: Path | None
    """The folder of the bundle; None when the run was interrupted, or was not worth it."""
    outcome: Outcome
    pairs: int
    videos: int
    held_back: int
    missing: tuple[Missing, ...]
    planned: Planned
    leads: bool
    """Whether it is told by this process, which is the first of those that torchrun started."""
    curves: Path | None = None
    """A picture of the training; None where matplotlib is not installed."""

    @property
    def written(self) -> bool:
        """Whether a model came of it."""
        return self.directory is not None

    @property
    def logs(self) -> Path:
        """The folder of the run: checkpoints, log and curves."""
        return run_folder(self.name)

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v finetune``."""
        outcome = self.outcome
        return {
            "name": self.name,
            "model": str(self.directory) if self.directory else None,
            "written": self.written,
            "interrupted": outcome.interrupted,
            "pairs": self.pairs,
            "videos": self.videos,
            "held_back": self.held_back,
            "missing": [{"path": miss.path, "reason": miss.reason} for miss in self.missing],
            "before": outcome.before or None,
            "after": outcome.after or None,
            "best_epoch": outcome.best_epoch,
            "choice": None if outcome.choice is None else outcome.choice.as_dict(),
            "epochs": outcome.history[-1]["epoch"],
            "elapsed_s": round(outcome.seconds, 3),
            "logs": str(self.logs),
            **self.planned.as_dict(),
        }


@dataclass(slots=True)
class Run:
    """One run: where it writes, whom it tells, and when it is to stop."""

    name: str
    watcher: Watcher
    group: Group = field(default_factory=Group)
    stop: threading.Event = field(default_factory=threading.Event)
    device: str = "cpu"
    resume: bool = False
    overwrite: bool = False
    keep: bool = False
    """Write a model also where nothing was better than the beginning."""
    paper: Protocol | None = None
    """Whose frames and how many words the towers are trained on; None is c2v's own way."""
    everyday: Sequence[str] = ()
    """Sentences that stand for what the start knew; none of them: it may forget what it likes."""

    @property
    def folder(self) -> Path:
        """Checkpoints and logs."""
        return run_folder(self.name)

    @property
    def begun(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self.folder / LAST).exists() or folds_begun(self.folder)

    def check(self) -> None:
        """Say before any work that the name is taken.

        Raises:
            UsageError: a run of that name is unfinished, or the name cannot be one.
            ModelError: there is a bundle of that name.
        """
        check_bundle_name(self.name)
        check_free(self.name, bundle_folder(self.name), overwrite=True)  # nor another in case alone
        if self.overwrite or (self.resume and self.begun):
            return
        if find_bundle(self.name) is not None:
            raise ModelError(
                f"there is a model named {self.name} already",
                hint="choose another --name, or add --overwrite",
            )
        if self.begun and not self.resume:
            raise UsageError(
                f"a run named {self.name} was begun and not finished ({self.folder})",
                hint="go on with --resume, or start afresh with --overwrite",
            )

    def forget(self) -> None:
        """Delete the checkpoints, so that the name is free; the log stays."""
        forget_checkpoints(self.folder)

    def preparing(self, what: str) -> Callable[[int, int], None]:
        """Passes on to the watcher how far something before the first step is.

        Until then there is nothing to save: asked to stop, it raises KeyboardInterrupt.
        """

        def on_progress(done: int, total: int) -> None:
            if self.stop.is_set():
                raise KeyboardInterrupt
            self.watcher.preparing(what, done, total)

        return on_progress


def train_bundle(
    library: Store,
    bundle: Bundle,
    captions: Captions,
    choices: Choices,
    run: Run,
    *,
    validation: Captions | None = None,
) -> Finetuned:
    """Train a head on the frame features of ``library`` and write it as a bundle.

    Args:
        library: holds the videos of the captions files.
        bundle: where to start; its towers made the library's features.
        captions: what to learn.
        choices: how; what is left open follows from the data.
        run: name, display, processes.
        validation: a validation split of its own; without it some videos are held back.

    Raises:
        DataError: too few videos, or none of them in the library.
        LibraryError: the library's features are of other towers.
        ModelError: the name is taken.
        UsageError: choices that contradict each other.
    """
    run.check()
    check_towers(library, bundle.name, bundle.towers_fingerprint)
    check_choices(choices, bundle, captions)
    given, frames = _given(library, bundle, captions, validation, choices, run)
    planned = _plan(choices, bundle, given)
    trainee = _trainee(bundle, given, frames, planned, run)
    guard = None
    if planned.recipe.guard and run.everyday:
        seed, device = planned.recipe.seed, run.device
        guard = guard_of(bundle, trainee, given, run.everyday, seed=seed, device=device)
    whole = identity(bundle, given, planned, run.everyday)
    outcome = _outcome(trainee, given, planned, run, guard, whole)
    directory = None
    worth_it = outcome.was_worth_it or run.keep
    if not outcome.interrupted and run.group.leads and not worth_it:
        run.forget()
    if not outcome.interrupted and run.group.leads and worth_it:
        directory = save(
            run.name,
            run.folder,
            parent=bundle,
            trainee=trainee,
            planned=planned,
            outcome=outcome,
            data=facts(captions, given),
            overwrite=run.overwrite or run.resume,
        )
    run.group.wait()
    return Finetuned(
        name=run.name,
        directory=directory,
        outcome=outcome,
        pairs=len(given.pairs.texts),
        videos=len(given.material.train),
        held_back=len(given.material.held_back),
        missing=given.missing,
        planned=planned,
        leads=run.group.leads,
    )


def check_choices(choices: Choices, bundle: Bundle, captions: Captions) -> None:
    """Raises UsageError for what cannot be done, whatever of the data is found."""
    plan(choices, bundle, pairs=len(captions.texts), videos=max(3, len(captions.videos)))


def _plan(choices: Choices, bundle: Bundle, given: Gathered) -> Planned:
    material = given.material
    return plan(
        choices,
        bundle,
        pairs=len(given.pairs.texts),
        videos=len(material.train),
        in_turns=not material.held_back,
    )


def _given(
    library: Store,
    bundle: Bundle,
    captions: Captions,
    later: Captions | None,
    choices: Choices,
    run: Run,
) -> tuple[Gathered, DecodedFrames | None]:
    """What there is to learn from; with frames where the towers are trained."""
    share, seed = choices.validation or VALIDATION, choices.seed
    given = gather(library, captions, later, share=share, seed=seed)
    if _plan(choices, bundle, given).recipe.train != "all":
        few = len(given.pairs.videos) < FEW_VIDEOS
        if few and later is None and choices.validation is None and choices.like == "own":
            given = gather(library, captions, None, share=None, seed=seed)
        return given, None
    from c2v.training.towers import check_trainable

    check_trainable(bundle)
    frames = decoded_frames(
        bundle,
        given.stored.paths,
        first_seconds=captions.first_seconds,
        group=run.group,
        on_progress=run.preparing("decoding videos"),
        published=run.paper.sampling if run.paper else None,
    )
    lost = frames.unreadable
    if lost:
        given = gather(library, captions, later, share=share, seed=seed, unreadable=lost)
    if _plan(choices, bundle, given).recipe.train != "all":
        return given, None
    return given, frames


def check_texts(bundle: Bundle, captions: Captions) -> str:
    """A sentence about captions that are cut, or an empty one."""
    count = too_long(bundle, list(dict.fromkeys(captions.texts)))
    if not count:
        return ""
    return (
        f"{count} caption{'s are' if count > 1 else ' is'} longer than the "
        f"{bundle.config.text.context} tokens {bundle.name} reads: what is beyond is not seen; "
        "shorten them, or make two of one"
    )


def _trainee(
    bundle: Bundle, given: Gathered, frames: DecodedFrames | None, planned: Planned, run: Run
) -> Trainee:
    """What learns, its frozen weights switched off."""
    if frames is None:
        trainee: Trainee = stored_trainee(
            bundle,
            given,
            planned,
            device=run.device,
            on_progress=run.preparing("reading captions"),
        )
    else:
        from c2v.training.towers import tower_trainee

        trainee = tower_trainee(
            bundle,
            given.pairs,
            frames,
            planned,
            device=run.device,
            most_tokens=run.paper.most_tokens if run.paper else None,
        )
    freeze(trainee.module, planned.recipe)
    return trainee


def _outcome(
    trainee: Trainee,
    given: Gathered,
    planned: Planned,
    run: Run,
    guard: Guard | None,
    whole: str,
) -> Outcome:
    """Train, in turns or once; the trainee then holds what is to be written."""
    start, recipe = weights_of(trainee), planned.recipe

    def make(material: Material, folder: Path, name: str, watcher: Watcher) -> Trainer:
        trainee.module.load_state_dict(start)
        return Trainer(
            trainee,
            material,
            recipe,
            folder=folder,
            identity=name,
            watcher=watcher,
            group=run.group,
            stop=run.stop,
        )

    if not recipe.folds:
        trainer = make(given.material, run.folder, whole, run.watcher)
        return run_once(trainer, guard, resume=run.resume)
    folds = part_in_folds(len(given.material.train), recipe.folds, seed=recipe.seed)
    turns = Turns(
        folds, given.material, recipe, run.folder, whole, run.watcher, run.group, guard, make
    )
    return turns.run(resume=run.resume)

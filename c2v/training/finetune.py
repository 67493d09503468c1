"""Fine-tuning from end to end: captions and a library in, a bundle out."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253
from numpy.typing import NDArray

from c2v import __version__
from c2v.config import data_dir
from c2v.encoder.bundle import Bundle
from c2v.encoder.heads.base import Head
from c2v.encoder.registry import find_bundle
from c2v.encoder.saving import save_bundle
from c2v.encoder.write import check_bundle_name
from c2v.errors import DataError, LibraryError, ModelError, UsageError
from c2v.library import Library
from c2v.training.captions import Captions
from c2v.training.checkpoints import write_text
from c2v.training.choices import Choices, Planned, plan
from c2v.training.distributed import Group
from c2v.training.loop import LAST, Material, Outcome, Trainer, Watcher
from c2v.training.optimiser import freeze
from c2v.training.pairs import Pairs, split
from c2v.training.ragged import Ragged
from c2v.training.recipe import validation_count
from c2v.training.start import first_head, first_scale
from c2v.training.stored import (
    Missing,
    StoredVideos,
    embed_texts,
    find_videos,
    read_features,
    too_long,
)
from c2v.training.trainee import Features, HeadTrainee, Trainee
from c2v.training.validation import embed

METRICS_NAME = "metrics.json"
_THREADS_WITH_SAME_BITS = 2


@dataclass(frozen=True, slots=True)
class Finetuned:
    """What came of a run."""

    name: str
    directory: Path | None
    """The folder of the bundle; None when the run was interrupted."""
    outcome: Outcome
    pairs: int
    videos: int
    held_back: int
    missing: tuple[Missing, ...]
    planned: Planned


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

    @property
    def folder(self) -> Path:
        """Checkpoints and logs."""
        return run_folder(self.name)

    def check(self) -> None:
        """Say before any work that the name is taken.

        Raises:
            UsageError: a run of that name is unfinished, or the name cannot be one.
            ModelError: there is a bundle of that name.
        """
        check_bundle_name(self.name)
        if self.resume or self.overwrite:
            return
        if find_bundle(self.name) is not None:
            raise ModelError(
                f"there is a model named {self.name} already",
                hint="choose another --name, or add --overwrite",
            )
        if (self.folder / LAST).exists():
            raise UsageError(
                f"a run named {self.name} was begun and not finished ({self.folder})",
                hint="go on with --resume, or start afresh with --overwrite",
            )


def run_folder(name: str) -> Path:
    """Where the checkpoints and logs of a run are."""
    return data_dir() / "runs" / name


def finetune(
    library: Library,
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
    check_towers(library, bundle)
    # What cannot be done is said before any data is read; the numbers do not matter here.
    plan(choices, bundle, pairs=len(captions.texts), videos=max(3, len(captions.videos)))
    pairs, stored, material, missing = _gather(library, captions, validation, choices)
    planned = plan(choices, bundle, pairs=len(pairs.texts), videos=len(material.train))
    if planned.recipe.train == "all":
        from c2v.training.towers import tower_trainee

        trainee: Trainee = tower_trainee(bundle, pairs, stored, planned, device=run.device)
    else:
        trainee = _head_trainee(bundle, pairs, stored, material, planned, device=run.device)
    freeze(trainee.module, planned.recipe)
    trainer = Trainer(
        trainee, material, planned.recipe, folder=run.folder,
        identity=_identity(bundle, pairs, stored, material, planned),
        watcher=run.watcher, group=run.group, stop=run.stop,
    )  # fmt: skip
    outcome = trainer.run(resume=run.resume)
    directory = None
    if not outcome.interrupted and run.group.leads:
        facts = {
            "data": _facts(captions, pairs, material, missing),
            "parent": {"name": bundle.name, "fingerprint": bundle.fingerprint},
        }
        directory = _save(run, bundle, trainee, planned, outcome, facts)
    run.group.wait()
    return Finetuned(
        name=run.name, directory=directory, outcome=outcome, pairs=len(pairs.texts),
        videos=len(material.train), held_back=len(material.held_back), missing=missing,
        planned=planned,
    )  # fmt: skip


def check_towers(library: Library, bundle: Bundle) -> None:
    """Raises LibraryError unless ``bundle``'s towers made the features of ``library``."""
    record = library.model
    if record is None:
        raise LibraryError(f"the library {library.directory} is empty", hint="c2v index PATH")
    if record.towers_fingerprint != bundle.towers_fingerprint:
        raise LibraryError(
            f"the library {library.directory} holds frames as {record.name} saw them, of no use "
            f"to {bundle.name}",
            hint=f"give it a library of its own: c2v index --model {bundle.name} "
            "--library NAME PATH",
        )


def check_texts(bundle: Bundle, captions: Captions) -> str:
    """A sentence about captions that are cut, or an empty one."""
    count = too_long(bundle, list(dict.fromkeys(captions.texts)))
    if not count:
        return ""
    return (
        f"{count} captions are longer than the {bundle.config.text.context} tokens "
        f"{bundle.name} reads; their ends are not seen"
    )


def _gather(
    library: Library, captions: Captions, validation: Captions | None, choices: Choices
) -> tuple[Pairs, StoredVideos, Material, tuple[Missing, ...]]:
    """The videos of both files that the library has, and which are held back."""
    both = captions if validation is None else _joined(captions, validation)
    found, missing = find_videos(library, both)
    if not found:
        raise DataError(
            f"--data {captions.file}: none of its {len(captions.videos)} videos is in the library "
            f"{library.directory}",
            hint=f"c2v index {captions.file.absolute().parent}",
        )
    stored = read_features(library, found, first_seconds=captions.first_seconds)
    pairs = Pairs.of(both, stored.paths)
    if validation is None:
        count = validation_count(len(pairs.videos), choices.validation)
        train, held = split(pairs.videos, count=count, seed=choices.seed)
    else:
        later = frozenset(validation.paths)
        held = [n for n, path in enumerate(pairs.videos) if path in later]
        train = [n for n, path in enumerate(pairs.videos) if path not in later]
    if len(train) < 2 or not held:
        raise DataError(
            f"--data {captions.file}: {len(train)} videos to train on and {len(held)} to validate "
            "on are in the library",
            hint="give captions of at least three videos",
        )
    return pairs, stored, Material(pairs.texts_of(), train, held), missing


def _joined(first: Captions, second: Captions) -> Captions:
    return replace(first, paths=first.paths + second.paths, texts=first.texts + second.texts)


def _head_trainee(
    bundle: Bundle, pairs: Pairs, stored: StoredVideos, material: Material, planned: Planned,
    *, device: str,
) -> HeadTrainee:  # fmt: skip
    if device == "cpu":
        torch.set_num_threads(min(torch.get_num_threads(), _THREADS_WITH_SAME_BITS))
    head = first_head(
        bundle, head=planned.head, start=planned.recipe.init, projected=planned.projected,
        small=planned.small, seed=planned.recipe.seed, layers=planned.layers,
    )  # fmt: skip
    where = torch.device(device)
    rows: list[NDArray[np.float16]] = []
    segments_of: list[list[int]] = []
    for segments in stored.segments:
        segments_of.append(list(range(len(rows), len(rows) + len(segments))))
        rows += list(segments)
    features = Features(
        tokens=Ragged(
            embed_texts(bundle, pairs.texts, pooled=not head.settings.aligned), device=where
        ),
        frames=Ragged(rows, device=where),
        segments_of=segments_of,
        noise=planned.recipe.noise,
    )
    trainee = HeadTrainee(head, features, scale=1.0).to(where)
    scale = _scale(bundle, trainee, material)
    with torch.no_grad():
        trainee.log_scale.fill_(float(np.log(scale)))
    return trainee


def _scale(bundle: Bundle, trainee: HeadTrainee, material: Material, most: int = 512) -> float:
    videos = list(material.train[:most])
    texts = [material.texts_of[video][0] for video in videos]
    text, segment, place = embed(trainee, texts, videos)
    first = [place.index(number) for number in range(len(videos))]
    return first_scale(
        bundle, trainee.head, text[0].numpy(), segment[0].numpy()[first], np.arange(len(videos))
    )


def _identity(
    bundle: Bundle, pairs: Pairs, stored: StoredVideos, material: Material, planned: Planned
) -> str:
    """What a checkpoint has to agree with: data, features, start and settings."""
    frames = hashlib.blake2b(digest_size=8)
    for segments in stored.segments:
        for features in segments:
            frames.update(np.ascontiguousarray(features).tobytes())
    names = [Path(path).name for path in pairs.videos]
    content: Sequence[Any] = (
        bundle.fingerprint, names, pairs.texts, pairs.owner, list(material.train),
        list(material.held_back), frames.hexdigest(), planned.as_dict(),
    )  # fmt: skip
    encoded = json.dumps(content, sort_keys=True).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def _facts(
    captions: Captions, pairs: Pairs, material: Material, missing: Sequence[Missing]
) -> dict[str, Any]:
    return {
        "file": captions.file.name,
        "digest": captions.digest,
        "pairs": len(pairs.texts),
        "videos": len(material.train),
        "held_back": len(material.held_back),
        "missing": len(missing),
    }


def _save(
    run: Run, bundle: Bundle, trainee: Trainee, planned: Planned, outcome: Outcome,
    facts: dict[str, Any],
) -> Path:  # fmt: skip
    """The bundle, with a record of how it was made."""
    head = trainee.module.get_submodule("head")
    assert isinstance(head, Head)
    settings = head.settings
    if settings.aligned:
        settings = replace(settings, center_weight=outcome.center_weight)
    record = {
        "c2v": __version__,
        "torch": torch.__version__,
        **facts,
        **planned.as_dict(),
        "before": outcome.before,
        "after": outcome.after,
        "best_epoch": outcome.best_epoch,
        "seconds": round(outcome.seconds, 3),
        "logit_scale": float(trainee.log_scale.detach().exp()),
        "history": outcome.history,
    }
    document = json.dumps(record, indent=1) + "\n"
    write_text(run.folder / METRICS_NAME, document)
    towers = None
    if planned.recipe.train == "all":
        from c2v.training.towers import tower_state

        towers = tower_state(trainee)
    return save_bundle(
        run.name, parent=bundle, head=settings, head_state=head.state_dict(), towers=towers,
        documents={METRICS_NAME: document}, source=f"fine-tuned from {bundle.name}",
        overwrite=run.overwrite or run.resume,
    )  # fmt: skip

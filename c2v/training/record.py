"""What a run leaves behind: the bundle, and how it came about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253

from c2v import __version__
from c2v.encoder.bundle import Bundle
from c2v.encoder.heads.base import HeadModule
from c2v.encoder.trained_bundle import save_bundle
from c2v.evaluation.captions import Captions
from c2v.files.writing import write_file
from c2v.training.choices import Planned
from c2v.training.material import Gathered
from c2v.training.outcome import Outcome
from c2v.training.trainee import Trainee

METRICS_NAME = "metrics.json"


def identity(
    bundle: Bundle, given: Gathered, planned: Planned, everyday: Sequence[str] = ()
) -> str:
    """What a checkpoint has to agree with: data, features, start, settings, what is guarded."""
    frames = hashlib.blake2b(digest_size=8)
    for segments in given.stored.segments:
        for features in segments:
            frames.update(np.ascontiguousarray(features).tobytes())
    pairs, material = given.pairs, given.material
    names = [Path(path).name for path in pairs.videos]
    content: Sequence[Any] = (
        bundle.fingerprint,
        names,
        pairs.texts,
        pairs.owner,
        list(material.train),
        list(material.held_back),
        frames.hexdigest(),
        planned.as_dict(),
        list(everyday),
    )
    encoded = json.dumps(content, sort_keys=True).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def save(
    name: str,
    folder: Path,
    *,
    parent: Bundle,
    trainee: Trainee,
    planned: Planned,
    outcome: Outcome,
    data: dict[str, Any],
    overwrite: bool,
) -> Path:
    """Write the bundle, with a record of data, settings, seed and metrics; returns its folder."""
    head = trainee.module.get_submodule("head")
    assert isinstance(head, HeadModule)
    settings = head.settings
    if settings.aligned or settings.interacts:
        settings = replace(settings, center_weight=outcome.center_weight)
    record = {
        "c2v": __version__,
        "torch": torch.__version__,
        "data": data,
        "parent": {"name": parent.name, "fingerprint": parent.fingerprint},
        **planned.as_dict(),
        "before": outcome.before,
        "after": outcome.after,
        "best_epoch": outcome.best_epoch,
        "choice": None if outcome.choice is None else outcome.choice.as_dict(),
        "seconds": round(outcome.seconds, 3),
        "logit_scale": float(trainee.log_scale.detach().exp()),
        "history": outcome.history,
    }
    document = json.dumps(record, indent=1) + "\n"
    write_file(folder / METRICS_NAME, document)
    towers = None
    if planned.recipe.train == "all":
        from c2v.training.towers import tower_state

        towers = tower_state(trainee)
    return save_bundle(
        name,
        parent=parent,
        head=settings,
        head_state=head.state_dict(),
        towers=towers,
        documents={METRICS_NAME: document},
        source=f"fine-tuned from {parent.name}",
        overwrite=overwrite,
    )


def facts(captions: Captions, given: Gathered) -> dict[str, Any]:
    """What was learnt from."""
    return {
        "file": captions.file.name,
        "digest": captions.digest,
        "pairs": len(given.pairs.texts),
        "videos": len(given.material.train),
        "held_back": len(given.material.held_back),
        "missing": len(given.missing),
    }

"""An encoder with other settings around the same weights, as a bundle of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import BundlePart, Calibration, HubConfig, QuestionConfig
from c2v.encoder.hubs import HUBS_NAME, bank_tensors
from c2v.encoder.names import check_bundle_name
from c2v.encoder.registry import bundle_folder
from c2v.encoder.sealing import bundle_draft, link_or_copy, seal_bundle
from c2v.encoder.tensors import write_tensors

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What stands around the weights of an encoder."""

    hubs: HubConfig | None
    bank: NDArray[np.float32] | None
    """Sentence features [S, D] of the hub bias; None keeps the parent's, if ``hubs`` is given."""
    questions: QuestionConfig | None
    calibration: Calibration | None


def save_tuned(
    name: str,
    *,
    parent: Bundle,
    settings: Surroundings,
    documents: Mapping[str, str],
    overwrite: bool = False,
) -> Path:
    """Write ``parent`` with other settings; its files are shared (hard links where there are any).

    Args:
        name: what the bundle will be called.
        parent: an encoder of any kind.
        settings: what takes the place of the parent's.
        documents: other files to keep with it, name to content.
        overwrite: replace a bundle of that name.

    Returns:
        The folder of the bundle.

    Raises:
        ModelError: the name is taken. Nothing is left half-written.
        UsageError: the name cannot be one.
    """
    config = parent.config
    with bundle_draft(bundle_folder(check_bundle_name(name)), overwrite=overwrite) as draft:
        parts: dict[str, BundlePart] = {}
        own_bank = settings.hubs is not None and settings.bank is None
        for file, record in config.files.items():
            if file not in documents and (file != HUBS_NAME or own_bank):
                link_or_copy(parent.directory / file, draft / file)
                parts[file] = record.part
        if settings.hubs is not None and settings.bank is not None:
            write_tensors(draft / HUBS_NAME, bank_tensors(settings.bank))
            parts[HUBS_NAME] = "head"
        for file, content in documents.items():
            (draft / file).write_text(content, encoding="utf-8")
            parts[file] = "other"
        seal_bundle(
            draft,
            name=name,
            feature_dim=config.feature_dim,
            vector_dim=config.head_dim + (settings.hubs is not None),
            image=config.image,
            text=config.text,
            head=config.head,
            parts=parts,
            source=f"{config.source}; tuned from {parent.name}",
            licence=config.licence,
            hubs=settings.hubs,
            questions=settings.questions,
            calibration=settings.calibration,
        )
    return bundle_folder(name)

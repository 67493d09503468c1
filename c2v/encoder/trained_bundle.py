"""A fine-tuned encoder as a bundle of its own, beside the one it was trained from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from c2v.encoder.bundle_config import BundlePart, HeadConfig
from c2v.encoder.clip_bundle import (
    HEAD_NAME,
    IMAGE_NAME,
    ORIGIN_NAME,
    TEXT_NAME,
    check_tower_tensors,
    dtype_names,
    split_towers,
    to_numpy,
)
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.hubs import HUBS_NAME
from c2v.encoder.logits import EXTRA_NAME
from c2v.encoder.names import check_bundle_name
from c2v.encoder.registry import bundle_folder
from c2v.encoder.sealing import bundle_draft, link_or_copy, seal_bundle
from c2v.encoder.tensors import write_tensors
from c2v.encoder.text.json_tokenizer import PIECES_NAME, STEPS_NAME
from c2v.errors import ModelError

_BESIDE_TOWERS: Final = (EXTRA_NAME, STEPS_NAME, PIECES_NAME)

if TYPE_CHECKING:
    import torch

    from c2v.encoder.bundle import Bundle


def save_bundle(
    name: str,
    *,
    parent: Bundle,
    head: HeadSettings,
    head_state: Mapping[str, torch.Tensor | NDArray[Any]],
    towers: Mapping[str, torch.Tensor] | None = None,
    documents: Mapping[str, str] | None = None,
    source: str = "",
    overwrite: bool = False,
) -> Path:
    """Write ``parent`` with a new head, and new towers where they were trained.

    Towers that were not trained share the parent's files on disk (hard links where the file
    system has them), and the frame features of a library stay valid. How the parent puts questions
    stays, and its hub bias where the text side of the head takes the bank's sentence features and
    the text tower still gives them; what makes confidences of its scores does not.

    Args:
        name: what the bundle will be called.
        parent: the bundle the training started from.
        head: the settings of the head.
        head_state: its weights under their official names (empty for ``meanP``).
        towers: weights of both towers under open_clip's names, or ``None`` if none was trained.
        documents: other files to keep with it, name to content (``metrics.json``, ...).
        source: where it comes from, by default the parent.
        overwrite: replace a bundle of that name.

    Returns:
        The folder of the bundle.

    Raises:
        ModelError: the name is taken, or weights do not fit. Nothing is left half-written.
        UsageError: the name cannot be one.
    """
    config = parent.config
    if head.feature_dim != config.feature_dim:
        raise ModelError(
            f"the head takes features of {head.feature_dim}, {parent.name} makes "
            f"{config.feature_dim}"
        )
    target = bundle_folder(check_bundle_name(name))
    # The bank of the hub bias is features of the text tower; a head that takes one feature a text
    # makes vectors of them.
    hubs = config.hubs if towers is None and not head.reads_words else None
    kept = _BESIDE_TOWERS if hubs is None else (*_BESIDE_TOWERS, HUBS_NAME)
    with bundle_draft(target, overwrite=overwrite) as draft:
        parts: dict[str, BundlePart] = {}
        for file, record in config.files.items():
            if record.part in ("image", "text") or file in kept:
                link_or_copy(parent.directory / file, draft / file)
                parts[file] = record.part
        if towers is not None:
            _replace_towers(draft, parts, parent, towers)
        if head_state:
            arrays = {key: to_numpy(value) for key, value in head_state.items()}
            write_tensors(draft / HEAD_NAME, arrays)
            parts[HEAD_NAME] = "head"
        origin = {"order": [], "towers": {}, "head": dtype_names(head_state)}
        extra = {ORIGIN_NAME: json.dumps(origin, indent=1) + "\n"} | dict(documents or {})
        for file, content in extra.items():
            (draft / file).write_text(content, encoding="utf-8")
            parts[file] = "other"
        described = head.as_dict()
        seal_bundle(
            draft,
            name=name,
            feature_dim=config.feature_dim,
            vector_dim=head.vector_dim + (hubs is not None),
            image=config.image,
            text=config.text,
            head=HeadConfig(described.pop("type"), described),
            parts=parts,
            source=source or f"fine-tuned from {parent.name}",
            licence=config.licence,
            hubs=hubs,
            questions=config.questions,
        )
    return target


def _replace_towers(
    draft: Path, parts: dict[str, BundlePart], parent: Bundle, towers: Mapping[str, torch.Tensor]
) -> None:
    """Put trained towers in the place of the linked ones."""
    if parent.config.image.family != "open_clip" or parent.config.text.family != "clip":
        raise ModelError(f"the towers of {parent.name} cannot be trained")
    visual, textual, extra = split_towers(towers)
    check_tower_tensors(parent.config.image, parent.config.text, visual, textual)
    parts[EXTRA_NAME] = "other"
    for file, tensors in ((IMAGE_NAME, visual), (TEXT_NAME, textual), (EXTRA_NAME, extra)):
        # A new file, never written through the link into the parent's.
        (draft / file).unlink(missing_ok=True)
        write_tensors(draft / file, tensors)

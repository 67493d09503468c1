"""A bundle back to a checkpoint in the official layout: bitwise what was imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import BundleConfig
from c2v.encoder.clip_bundle import (
    HEAD_NAME,
    IMAGE_NAME,
    ORIGIN_NAME,
    TEXT_NAME,
    join_towers,
)
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.logits import EXTRA_NAME
from c2v.encoder.sources.official.keys import CLIP_PREFIX, join_official
from c2v.encoder.tensors import read_tensors
from c2v.errors import ModelError
from c2v.files.drafts import output_draft
from c2v.files.reading import parse_json, read_plain


def write_official(directory: Path, config: BundleConfig, file: Path) -> None:
    """Write a bundle in the official layout, tensor for tensor in the types they had.

    Args:
        directory: the folder of the bundle.
        config: what stands in its ``config.json``.
        file: ``.safetensors``, or anything else for ``torch.save``.

    Raises:
        ModelError: its towers have no official layout, a file of it is damaged, or the new one
            cannot be written.
    """
    is_clip = config.text.family == "clip" and config.text.tokenizer == "clip_bpe"
    if config.image.family != "open_clip" or not is_clip:
        raise ModelError(
            f"{config.name} is not a CLIP model: it has no official layout",
            hint=f"its weights are in {directory}",
        )
    if config.head.type == "wti":
        raise ModelError(
            f"{config.name} has a wti head, which has no official layout",
            hint=f"its weights are in {directory}",
        )
    origin = _read_origin(directory / ORIGIN_NAME)
    towers = join_towers(
        read_tensors(directory / IMAGE_NAME),
        read_tensors(directory / TEXT_NAME),
        read_tensors(directory / EXTRA_NAME),
    )
    head = read_tensors(directory / HEAD_NAME) if HEAD_NAME in config.files else {}
    settings = HeadSettings.from_dict({"type": config.head.type, **config.head.settings})
    state = join_official(towers, head, settings)
    kinds = {CLIP_PREFIX + key: kind for key, kind in origin["towers"].items()} | origin["head"]
    order = [key for key in origin["order"] if key in state]
    ordered = {key: state[key] for key in [*order, *(set(state) - set(order))]}
    _save(ordered, kinds, file)


def _save(state: Mapping[str, NDArray[Any]], kinds: Mapping[str, str], file: Path) -> None:
    """Cast each array back to the type it had and write all, by way of a temporary name."""
    import torch

    tensors = {
        key: torch.from_numpy(np.array(value)).to(getattr(torch, kinds.get(key, "float32")))
        for key, value in state.items()
    }
    try:
        with output_draft(file) as draft:
            if file.suffix == ".safetensors":
                from safetensors.torch import save_file

                save_file(tensors, str(draft))
                draft.chmod(0o644)  # the library makes private files; weights are no secret
            else:
                torch.save(tensors, draft)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(
            f"{file} cannot be written: {reason}", hint="c2v model export NAME FILE"
        ) from error


def _read_origin(path: Path) -> dict[str, Any]:
    """Types and order of the weights as they were in the file that was imported."""
    try:
        origin = parse_json(read_plain(path).decode("utf-8"))
        order, towers, head = origin["order"], origin["towers"], origin["head"]
        kinds = [*towers.values(), *head.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read: {error}", hint="c2v model list") from error
    if not all(isinstance(name, str) for name in (*order, *kinds)):
        raise ModelError(f"{path} cannot be read: it is no list of names", hint="c2v model list")
    return {"order": order, "towers": towers, "head": head}

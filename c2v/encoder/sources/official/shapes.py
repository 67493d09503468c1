"""Every tensor of a checkpoint has the shape that its place in the model asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch  # noqa: TID253

from c2v.encoder.heads.build import new_head
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.sources.official.key_names import CLIP_PREFIX, Shaped
from c2v.encoder.towers.clip_torch import Clip, ClipShape
from c2v.errors import ModelError


def check_shapes(state: Mapping[str, Shaped], clip: Mapping[str, Any], head: HeadSettings) -> None:
    """Compare with modules of these sizes, made without memory.

    Raises:
        ModelError: a shape differs; the key is named.
    """
    with torch.device("meta"):
        towers = Clip(ClipShape(**clip)).state_dict()
        wanted = {CLIP_PREFIX + name: weight for name, weight in towers.items()}
        wanted |= new_head(head).state_dict()
    for name, weight in wanted.items():
        if tuple(state[name].shape) != tuple(weight.shape):
            raise ModelError(
                f"{name!r} has shape {tuple(state[name].shape)}, not {tuple(weight.shape)}",
                hint="the sizes of a checkpoint come from its other tensors",
            )

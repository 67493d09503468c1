"""The state dict inside a training checkpoint, and its keys without what trainers put before them.

open_clip's ``epoch_N.pt``, Lightning's ``.ckpt``, DeepSpeed's and plain ``{"model": ...}`` files
keep the weights under a key of their own; DistributedDataParallel, torch.compile and Lightning
modules put ``module.``, ``_orig_mod.`` or the name of an attribute before every key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from c2v.errors import ModelError

_INSIDE: Final = ("state_dict", "model_state_dict", "model", "module", "weights")
_DEEPEST: Final = 4
_COMPILED: Final = "_orig_mod."
_CLIP: Final = "clip."
# A key of every image tower that c2v reads: a ViT's or ResNet's first layer, timm's trunk.
_TOWER: Final = re.compile(r"(?P<before>.*\.)?visual\.(conv1\.weight|trunk\..*)")
_LIGHTNING: Final = ("pytorch-lightning_version", "lightning_version")
_OPTIMISER: Final = ("optimizer_state_dict", "optimizer", "optimizer_states")

Value = TypeVar("Value")


def state_inside(content: object, path: Path) -> Mapping[Any, Any]:
    """The mapping of names to tensors that a file holds, wherever in it; keys are made bare.

    Raises:
        ModelError: there is none, or its keys are of several models.
    """
    outer = content
    for _ in range(_DEEPEST):
        if not isinstance(content, Mapping):
            break
        inner = (content.get(key) for key in _INSIDE)
        found = next((value for value in inner if isinstance(value, Mapping)), None)
        if found is None:
            break
        content = found
    if not isinstance(content, Mapping) or not content:
        raise ModelError(
            f"{path} holds no state dict (a mapping of names to tensors)",
            hint="save the model's state dict: torch.save(model.state_dict(), FILE)",
        )
    if not any(key in content for key in _INSIDE) and any(key in content for key in _OPTIMISER):
        raise ModelError(
            f"{path} is the optimiser's file (pytorch_opt.bin.N), not the model's",
            hint="give pytorch_model.bin.N",
        )
    if not all(isinstance(key, str) for key in content):
        return content
    lightning = isinstance(outer, Mapping) and any(key in outer for key in _LIGHTNING)
    return bare_keys(content, path, lightning=lightning)


def bare_keys(
    state: Mapping[str, Value], path: Path, *, lightning: bool = False
) -> dict[str, Value]:
    """Keys without the prefix that all of them share because of a wrapper.

    ``clip.`` before the towers belongs to CLIP2Video's and CLIP4Clip's layout and stays. In a
    Lightning checkpoint where it stands before every key it is the name of an attribute.

    >>> list(bare_keys({"module.visual.conv1.weight": 1, "module.logit_scale": 2}, Path("a.pt")))
    ['visual.conv1.weight', 'logit_scale']

    Raises:
        ModelError: the towers stand in it several times, or something else stands beside them.
    """
    state = {key.replace(_COMPILED, ""): value for key, value in state.items()}
    matches = (_TOWER.fullmatch(key) for key in state)
    prefixes = {_wrapper(match["before"] or "") for match in matches if match}
    if len(prefixes) > 1:
        shown = ", ".join(f"{prefix}visual" for prefix in sorted(prefixes))
        raise ModelError(
            f"{path} holds the weights of several models: {shown}",
            hint="save the state dict of one of them alone",
        )
    prefix = next(iter(prefixes), "")
    if lightning and not prefix and all(key.startswith(_CLIP) for key in state):
        prefix = _CLIP
    beside = [key for key in state if not key.startswith(prefix)]
    if beside:
        raise ModelError(
            f"{path} holds {', '.join(sorted(beside)[:3])} beside the model under {prefix!r}",
            hint="save the state dict of that model alone",
        )
    return {key.removeprefix(prefix): value for key, value in state.items()}


def _wrapper(before: str) -> str:
    """What stands before the towers, without the part that is the official layout's."""
    return before.removesuffix(_CLIP) if before == _CLIP or before.endswith("." + _CLIP) else before

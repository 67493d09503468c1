"""Weight files from strangers: read without ever running what is inside."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch  # noqa: TID253
from safetensors import SafetensorError  # noqa: TID253
from safetensors.torch import load_file  # noqa: TID253
from torch import Tensor  # noqa: TID253

from c2v.errors import ModelError

_HINT = "download the file again, or save its state dict as .safetensors"


def load_state(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a `.pt`, `.bin`, `.bin.N` or `.safetensors` file, on the CPU.

    The kind is told by the content, not by the name. Pickles are read with `weights_only=True`:
    one that holds anything but tensors and plain containers is refused, as are TorchScript
    archives (OpenAI's original CLIP files) and files of the optimiser.
    """
    path = Path(os.path.expanduser(path))  # noqa: PTH111 - it leaves ~nobody alone
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    state = _load_safetensors(path) if _is_safetensors(head) else _load_pickle(path)
    return _checked(state, path)


def _is_safetensors(head: bytes) -> bool:
    """Eight bytes of header length, then JSON."""
    return len(head) > 8 and head[8:9] == b"{"


def _load_safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, json.JSONDecodeError, OSError, ValueError) as error:
        raise ModelError(f"{path} is a damaged safetensors file: {error}", hint=_HINT) from error


def _load_pickle(path: Path) -> object:
    if _is_torchscript(path):
        raise ModelError(
            f"{path} is a TorchScript archive, not a state dict",
            hint="OpenAI's CLIP comes through: c2v model pull ViT-B-32",
        )
    try:
        loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{path} holds more than weights (or is damaged) and was not loaded: {reason}",
            hint=_HINT,
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path} is damaged: {reason}", hint=_HINT) from error
    return loaded


def _is_torchscript(path: Path) -> bool:
    """A zip with code in it; torch.save writes `data.pkl` alone."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return any(name.endswith("constants.pkl") or "/code/" in name for name in names)


def _checked(state: object, path: Path) -> dict[str, Tensor]:
    if isinstance(state, Mapping) and "optimizer_state_dict" in state:
        raise ModelError(
            f"{path} is the optimiser's file (pytorch_opt.bin.N), not the model's",
            hint="give pytorch_model.bin.N",
        )
    if not isinstance(state, Mapping) or not state:
        raise ModelError(f"{path} holds no state dict (a mapping of names to tensors)")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ModelError(
                f"{path} is not a plain state dict: {name!r} is a {type(value).__name__}",
                hint="save model.state_dict() itself, not a training checkpoint around it",
            )
    return dict(state)

"""Weight files from strangers: read without ever running what is inside."""

from __future__ import annotations

import json
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch  # noqa: TID253
from safetensors import SafetensorError  # noqa: TID253
from safetensors.torch import load_file  # noqa: TID253
from torch import Tensor  # noqa: TID253

from c2v.encoder.sources.shells import Shell, read_with_shells
from c2v.encoder.sources.wrappings import state_inside
from c2v.errors import ModelError
from c2v.files.reading import open_plain

_HINT = "download the file again, or save its state dict as .safetensors"
_ALONE = "save the model's state dict alone: torch.save(model.state_dict(), FILE)"
_FOREIGN = re.compile(r"GLOBAL ([\w.]+)")
_DTYPES = frozenset(
    {
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    }
)


def load_state(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a `.pt`, `.bin`, `.bin.N`, `.ckpt` or `.safetensors` file, on the CPU.

    The kind is told by the content, not by the name. Nothing in a pickle is ever run: it is read
    with `weights_only=True`, and where it holds more than tensors and plain containers with
    :func:`~c2v.encoder.sources.shells.read_with_shells`. A state dict inside a training checkpoint
    is found, and its keys lose what a wrapper put before them.

    Raises:
        ModelError: the file cannot be read or is damaged, is a TorchScript archive (OpenAI's
            original CLIP files) or the optimiser's, or holds no state dict.
    """
    path = Path(os.path.expanduser(path))  # noqa: PTH111 - it leaves ~nobody alone
    try:
        with open_plain(path) as file:
            head = file.read(16)
    except OSError as error:
        raise ModelError(
            f"cannot read {path}: {error.strerror or error}", hint="check the path"
        ) from error
    content = _load_safetensors(path) if _is_safetensors(head) else _load_pickle(path)
    if isinstance(content, Shell):
        raise ModelError(f"{path} holds a pickled {content.origin}, not weights", hint=_ALONE)
    return _checked(state_inside(content, path), path)


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice to whoever calls torch
            loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a parser's on a stranger's bytes: it lets all kinds through
        foreign = _FOREIGN.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if foreign is None:
            raise ModelError(f"{path} is damaged: {_reason(error)}", hint=_HINT) from error
        loaded = _load_without(path, foreign[1])
    return loaded


def _load_without(path: Path, foreign: str) -> object:
    """A pickle that names ``foreign`` objects, without them."""
    if not zipfile.is_zipfile(path):  # the format before PyTorch 1.6
        raise ModelError(f"{path} holds more than weights: {foreign}", hint=_ALONE)
    try:
        return read_with_shells(path)
    except Exception as error:
        raise ModelError(
            f"{path} holds more than weights ({foreign}) and cannot be read without it: "
            f"{_reason(error)}",
            hint=_ALONE,
        ) from error


def _reason(error: Exception) -> str:
    """The first line of what a library says, without its advice."""
    lines = str(error).strip().splitlines()
    inner = next((line for line in lines if "WeightsUnpickler error: " in line), None)
    if inner is not None:
        return inner.partition("WeightsUnpickler error: ")[2].strip().rstrip(".")
    return lines[0] if lines and "weights_only" not in lines[0] else type(error).__name__


def _is_torchscript(path: Path) -> bool:
    """A zip with code in it; torch.save writes `data.pkl` alone."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return any(name.endswith("constants.pkl") or "/code/" in name for name in names)


def _checked(state: Mapping[object, object], path: Path) -> dict[str, Tensor]:
    """Names and tensors of kinds a bundle can hold, and nothing else."""
    checked: dict[str, Tensor] = {}
    for name, value in state.items():
        if isinstance(name, str) and isinstance(value, Tensor):
            if value.layout is not torch.strided or value.dtype not in _DTYPES:
                kind = f"{value.dtype} {value.layout}".replace("torch.", "")
                raise ModelError(f"{path}: {name} is of a kind c2v does not read ({kind})")
            checked[name] = value
            continue
        more = isinstance(value, Shell)
        kind = value.origin if isinstance(value, Shell) else type(value).__name__
        what = "holds more than weights" if more else "is not a plain state dict"
        raise ModelError(f"{path} {what}: {name!r} is a {kind}", hint=_ALONE)
    return checked

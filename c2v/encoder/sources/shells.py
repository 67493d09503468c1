"""A training checkpoint's tensors, with an empty shell in the place of every object around them.

Checkpoints keep weights beside whatever the training had at hand: command lines, settings,
schedulers. ``torch.load(weights_only=True)`` rightly refuses them. Here the pickle is read with an
unpickler of our own that knows tensors and plain containers. Any other class or function that the
file names is replaced by a shell that takes everything and does nothing, so none of them is
imported or called.
"""

from __future__ import annotations

import collections
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch  # noqa: TID253
from torch import Tensor  # noqa: TID253

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Shell:
    """An object of a foreign class, without anything in it. ``origin`` is what it stood for."""

    origin = ""

    def __new__(cls, *_arguments: Any, **_options: Any) -> Shell:
        return object.__new__(cls)

    def __init__(self, *_arguments: Any, **_options: Any) -> None: ...
    def __call__(self, *_arguments: Any, **_options: Any) -> Shell:
        return self

    def __setstate__(self, _state: Any) -> None: ...
    def __setitem__(self, _key: Any, _value: Any) -> None: ...
    def append(self, _value: Any) -> None: ...
    def extend(self, _values: Any) -> None: ...
    def add(self, _value: Any) -> None: ...
    def update(self, *_values: Any) -> None: ...


def read_with_shells(path: Path) -> object:
    """What an archive of ``torch.save`` holds, foreign objects emptied.

    Raises:
        ValueError: it is no such archive, or its pickle is not one that torch writes.
    """
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise ValueError("it is not an archive of torch.save")
        root = names[0].removesuffix("data.pkl")
        order = root + "byteorder"
        if order in archive.namelist() and archive.read(order).strip() != b"little":
            raise ValueError("it was written on a big-endian machine")
        with archive.open(names[0]) as stream:
            return _Reader(stream, archive, root).load()


class _Reader(pickle.Unpickler):
    def __init__(self, stream: Any, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(stream)
        self._archive, self._root = archive, root
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The few names that are known; a shell for any other."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        return type("Shell", (Shell,), {"origin": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Tensor:
        """The numbers of a storage, flat [n]."""
        kind, dtype, key, _location, _count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(key, str):
            raise ValueError("it holds numbers of a kind c2v does not read")
        if key not in self._storages:
            entry = self._archive.getinfo(f"{self._root}data/{key}")
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError("its numbers are packed")
            content = bytearray(self._archive.read(entry))
            empty = torch.empty(0, dtype=dtype)
            self._storages[key] = torch.frombuffer(content, dtype=dtype) if content else empty
        return self._storages[key]


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_rest: Any) -> Tensor:
    """A view into a storage; torch refuses one that reaches beyond it."""
    if not isinstance(storage, Tensor):
        raise ValueError("it holds a tensor without numbers")
    return torch.as_strided(storage, tuple(size), tuple(stride), offset)


def _parameter(data: Any, *_rest: Any) -> Any:
    return data

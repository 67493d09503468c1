"""Named arrays in safetensors files, memory-mapped.

Reading needs NumPy alone and copies nothing: a text query touches only the rows and blocks it
needs, so 250 MB of weights cost milliseconds, not a load. (``safetensors.numpy`` copies.)
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.errors import ModelError
from c2v.files.reading import open_plain, parse_json

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}
_MAX_HEADER_BYTES = 100_000_000  # the limit of the format's own reader


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Read-only views [as stored] into a memory-mapped safetensors file.

    Raises:
        ModelError: the file is absent, cut short, damaged, or holds a type NumPy lacks (bfloat16).
    """
    content = _mapped(path)
    try:
        header, start = _header(content)
        return {name: _view(content, start, entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _damaged(path, error) from error


def has_numpy_types(path: Path) -> bool:
    """Whether :func:`read_tensors` knows every type in a safetensors file; reads its header alone.

    Raises:
        ModelError: the file is absent, cut short or damaged.
    """
    content = _mapped(path)
    try:
        return all(entry["dtype"] in _DTYPES for entry in _header(content)[0].values())
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _damaged(path, error) from error
    finally:
        content.close()


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: eight bytes of header length, then JSON.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with open_plain(path) as file:
            return file.read(9)[8:] == b"{"
    except OSError as error:
        raise ModelError(
            f"cannot read {path}: {error.strerror or error}", hint="check the path"
        ) from error


def _mapped(path: Path) -> mmap.mmap:
    try:
        with open_plain(path) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path} cannot be read: {reason}", hint="c2v model list") from error


def _header(content: mmap.mmap) -> tuple[dict[str, Any], int]:
    """What the file says of each tensor, and where their data begin."""
    header_bytes = int.from_bytes(content[:8], "little")
    if header_bytes > min(_MAX_HEADER_BYTES, len(content) - 8):
        raise ValueError("the header is longer than the file")
    header: dict[str, Any] = parse_json(content[8 : 8 + header_bytes].decode("utf-8"))
    header.pop("__metadata__", None)
    return header, 8 + header_bytes


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(f"{path} is not a whole safetensors file: {error}", hint="c2v model list")


def _view(content: mmap.mmap, start: int, entry: Mapping[str, Any]) -> NDArray[Any]:
    if entry["dtype"] not in _DTYPES:
        raise ValueError(f"the type {entry['dtype']} is not supported")
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    shape = tuple(entry["shape"])
    first, last = entry["data_offsets"]
    if not all(isinstance(side, int) and side >= 0 for side in shape):
        raise ValueError("a shape is no list of sizes")
    count = math.prod(shape)
    if last - first != count * dtype.itemsize:
        raise ValueError("a size does not fit its shape")
    return np.frombuffer(content, dtype, count, start + first).reshape(shape)


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as safetensors; names and types are kept."""
    from safetensors.numpy import save_file

    # A zero-dimensional array must stay one: ascontiguousarray would make it [1].
    save_file({name: np.asarray(value, order="C") for name, value in tensors.items()}, str(path))
    path.chmod(0o644)  # the library makes private files; weights are no secret


def tensor_shapes(tensors: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    """Name to shape, for :func:`c2v.encoder.towers.require_keys`."""
    return {name: tuple(value.shape) for name, value in tensors.items()}

"""Weight files that are read without PyTorch: safetensors of types that NumPy knows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from c2v.encoder.sources.wrappings import state_inside
from c2v.encoder.tensors import has_numpy_types, read_tensors
from c2v.errors import ModelError
from c2v.files.reading import open_plain


def light_state(path: Path) -> dict[str, NDArray[Any]] | None:
    """The state dict in a safetensors file, memory-mapped, its keys without what a wrapper put
    before them; None of any other file, and where it holds types of PyTorch alone (bfloat16).

    Raises:
        ModelError: the file cannot be read or is damaged.
    """
    path = Path(os.path.expanduser(path))  # noqa: PTH111 - it leaves ~nobody alone
    try:
        with open_plain(path) as file:
            head = file.read(16)
    except OSError as error:
        raise ModelError(
            f"cannot read {path}: {error.strerror or error}", hint="check the path"
        ) from error
    if head[8:9] != b"{":  # eight bytes of its length, then the header: JSON
        return None
    try:
        if not has_numpy_types(path):
            return None
        return dict(state_inside(read_tensors(path), path))
    except ModelError as error:
        raise ModelError(
            error.message, hint="download the file again, or save its state dict as .safetensors"
        ) from error

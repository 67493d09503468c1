"""What a run needs to go on, on disk: whole or not there, whenever the power goes."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch  # noqa: TID253

from c2v.errors import DataError

FORMAT = 1


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write beside, sync, rename. ``content`` is tensors and plain values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            torch.save({"format": FORMAT, **content}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def remove_drafts(folder: Path) -> None:
    """What a run that was killed while it wrote has left: hundreds of megabytes each."""
    for draft in folder.glob(".*.pt.*"):
        draft.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read it back; nothing in the file can run code.

    Raises:
        DataError: it is damaged or of another format.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(
            f"the checkpoint {path} cannot be read: {error}", hint="start afresh with --overwrite"
        ) from error
    if content.get("format") != FORMAT:
        raise DataError(
            f"the checkpoint {path} is of another version of c2v",
            hint="start afresh with --overwrite",
        )
    return content


def write_text(path: Path, text: str) -> None:
    """A small file, as safely."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # a folder cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

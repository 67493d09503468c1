"""What a run needs to go on, on disk: whole or not there, whenever the power goes."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch  # noqa: TID253

from c2v.errors import DataError
from c2v.files.drafts import file_draft, settle

CHECKPOINT_FORMAT = 1


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write beside, sync, rename. ``content`` is tensors and plain values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with file_draft(path) as draft:
        torch.save({"format": CHECKPOINT_FORMAT, **content}, draft)


def remove_drafts(folder: Path) -> None:
    """What a run that was killed while it wrote has left: hundreds of megabytes each."""
    settle(folder)
    # Versions of c2v without working folders put the number of their process behind the name.
    for draft in folder.glob(".*.pt.*"):
        if _ended(draft.suffix[1:]):
            draft.unlink(missing_ok=True)


def _ended(process: str) -> bool:
    """Whether there is no process of that number; on Windows asking would end it."""
    if os.name == "nt" or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read it back; nothing in the file can run code.

    Raises:
        DataError: it is damaged or of another format.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        # What torch says of it is advice to whoever calls torch.
        raise _unreadable(path, "it is damaged, or no checkpoint of c2v") from error
    if content.get("format") != CHECKPOINT_FORMAT:
        raise DataError(
            f"the checkpoint {path} is of another version of c2v",
            hint="start afresh with --overwrite",
        )
    return content


def _unreadable(path: Path, reason: str) -> DataError:
    return DataError(
        f"the checkpoint {path} cannot be read: {reason}", hint="start afresh with --overwrite"
    )

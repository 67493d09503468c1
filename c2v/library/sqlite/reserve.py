"""Room on the disk: what is kept for the worst case, and what there is.

Nothing of it is imported while searching.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage
from tempfile import gettempdir

from c2v.files.writing import replacing

RESERVE_NAME = "reserve"
_RESERVE_BYTES = 256 << 10
"""Shared memory and log of a small removal."""


def keep_reserve(folder: Path) -> None:
    """Have a file of zeros, unless the disk is nearly full: then it is somebody else's turn."""
    path = folder / RESERVE_NAME
    with suppress(OSError):
        if not path.exists() and _free_bytes(folder) > 2 * _RESERVE_BYTES:
            with replacing(path) as file:
                file.write(bytes(_RESERVE_BYTES))


def give_up_reserve(folder: Path) -> None:
    """Delete that file, so that something can be removed; what cannot be deleted makes no room."""
    with suppress(OSError):
        (folder / RESERVE_NAME).unlink(missing_ok=True)


def room_to_copy(folder: Path) -> int:
    """Bytes that SQLite can write anew: beside the old file, by way of its temporary files.

    None where there is no folder for temporary files: then it cannot be done.
    """
    try:
        return min(_free_bytes(folder), _free_bytes(gettempdir()))
    except OSError:
        return 0


def _free_bytes(folder: str | os.PathLike[str]) -> int:
    return disk_usage(folder).free

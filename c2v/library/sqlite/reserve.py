"""Room on the disk: what is kept for the worst case, and what there is."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from c2v.files.writing import replacing

_RESERVE_BYTES = 256 << 10
"""Shared memory and log of a small removal."""


class Reserve:
    """A file of zeros, given up when no room is left, so that something can still be removed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reserve"

    def keep(self) -> None:
        """Have it, unless the disk is nearly full: then it is somebody else's turn."""
        with suppress(OSError):
            if not self._path.exists() and free_bytes(self._path.parent) > 2 * _RESERVE_BYTES:
                with replacing(self._path) as file:
                    file.write(bytes(_RESERVE_BYTES))

    def give_up(self) -> None:
        """Delete it; what cannot be deleted makes no room."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def free_bytes(folder: str | os.PathLike[str]) -> int:
    """Room on the disk of ``folder``.

    Raises:
        OSError: it cannot be told.
    """
    from shutil import disk_usage  # not while searching: it brings three compressors

    return disk_usage(folder).free


def room_to_copy(folder: Path) -> int:
    """Bytes that SQLite can write anew: beside the old file, by way of its temporary files.

    None where there is no folder for temporary files: then it cannot be done.
    """
    from tempfile import gettempdir  # not while searching: it costs milliseconds

    try:
        return min(free_bytes(folder), free_bytes(gettempdir()))
    except OSError:
        return 0

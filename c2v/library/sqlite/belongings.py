"""Which files of a folder are those of its library, and how they are deleted: they and no others.

Somebody may keep a library in a folder with files, and folders called ``cache``, of their own.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from c2v.errors import C2VError
from c2v.library.sqlite.caches import CACHE_FOLDER
from c2v.library.sqlite.glance import DATABASE_NAME
from c2v.library.sqlite.lock import CACHE_LOCK, WRITER_LOCK, FileLock
from c2v.library.sqlite.reserve import RESERVE_NAME

_LOCKS = (WRITER_LOCK, CACHE_LOCK)
_IN_CACHE = ("matrix*", "hnsw-*")
_BESIDE = (f"{DATABASE_NAME}-*", f"{RESERVE_NAME}*")


def own_files(folder: Path) -> list[Path]:
    """The files of a library, in the order in which they can be deleted: the database last."""
    cache = folder / CACHE_FOLDER
    found = [path for pattern in _IN_CACHE for path in sorted(cache.glob(pattern))]
    found += [path for pattern in _BESIDE for path in sorted(folder.glob(pattern))]
    found += [folder / name for name in (*_LOCKS, DATABASE_NAME)]
    return [path for path in found if path.is_file() and not path.is_symlink()]


def delete_library_files(folder: Path) -> int:
    """Delete a library, unless another process is changing it; how many other files stay.

    The folder goes too where nothing else is in it.

    Raises:
        LibraryError: another process is changing it.
        C2VError: a file cannot be deleted.
    """
    lock = FileLock(folder / WRITER_LOCK)
    lock.acquire()
    try:
        files = [path for path in own_files(folder) if path.name != WRITER_LOCK]
        for path in files:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise C2VError(
            f"{error.filename or folder} cannot be deleted: {error.strerror}",
            hint="check the permissions of the folder, and whether another program has it open",
        ) from error
    finally:
        lock.release()
    (folder / WRITER_LOCK).unlink(missing_ok=True)
    for place in (folder / CACHE_FOLDER, folder.resolve()):
        with suppress(OSError):  # it is not empty, or not there
            place.rmdir()
    if folder.is_symlink() and not folder.exists():
        folder.unlink()
    return sum(1 for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0

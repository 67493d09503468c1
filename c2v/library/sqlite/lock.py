"""One at a time: operating-system locks on files beside the database.

SQLite itself keeps two writers from harming the data; ``writer.lock`` keeps two whole ``c2v index``
runs from decoding the same videos, ``cache.lock`` keeps two processes from replacing the cache
files at once (a search may write them too). The kernel releases it when its holder
dies, kill -9 included, so a lock is never stale.
"""

from __future__ import annotations

import errno
import os
import time
import weakref
from contextlib import suppress
from pathlib import Path

from c2v.errors import C2VError, LibraryError, NoRoomError
from c2v.files.locks import try_lock, unlock

WRITER_LOCK = "writer.lock"
CACHE_LOCK = "cache.lock"
_POLL_SECONDS = 0.05
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
"""What file systems without locks say: NFS without its lock service, some of FUSE."""
_PID_OFFSET = 1
"""The pid of the holder is written after the byte that Windows locks (others could not read it)."""


class FileLock:
    """A lock that is taken and released many times; ``depth`` counts nested holders."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._depth = 0
        _ALL.add(self)

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._depth > 0

    def acquire(self, *, wait_seconds: float = 0.0) -> None:
        """Take the lock.

        Raises:
            LibraryError: another process keeps it that long, or there can be no lock.
            NoRoomError: there is no room for the lock file.
        """
        try:
            self.acquire_unexplained(wait_seconds=wait_seconds)
        except OSError as error:
            raise _explain(error, self._path) from error

    def acquire_unexplained(self, *, wait_seconds: float) -> None:
        """The same, but an OSError where there can be no lock: for a lock one can do without."""
        deadline = time.monotonic() + wait_seconds
        while not self.try_acquire():
            if time.monotonic() >= deadline:
                raise LibraryError(
                    f"another c2v (process {self._holder()}) is changing the library "
                    f"{self._path.parent}",
                    hint="wait until it has finished, or stop it",
                )
            time.sleep(_POLL_SECONDS)

    def try_acquire(self) -> bool:
        """Take the lock if it is free (or already ours); False when another has it.

        Raises:
            OSError: the lock file cannot be opened, e.g. on a read-only medium, or not locked.
        """
        if self._depth == 0:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                locked = try_lock(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            if not locked:
                os.close(descriptor)
                return False
            with suppress(OSError):  # a full disk: only the number in a message is lost
                os.ftruncate(descriptor, 0)
                os.lseek(descriptor, _PID_OFFSET, os.SEEK_SET)
                os.write(descriptor, str(os.getpid()).encode())
            self._descriptor = descriptor
        self._depth += 1
        return True

    def release(self) -> None:
        """Undo one ``acquire``."""
        self._depth -= 1
        if self._depth == 0 and self._descriptor is not None:
            unlock(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _holder(self) -> str:
        try:
            text = self._path.read_bytes()[_PID_OFFSET:].decode(errors="replace").strip("\0 ")
        except OSError:
            return "unknown"
        return text or "unknown"

    def forget_after_fork(self) -> None:
        """In a forked child: close our copy, or the lock would outlive the parent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._depth = None, 0


def _explain(error: OSError, path: Path) -> C2VError:
    """Why there can be no lock, in one sentence, with a hint."""
    folder = path.parent
    if error.errno in _NO_LOCKS:
        return LibraryError(
            f"the file system of {folder} has no file locks ({error.strerror}), so nothing would "
            "keep two writers apart",
            hint="mount it with locks, or keep the library on another disk: --library DIR",
        )
    if isinstance(error, IsADirectoryError):
        return LibraryError(
            f"{path} is a folder, where c2v needs a file to lock", hint=f"move it away: {path}"
        )
    if isinstance(error, FileNotFoundError):
        return LibraryError(
            f"the library folder {folder} is gone", hint="index again: c2v index PATH"
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoomError(
            f"no space left for {path}", hint="free some space and run the same command again"
        )
    return LibraryError(
        f"cannot lock {path}: {error.strerror}",
        hint="check the permissions of the file and its folder",
    )


_ALL: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_ALL):
        lock.forget_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)

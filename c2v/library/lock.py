"""One at a time: operating-system locks on files beside the database.

SQLite itself keeps two writers from harming the data; ``writer.lock`` keeps two whole ``c2v index``
runs from decoding the same videos, ``cache.lock`` keeps two processes from replacing the cache
files at once (a search may write them too). The kernel releases it when its holder
dies, kill -9 included, so a lock is never stale.
"""

from __future__ import annotations

import os
import sys
import time
import weakref
from pathlib import Path

from c2v.errors import LibraryError

WRITER_LOCK = "writer.lock"
CACHE_LOCK = "cache.lock"
_POLL_SECONDS = 0.05
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
        """Take the lock, or raise LibraryError when another process keeps it that long."""
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
            OSError: the lock file cannot be opened, e.g. on a read-only medium.
        """
        if self._depth == 0:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            if not _lock(descriptor):
                os.close(descriptor)
                return False
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
            _unlock(self._descriptor)
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


_ALL: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_ALL):
        lock.forget_after_fork()


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    # flock, not lockf: a POSIX record lock is lost as soon as any descriptor of the file is closed
    # anywhere in the process, and does not keep two libraries of one process apart.
    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    os.register_at_fork(after_in_child=_forget_all)

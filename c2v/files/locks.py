"""Locks on open files, of the operating system: they end with the process that holds them.

``flock``, not ``lockf``: a POSIX record lock is lost as soon as any descriptor of the file is
closed anywhere in the process, and does not keep two holders of one process apart.
"""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Take the lock on the first byte; False when another has it.

        Raises:
            OSError: there are no locks here.
        """
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Give back what :func:`try_lock` took."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Take the lock on the whole file; False when another has it.

        Raises:
            OSError: there are no locks here: NFS without its lock service, some of FUSE.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Give back what :func:`try_lock` took."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)

"""Files and folders that are written whole, whenever the power goes.

What is new is made in a working folder beside its target and moved there in one step. A folder
that is replaced changes places with the new one in a single system call where the system has one
(Linux, macOS). Elsewhere the old one steps aside first; a run that is killed between the two steps
leaves it in its working folder, and :func:`settle` puts it back.

A working folder belongs to a process as long as that holds the lock in it, which the kernel
releases when the process ends, kill -9 included. So what a killed run has left can be told from
what is being written at this moment, and only the first is swept.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from c2v.files.locks import try_lock
from c2v.files.writing import sync_folder

_PREFIX, _SUFFIX = ".c2v-", ".draft"
_LOCK = "owner.lock"
_NEW = "new"
_OLD = "old"
_TARGET = "target"
"""A file with the name of the folder that has stepped aside."""
_UNCLAIMED_SECONDS = 3600.0
"""A working folder without a lock is a moment old, or its owner died in that moment."""
_RETURN_SECONDS = 2.0
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}


@contextlib.contextmanager
def folder_draft(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill; it becomes ``target`` when the block ends well and vanishes otherwise.

    Raises:
        FileExistsError: there is a target, and it is not to be overwritten.
        OSError: it cannot be written; the target is what it was.
    """
    with _working_folder(target.parent) as place:
        draft = place / _NEW
        draft.mkdir()
        yield draft
        for path in draft.iterdir():
            _sync(path)
        _sync(draft)
        _publish(draft, target, place, overwrite=overwrite)
        _sync(target.parent)


@contextlib.contextmanager
def file_draft(target: Path) -> Iterator[Path]:
    """A file name to write to; what is there at the end replaces ``target`` in one step.

    Raises:
        OSError: it cannot be written; the target is what it was.
    """
    with _working_folder(target.parent) as place:
        draft = place / target.name
        yield draft
        _sync(draft)
        draft.replace(target)
        _sync(target.parent)


def remove_folder(target: Path) -> None:
    """Take a folder away in one step: it is there as a whole, or gone; a link alone goes.

    Raises:
        OSError: it cannot be moved; it is what it was.
    """
    with _working_folder(target.parent) as place:
        target.rename(place / _OLD)  # killed from here on, the next one who settles sweeps it


@contextlib.contextmanager
def output_draft(path: Path) -> Iterator[Path]:
    """What to write to for a file that a user names: a draft of it (:func:`file_draft`).

    A link stays one; what it leads to is replaced. A pipe or a device, standard output among them,
    is written to as it is.

    Raises:
        OSError: it cannot be written; a file is what it was.
    """
    if str(path).startswith(("/dev/", "/proc/")) or (path.exists() and not path.is_file()):
        yield path
        return
    with file_draft(Path(os.path.realpath(path))) as draft:
        yield draft


def settle(folder: Path) -> None:
    """Put back what a killed run moved aside in ``folder``, and sweep its drafts.

    What a living process works on is left alone, and so is everything on a medium that cannot be
    written or has no locks.
    """
    for place in _working_folders(folder):
        with _abandoned(place) as dead:
            if dead:
                with contextlib.suppress(OSError):
                    _put_back(place)
                    _remove(place)


def comes_back(target: Path) -> bool:
    """Whether a folder that is not there is one that stepped aside: then it is there again.

    A living process needs microseconds between its two steps, and is waited for.
    """
    deadline = time.monotonic() + _RETURN_SECONDS
    while any(_name_in(place) == target.name for place in _working_folders(target.parent)):
        settle(target.parent)
        if os.path.lexists(target):
            return True
        if time.monotonic() >= deadline:
            break
        time.sleep(0.01)
    return os.path.lexists(target)


@contextlib.contextmanager
def sole_owner(folder: Path) -> Iterator[bool]:
    """Whether this process alone works in ``folder`` (made where it is missing) during the block.

    A folder in which nothing was written is gone afterwards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / _LOCK
    descriptor = _claim(lock)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            _release(descriptor, lambda: _leave(folder, lock))


def _leave(folder: Path, lock: Path) -> None:
    lock.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


# -- working folders --------------------------------------------------------------------------


@contextlib.contextmanager
def _working_folder(parent: Path) -> Iterator[Path]:
    import tempfile  # not while a search starts

    settle(parent)
    descriptor = None
    while descriptor is None:  # in the moment before it was locked it may have been swept
        place = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX, dir=parent))
        descriptor = _claim(place / _LOCK)
    try:
        yield place
    finally:
        _release(descriptor, lambda: _remove(place))


def _working_folders(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - half the time of iterdir
    except OSError:
        return []
    ours = (name for name in names if name.startswith(_PREFIX) and name.endswith(_SUFFIX))
    return [folder / name for name in sorted(ours)]


def _remove(place: Path) -> None:
    """The lock last: while it is there, a killed owner is known to be one."""
    import shutil

    with contextlib.suppress(OSError):
        for path in place.iterdir():
            if path.name == _LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        (place / _LOCK).unlink(missing_ok=True)
        place.rmdir()


@contextlib.contextmanager
def _abandoned(place: Path) -> Iterator[bool]:
    """Whether the owner of a working folder is dead; nobody else can think so during the block."""
    try:
        descriptor = os.open(place / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        yield _age(place) > _UNCLAIMED_SECONDS
        return
    except OSError:
        yield False
        return
    dead = _locked(descriptor) is True
    if os.name == "nt":  # an open file cannot be deleted there
        os.close(descriptor)
        yield dead
        return
    try:
        yield dead
    finally:
        os.close(descriptor)


def _age(place: Path) -> float:
    try:
        return time.time() - place.stat().st_mtime
    except OSError:
        return 0.0


def _claim(path: Path) -> int | None:
    """A descriptor of the lock file, locked (where there are locks); None if another has it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except FileNotFoundError:
        return None
    if _locked(descriptor) is not False:
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):  # noqa: PTH121
                return descriptor
    os.close(descriptor)
    return None


def _locked(descriptor: int) -> bool | None:
    """True: taken; False: another process has it; None: there are no locks here."""
    try:
        return try_lock(descriptor)
    except OSError:
        return None


def _release(descriptor: int, clear: Callable[[], None]) -> None:
    if os.name == "nt":
        os.close(descriptor)
        clear()
        return
    clear()
    os.close(descriptor)


# -- the last step ----------------------------------------------------------------------------


def _publish(draft: Path, target: Path, place: Path, *, overwrite: bool) -> None:
    if not os.path.lexists(target):
        draft.rename(target)
        return
    if not overwrite:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    if _exchange(draft, target):
        return
    (place / _TARGET).write_bytes(os.fsencode(target.name))
    _sync(place / _TARGET)
    old = place / _OLD
    target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        old.rename(target)
        raise


def _name_in(place: Path) -> str:
    """The name of the folder that has stepped aside into this working folder, or nothing."""
    try:
        name = os.fsdecode((place / _TARGET).read_bytes())
    except OSError:
        return ""
    return name if name and os.path.basename(name) == name else ""  # noqa: PTH119


def _put_back(place: Path) -> None:
    name, old = _name_in(place), place / _OLD
    if name and os.path.lexists(old) and not os.path.lexists(place.parent / name):
        old.rename(place.parent / name)


def _exchange(first: Path, second: Path) -> bool:
    """Let two names change places in one system call; False where there is none for it."""
    import ctypes

    names = os.fsencode(first), os.fsencode(second)
    if sys.platform == "linux":
        function, at_cwd, exchange = "renameat2", -100, 2
        arguments = (at_cwd, names[0], at_cwd, names[1], exchange)
    elif sys.platform == "darwin":
        function, swap = "renamex_np", 2
        arguments = (*names, swap)
    else:
        return False
    call = getattr(ctypes.CDLL(None, use_errno=True), function, None)
    if call is None:
        return False
    if call(*arguments) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(second))


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    if path.is_dir():
        sync_folder(path)
    elif os.name != "nt":  # it syncs only what is open for writing; the rename must do
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

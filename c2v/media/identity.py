"""What a video is, whatever its name: an id made from a few pieces of its content."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from c2v.errors import ChangedError, MediaError

PIECE_BYTES = 64 * 1024

CHANGED = "changed while it was read"
DENIED = "permission denied"

_EARLIEST_NS, _LATEST_NS = -(2**63), 2**63 - 1


def modified_ns(status: os.stat_result) -> int:
    """When a file was modified, in nanoseconds since 1970, as a library can store it.

    A file system may hold times after 2262, and broken ones do: their nanoseconds are more than
    the 64 bits of SQLite's INTEGER. They become the last time that fits, the same at every look.
    """
    return max(_EARLIEST_NS, min(_LATEST_NS, status.st_mtime_ns))


@dataclass(frozen=True, slots=True)
class FileState:
    """Which file it is, and as of when: equal for two looks between which nothing happened."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileState:
        return cls(status.st_dev, status.st_ino, status.st_size, modified_ns(status))

    def is_alike(self, other: FileState) -> bool:
        """Of the same size and time, and perhaps the same: not every file system of a network, or
        of a program, keeps the number of an inode."""
        return (self.size_bytes, self.mtime_ns) == (other.size_bytes, other.mtime_ns)


@contextmanager
def held(
    path: Path, expected: FileState | None = None, *, content: str = ""
) -> Iterator[tuple[BinaryIO, FileState]]:
    """Hold a file open while it is read, by whatever means, and see that it stays what it was.

    Yields the open file and its state. The file is held, so that its inode cannot become another
    file's. ChangedError when it is not in the ``expected`` state (with the id ``content``), is
    written to, or when at the end its name is gone or another file's: what was read is then
    nobody's, or a mixture. MediaError when it cannot be opened; ChangedError when there is no such
    file (any more).
    """
    with _opened(path) as file:
        state = FileState.of(os.fstat(file.fileno()))
        if expected is not None and not _is_same(file, state, expected, content):
            raise ChangedError(CHANGED)
        try:
            yield file, state
        except Exception as error:
            # Of a file that changed under the reader, what the reader met says nothing.
            if not _is_still(state, path, file):
                raise ChangedError(CHANGED) from error
            raise
        if not _is_still(state, path, file):
            raise ChangedError(CHANGED)


def _is_same(file: BinaryIO, state: FileState, expected: FileState, content: str) -> bool:
    if state == expected:
        return True
    return state.is_alike(expected) and content_id_of(file) == content


def _is_still(state: FileState, path: Path, file: BinaryIO) -> bool:
    if FileState.of(os.fstat(file.fileno())) != state:
        return False
    try:
        if FileState.of(path.stat()) == state:
            return True
    except OSError:
        return False
    return is_named(path, state, content=content_id_of(file))


def is_named(path: Path, state: FileState, *, content: str) -> bool:
    """Whether ``path`` is the name of the file with this state and content id, still."""
    try:
        if FileState.of(path.stat()) == state:
            return True
        with _opened(path) as file:
            return _is_same(file, FileState.of(os.fstat(file.fileno())), state, content)
    except (OSError, MediaError):
        return False


def _opened(path: Path) -> BinaryIO:
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise MediaError("is a folder, not a video")
        if not stat.S_ISREG(kind):
            # Opening a pipe would wait forever.
            raise MediaError("is not a regular file")
        return path.open("rb")
    except FileNotFoundError as error:
        raise ChangedError(
            "cannot be read: there is no such file", hint="check the path"
        ) from error
    except PermissionError as error:
        raise MediaError(DENIED, hint="check the rights of the file") from error
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror or error}") from error


def content_id(path: Path) -> str:
    """Identify a file by its size and BLAKE2b of its head, middle and tail (64 KiB each).

    A renamed or moved file keeps its id, and reading it costs three short reads however long the
    film is. Files of up to 192 KiB are hashed whole.

    Returns 40 hexadecimal digits. Raises MediaError when the file cannot be read.
    """
    with held(path) as (file, _):
        return content_id_of(file)


def content_id_of(file: BinaryIO) -> str:
    """:func:`content_id` of an open file. Raises MediaError when it cannot be read."""
    digest = hashlib.blake2b(digest_size=20)
    try:
        size_bytes = os.fstat(file.fileno()).st_size
        digest.update(size_bytes.to_bytes(8, "little"))
        for offset in _offsets(size_bytes):
            file.seek(offset)
            digest.update(file.read(PIECE_BYTES))
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


def _offsets(size_bytes: int) -> tuple[int, ...]:
    """Where the pieces start; for a small file they cover it without a gap."""
    if size_bytes <= 3 * PIECE_BYTES:
        return tuple(range(0, size_bytes, PIECE_BYTES))
    return (0, size_bytes // 2 - PIECE_BYTES // 2, size_bytes - PIECE_BYTES)

"""Parts of the matrix: runs of vectors in a mapped file, in memory, or left in SQLite.

A part never changes once it is written, so a crash can leave one too many but not half a one, and
adding videos to a large library writes a small new part instead of gigabytes.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from c2v.files.writing import replacing
from c2v.library.sqlite.cachefile import UntrustedCacheError
from c2v.library.sqlite.segment_table import SegmentTable, VectorRows

_HEADER = struct.Struct("<8s16sIQ")
_MAGIC = b"c2vPART1"
_DATA_OFFSET = 4096
"""Vectors begin on a page of their own."""
BLOCK_BYTES = 1 << 20
"""One step of a scan: fits the second-level cache, so checking a block costs little more."""
_RELEASE_BYTES = 32 << 20
"""During its first scan of a part a process gives mapped pages back after this much (they stay in
the page cache): one search then needs little memory of its own. A process that scans again keeps
them, which saves a third of the time."""


def block_rows(dim: int) -> int:
    """Rows of a block; even, so that every block starts on 8 bytes."""
    return max(2, BLOCK_BYTES // (4 * dim) & ~1)


def block_sum(block: NDArray[np.float32]) -> int:
    """A checksum of a block at memory speed: its 64-bit words added modulo 2**64.

    Any change inside one word, and any zeroed or foreign sector but for one in 2**64, changes it.
    """
    words = np.ascontiguousarray(block).reshape(-1).view(np.uint32)
    even = words.size & ~1
    total = int(np.add.reduce(words[:even].view(np.uint64)))
    return (total + (int(words[-1]) if words.size > even else 0)) & 0xFFFFFFFFFFFFFFFF


class MatrixPart(Protocol):
    """Some consecutive rows of the matrix."""

    @property
    def rows(self) -> int: ...

    @property
    def file(self) -> str | None:
        """Name of the file in the cache folder; None when the rows are not on disk."""

    def blocks(self, *, stride: int) -> Iterator[NDArray[np.float32]]:
        """All rows in order, [n, V] at a time.

        One block in ``stride`` is compared with its checksum, other ones in each scan of the
        process until all were; UntrustedCacheError where one differs. 0 compares none.
        """

    def take(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """A copy of some rows [n, V]."""


class FilePart:
    """Rows in a memory-mapped file."""

    def __init__(self, path: Path, *, dim: int, rows: int, sums: NDArray[np.uint64]) -> None:
        """Map ``path``; UntrustedCacheError unless it is exactly the file that was written."""
        self._path = path
        self._sums = sums
        self._turns: list[int] | None = None
        self._scanned = False
        self.rows = rows
        self.file: str | None = path.name
        if sums.size != -(-rows // block_rows(dim)):
            raise UntrustedCacheError(f"{path.name} has another number of blocks than its index")
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                head = file.read(_HEADER.size + 4)
                if size != _DATA_OFFSET + rows * dim * 4 or head != _header(path, dim, rows):
                    raise UntrustedCacheError(f"{path.name} is not the file its index speaks of")
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise UntrustedCacheError(f"{path.name}: {error.strerror}") from error
        flat = np.frombuffer(self._map, dtype="<f4", offset=_DATA_OFFSET)
        self._vectors: NDArray[np.float32] = flat.reshape(rows, dim)

    def blocks(self, *, stride: int) -> Iterator[NDArray[np.float32]]:
        """See MatrixPart."""
        turn = self._next_turn(stride)
        step = block_rows(self._vectors.shape[1])
        first_scan, self._scanned = not self._scanned, True
        released = 0
        for number, start in enumerate(range(0, self.rows, step)):
            block = self._vectors[start : start + step]
            yield block
            # After the caller's use: the block is now in the processor's cache.
            if turn is not None and number % stride == turn:
                self._check(number, block)
            end = (start + len(block)) * block[0].nbytes
            if first_scan and end - released >= _RELEASE_BYTES:
                released = self._release(released, end)

    def verify(self) -> None:
        """Compare every block with its checksum; UntrustedCacheError where one differs."""
        step = block_rows(self._vectors.shape[1])
        for number, start in enumerate(range(0, self.rows, step)):
            self._check(number, self._vectors[start : start + step])

    def _check(self, number: int, block: NDArray[np.float32]) -> None:
        if block_sum(block) != self._sums[number]:
            raise UntrustedCacheError(f"{self._path.name} does not match its checksum")

    def _next_turn(self, stride: int) -> int | None:
        """Which blocks modulo ``stride`` are compared in this scan; None when all have been."""
        if stride == 0:
            return None
        if self._turns is None:
            # Begin anywhere: every process of one search each would check the same blocks.
            begin = os.urandom(1)[0]
            self._turns = [(begin + turn) % stride for turn in range(stride)]
        return self._turns.pop() if self._turns else None

    def _release(self, start: int, end: int) -> int:
        # Windows trims working sets by itself and has no such call.
        if hasattr(mmap, "MADV_DONTNEED"):
            first = (_DATA_OFFSET + start) // mmap.PAGESIZE * mmap.PAGESIZE
            self._map.madvise(mmap.MADV_DONTNEED, first, _DATA_OFFSET + end - first)
        return end

    def take(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """See MatrixPart."""
        taken: NDArray[np.float32] = self._vectors[rows]
        return taken


class MemoryPart:
    """Rows that are not in a cache file yet, or cannot be."""

    file: str | None = None

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = vectors
        self.rows = len(vectors)

    def blocks(self, *, stride: int) -> Iterator[NDArray[np.float32]]:
        """See MatrixPart; memory needs no check."""
        step = block_rows(self._vectors.shape[1])
        for start in range(0, self.rows, step):
            yield self._vectors[start : start + step]

    def take(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """See MatrixPart."""
        taken: NDArray[np.float32] = self._vectors[rows]
        return taken


class TablePart:
    """Rows read from SQLite at every scan: a large library whose folder cannot be written.

    Slow (seconds for a million) but right, and in bounded memory.
    """

    file: str | None = None

    def __init__(self, segments: SegmentTable, ids: NDArray[np.int64], *, dim: int) -> None:
        self._segments = segments
        self._ids = ids
        self._dim = dim
        self.rows = len(ids)

    def blocks(self, *, stride: int) -> Iterator[NDArray[np.float32]]:
        """See MatrixPart; this is the truth itself."""
        for _, vectors, _ in self._segments.vector_rows(after=int(self._ids[0]) - 1, dim=self._dim):
            yield vectors

    def take(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """See MatrixPart."""
        keys = self._ids[rows].tolist()
        found = self._segments.vectors(keys, dim=self._dim)
        nothing = np.zeros(self._dim, np.float32)  # as a damaged row is in ``blocks``
        return np.stack([found.get(key, nothing) for key in keys])


def write_part(
    folder: Path, chunks: Iterable[VectorRows], *, dim: int, rows: int
) -> tuple[FilePart, NDArray[np.int64], NDArray[np.bool_], NDArray[np.uint64]]:
    """Write ``rows`` vectors as a new file.

    Returns the part, its segment ids, which of them are sound, and block sums.

    Raises:
        OSError: no space, or the folder cannot be written.
        UntrustedCacheError: what was read back is not what was written.
    """
    path = folder / f"matrix-{os.urandom(8).hex()}.f32"
    ids: list[NDArray[np.int64]] = []
    sound: list[NDArray[np.bool_]] = []
    sums: list[int] = []

    with replacing(path) as file:
        file.write(_header(path, dim, rows).ljust(_DATA_OFFSET, b"\0"))
        for keys, block, good in _in_blocks(chunks, block_rows(dim)):
            ids.append(keys)
            sound.append(good)
            sums.append(block_sum(block))
            file.write(np.ascontiguousarray(block, dtype="<f4").data)
    checksums = np.array(sums, dtype=np.uint64)
    part = FilePart(path, dim=dim, rows=rows, sums=checksums)
    part.verify()
    return part, np.concatenate(ids), np.concatenate(sound), checksums


def _header(path: Path, dim: int, rows: int) -> bytes:
    token = path.stem.removeprefix("matrix-").encode()
    head = _HEADER.pack(_MAGIC, token, dim, rows)
    return head + struct.pack("<I", zlib.crc32(head))


def _in_blocks(chunks: Iterable[VectorRows], step: int) -> Iterator[VectorRows]:
    """The same rows, ``step`` at a time, whatever the sizes they come in."""
    keys, sound = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_)
    vectors: NDArray[np.float32] | None = None
    for more_keys, more, more_sound in chunks:
        keys, sound = np.concatenate([keys, more_keys]), np.concatenate([sound, more_sound])
        vectors = more if vectors is None else np.concatenate([vectors, more])
        while len(keys) >= step:
            yield keys[:step], vectors[:step], sound[:step]
            keys, vectors, sound = keys[step:], vectors[step:], sound[step:]
    if vectors is not None and len(keys):
        yield keys, vectors, sound

"""All head vectors of a library as one matrix, kept beside SQLite for speed.

``matrix.index`` (small, checksummed whole) names the parts, the segment id of every row and which
rows are still alive; ``matrix-*.f32`` are the parts. The index says which library, model, dim and
generation it was made of. At a later generation of the same history it is *caught up*: vectors of
a segment never change under one model and ids are never used twice, so what is new is what has a
higher id, and what is gone is what SQLite no longer lists. Anything else is made again.

What is checked: index, sizes and part headers at every opening. Of the vectors, the first scan of a
process compares blocks of ``CHECK_BYTES`` in all with their checksums (half the time of scanning
these), which is the whole of a small library; in a large one other blocks are next in later scans,
and every process begins at a random block. To check all of 100,000 x 1024 would cost 12 ms of a
cold search of 200. The winners of each search are compared with SQLite to the bit, so that what is
found is always right; ``SqliteStore.problems`` compares everything.

A segment whose row in SQLite is not what was written has a row of zeros here and is *damaged*: it
counts as not alive, so no search finds it, until its video is read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.library.records import Identity
from c2v.library.sqlite.cachefile import (
    UntrustedCacheError,
    read_cache_file,
    remove_others,
    write_cache_file,
)
from c2v.library.sqlite.parts import FilePart, MatrixPart, MemoryPart, TablePart, write_part
from c2v.library.sqlite.segment_table import SegmentTable

MATRIX_INDEX = "matrix.index"
_PATTERN = "matrix-*.f32*"
_MAGIC = b"c2vMTRX1"
CHECK_BYTES = 64 << 20
_MEMORY_BYTES = 256 << 20
"""Rows that cannot be written to a cache are held in memory up to here, then left in SQLite."""
_DEAD_FRACTION = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Rows of all segments by ascending id; removed ones stay until the next rewrite, not alive.

    Shapes: ``ids`` [N], ``alive`` [N] and ``damaged`` [N] bool; ``sums`` one array for each part.
    A row that is damaged is not alive, though its segment exists.
    """

    identity: Identity
    ids: NDArray[np.int64]
    alive: NDArray[np.bool_]
    damaged: NDArray[np.bool_]
    parts: tuple[MatrixPart, ...]
    sums: tuple[NDArray[np.uint64], ...]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which rows have their segment [N], damaged or not."""
        found: NDArray[np.bool_] = self.alive | self.damaged
        return found

    def without(self, segment_ids: NDArray[np.int64]) -> Matrix:
        """The same with these segments marked as damaged."""
        found = np.isin(self.ids, segment_ids) & self.alive
        return replace(self, alive=self.alive & ~found, damaged=self.damaged | found)

    def blocks(self, *, check: bool = True) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """First row and vectors [n, V] of each block; some checksums are compared."""
        stride = -(-len(self.ids) * self.identity.dim * 4 // CHECK_BYTES) if check else 0
        start = 0
        for part in self.parts:
            for block in part.blocks(stride=stride):
                yield start, block
                start += len(block)

    @property
    def is_mapped(self) -> bool:
        """Whether any thread may read it: a connection to SQLite belongs to one."""
        return not any(isinstance(part, TablePart) for part in self.parts)

    def verify(self) -> None:
        """Compare every block on disk with its checksum; UntrustedCacheError where one differs."""
        for part in self.parts:
            if isinstance(part, FilePart):
                part.verify()

    def take(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """A copy of any rows [n, V], in the order asked."""
        result = np.empty((len(rows), self.identity.dim), dtype=np.float32)
        start = 0
        for part in self.parts:
            inside = np.flatnonzero((rows >= start) & (rows < start + part.rows))
            if inside.size:
                result[inside] = part.take(rows[inside] - start)
            start += part.rows
        return result

    def rows_of(self, segment_ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Rows of those ids that are in the matrix and alive, ascending."""
        # Not np.unique: its first call imports numpy.ma, 15 ms of a cold search.
        wanted = np.sort(segment_ids)
        wanted = wanted[np.diff(wanted, prepend=-1) != 0]
        rows = np.searchsorted(self.ids, wanted)
        inside = rows < len(self.ids)
        rows, wanted = rows[inside], wanted[inside]
        found: NDArray[np.intp] = rows[(self.ids[rows] == wanted) & self.alive[rows]]
        return found


def empty_matrix(identity: Identity) -> Matrix:
    """A matrix without rows."""
    none = np.empty(0, np.bool_)
    return Matrix(identity, np.empty(0, np.int64), none, none, (), ())


def before_beginning(identity: Identity) -> Identity:
    """The identity of a matrix that has nothing yet, older than any generation."""
    return replace(identity, generation=0, stamp=0)


def matrix_identity(folder: Path) -> Identity | None:
    """What the matrix on disk was made of; None when there is none that can be read."""
    try:
        header, _ = read_cache_file(folder / MATRIX_INDEX, _MAGIC)
    except UntrustedCacheError:
        return None
    return Identity(**header["identity"])


def load_matrix(folder: Path, identity: Identity) -> Matrix:
    """The matrix on disk, perhaps of an earlier generation.

    Raises:
        UntrustedCacheError: absent, damaged, or of another library, model or dim.
    """
    header, arrays = read_cache_file(folder / MATRIX_INDEX, _MAGIC)
    found = Identity(**header["identity"])
    if not found.same_vectors(identity):
        raise UntrustedCacheError(f"{MATRIX_INDEX} is of another library or model")
    ids, alive = arrays["ids"], arrays["alive"]
    damaged = arrays.get("damaged")  # absent from what earlier versions wrote
    if damaged is None:
        damaged = np.zeros(len(ids), np.bool_)
    sums = tuple(arrays[f"sums{number}"] for number in range(len(header["parts"])))
    parts = tuple(
        FilePart(folder / name, dim=identity.dim, rows=rows, sums=part_sums)
        for (name, rows), part_sums in zip(header["parts"], sums, strict=True)
    )
    if sum(part.rows for part in parts) != len(ids):
        raise UntrustedCacheError(f"{MATRIX_INDEX} lists other rows than its parts")
    return Matrix(found, ids, alive, damaged, parts, sums)


def save_index(folder: Path, matrix: Matrix) -> None:
    """Make ``matrix`` the one on disk and delete parts of older ones (under the writer lock)."""
    header = {
        "identity": asdict(matrix.identity),
        "parts": [[part.file, part.rows] for part in matrix.parts],
    }
    arrays = {"ids": matrix.ids, "alive": matrix.alive, "damaged": matrix.damaged}
    arrays |= {f"sums{number}": sums for number, sums in enumerate(matrix.sums)}
    write_cache_file(folder / MATRIX_INDEX, _MAGIC, header, arrays)
    remove_others(folder, _PATTERN, {str(part.file) for part in matrix.parts})


def is_on_disk(folder: Path, matrix: Matrix) -> bool:
    """Whether the index on disk is of this generation and its files are there."""
    names = [part.file for part in matrix.parts if part.file is not None]
    there = all((folder / name).exists() for name in names)
    return there and matrix_identity(folder) == matrix.identity


def catch_up(
    base: Matrix,
    segments: SegmentTable,
    identity: Identity,
    *,
    last_id: int,
    folder: Path | None,
) -> Matrix:
    """Bring a matrix of an earlier generation to the present one; call inside one snapshot.

    Args:
        base: a matrix of the same library and model.
        last_id: the highest segment id ever given at ``base``'s generation.
        folder: where new parts and the index are written; None keeps new rows in memory.

    Raises:
        UntrustedCacheError: ``base`` lacks segments that it should have.
        OSError: the folder cannot be written.
    """
    present = _present(base, segments, last_id)
    if np.count_nonzero(~present) > _DEAD_FRACTION * len(present):
        base, present, last_id = empty_matrix(identity), np.empty(0, np.bool_), 0
    new_rows = segments.count() - segments.count(up_to=last_id)
    keep, new_rows = _parts_to_keep(base, new_rows, present, writable=folder is not None)
    kept_rows = sum(part.rows for part in base.parts[:keep])
    after = last_id if keep == len(base.parts) else int(base.ids[kept_rows - 1] if kept_rows else 0)
    kept = Matrix(
        identity,
        base.ids[:kept_rows],
        (present & ~base.damaged)[:kept_rows],
        (present & base.damaged)[:kept_rows],
        base.parts[:keep],
        base.sums[:keep],
    )
    matrix = kept if not new_rows else _extended(kept, segments, after, new_rows, folder)
    if folder is not None:
        save_index(folder, matrix)
    return matrix


def _present(base: Matrix, segments: SegmentTable, last_id: int) -> NDArray[np.bool_]:
    """Which rows of ``base`` still have their segment."""
    count = segments.count(up_to=last_id)
    if count == np.count_nonzero(base.present):
        return base.present
    present = np.isin(base.ids, segments.ids(up_to=last_id))
    if np.count_nonzero(present) != count:
        raise UntrustedCacheError("the matrix lacks segments that were there when it was written")
    return present


def _parts_to_keep(
    base: Matrix, new_rows: int, present: NDArray[np.bool_], *, writable: bool
) -> tuple[int, int]:
    """How many leading parts stay as they are, and how many rows are read from SQLite after them.

    A part not much larger than what follows is written again with it: that keeps the number of
    parts logarithmic, and each vector is rewritten a logarithmic number of times.
    """
    keep = len(base.parts)
    end = len(base.ids)
    while keep:
        part = base.parts[keep - 1]
        must = part.file is None and (writable or isinstance(part, TablePart))
        if not must and (new_rows == 0 or part.rows > 2 * new_rows):
            break
        new_rows += int(np.count_nonzero(present[end - part.rows : end]))
        end -= part.rows
        keep -= 1
    return keep, new_rows


def _extended(
    kept: Matrix, segments: SegmentTable, after: int, new_rows: int, folder: Path | None
) -> Matrix:
    """``kept`` and one more part with the ``new_rows`` segments whose id is above ``after``."""
    dim = kept.identity.dim
    part: MatrixPart
    sums = np.empty(0, np.uint64)
    if folder is not None:
        chunks = segments.vector_rows(after=after, dim=dim)
        part, ids, sound, sums = write_part(folder, chunks, dim=dim, rows=new_rows)
    elif new_rows * dim * 4 <= _MEMORY_BYTES:
        rows = list(segments.vector_rows(after=after, dim=dim))
        ids = np.concatenate([keys for keys, _, _ in rows])
        sound = np.concatenate([good for _, _, good in rows])
        part = MemoryPart(np.concatenate([vectors for _, vectors, _ in rows]))
    else:
        ids = segments.ids(after=after)
        chunks = segments.vector_rows(after=after, dim=dim)
        sound = np.concatenate([good for _, _, good in chunks])
        part = TablePart(segments, ids, dim=dim)
    if len(ids) != new_rows:
        raise UntrustedCacheError(f"{new_rows} segments have {len(ids)} vectors")
    return Matrix(
        kept.identity,
        np.concatenate([kept.ids, ids]),
        np.concatenate([kept.alive, sound]),
        np.concatenate([kept.damaged, ~sound]),
        (*kept.parts, part),
        (*kept.sums, sums),
    )

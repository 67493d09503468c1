"""The approximate index: a graph over the matrix's rows, by hnswlib.

``hnsw.index`` (small, checksummed) says what ``hnsw-*.bin`` is: library, model, dim, generation,
parameters, labels (segment ids), size and CRC-32. hnswlib itself checks none of this: it loads a
file of another dim without a word, and a damaged one crashes the process. So the whole file is
summed before it is loaded (a third of the load's time), saving is followed by reading back, and
``ef``, which a load forgets, is set again.

The graph may lag behind the matrix: newer rows are scanned exactly beside it and removed ones are
marked deleted in memory, so that adding a video does not rewrite gigabytes.
"""

from __future__ import annotations

import errno
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.files.writing import replacing
from c2v.library.records import HnswSettings, Identity
from c2v.library.sqlite.cachefile import (
    Arrays,
    UntrustedCacheError,
    file_crc,
    read_cache_file,
    remove_others,
    write_cache_file,
)
from c2v.library.sqlite.matrix import Matrix

GRAPH_INDEX = "hnsw.index"
GRAPH_FILES = "hnsw-*.bin"
_MAGIC = b"c2vHNSW1"
_SEED = 100
_PROBES = 16
"""Queries answered before a save and after the reload; both answers must agree."""
_DEAD_FRACTION = 0.25
_MIN_LAG, _MAX_LAG = 1024, 16_384
"""A graph is extended when more rows than this lag behind (exact scan of 16 K rows: about 4 ms)."""


class UnreadableGraphError(Exception):
    """A graph was written and given up in memory, and cannot be read back. Stays in the library."""


class Graph:
    """An hnswlib index whose labels are segment ids, which records the rows it covers."""

    def __init__(
        self,
        index: Any,
        identity: Identity,
        settings: HnswSettings,
        *,
        ids: NDArray[np.int64],
        dead: NDArray[np.bool_],
        projection: NDArray[np.float32] | None,
    ) -> None:
        self._index = index
        self._projection = projection
        self._settings = settings
        self._dead = dead
        self._dead_count = int(np.count_nonzero(dead))
        self.identity = identity
        self.ids = ids
        """Labels, ascending, dead ones included [N]."""

    @property
    def live_count(self) -> int:
        """How many labels can be found."""
        return len(self.ids) - self._dead_count

    @property
    def _width(self) -> int:
        """Numbers of a vector in the graph."""
        return self.identity.dim if self._projection is None else self._projection.shape[1]

    def follow(self, matrix: Matrix) -> None:
        """Mark what ``matrix`` no longer has as deleted."""
        present = np.zeros(len(self.ids), np.bool_)
        rows = matrix.rows_of(self.ids)
        present[np.searchsorted(self.ids, matrix.ids[rows])] = True
        # Marking twice is an error in hnswlib; a removed segment never comes back under its id.
        for label in self.ids[~present & ~self._dead].tolist():
            self._index.mark_deleted(label)
        self._dead = ~present
        self._dead_count = int(np.count_nonzero(self._dead))

    def lag(self, matrix: Matrix) -> int:
        """How many rows of ``matrix`` are not in the graph."""
        return _lag(self.ids, matrix)

    def is_worn(self, matrix: Matrix) -> bool:
        """Whether so much lags behind or is deleted that the graph on disk should be renewed."""
        return _is_worn(len(self.ids), self.lag(matrix), self._dead_count)

    @property
    def is_mostly_dead(self) -> bool:
        """Whether deleted labels are so many that the graph should be built anew."""
        return self._dead_count > _DEAD_FRACTION * len(self.ids)

    def query(
        self, queries: NDArray[np.float32], k: int, *, allowed: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64] | None:
        """At least k labels near each query [Q, K], in no promised order, to be scored again.

        As many as ``ef`` are given where there are so many, for the graph's own order is of
        projected vectors and not the final one.

        Args:
            allowed: ids, all in the graph; only these are found. k must not be more than they are.

        Returns:
            None when the graph could not reach k labels even with ``ef`` raised: the caller scans.
        """
        available = self.live_count if allowed is None else len(allowed)
        k = min(k, available)
        if k == 0:
            return np.empty((len(queries), 0), np.int64)
        test = None if allowed is None else frozenset(allowed.tolist()).__contains__
        # A filter is Python code: hnswlib must not call it from several threads.
        threads = 1 if test is not None else -1
        projected = _projected(queries, self._projection)
        ef = max(self._settings.ef, k)
        for count, patience in ((min(ef, available), ef), (k, 8 * ef)):
            self._index.set_ef(patience)
            try:
                labels, _ = self._index.knn_query(
                    projected, k=count, num_threads=threads, filter=test
                )
            except RuntimeError:
                continue  # fewer were reached; hnswlib has no other way to say so
            found: NDArray[np.int64] = labels.astype(np.int64)
            return found
        return None

    def extend(self, matrix: Matrix) -> None:
        """Insert the rows of ``matrix`` that lag behind; the graph then is of its generation."""
        first = len(matrix.ids) - self.lag(matrix)
        added = matrix.ids[first:]
        self._index.resize_index(max(len(self.ids) + len(added), 1))
        for start, block in matrix.blocks():
            end = start + len(block)
            if end > first:
                fresh = max(start, first)
                rows = _projected(block[fresh - start :], self._projection)
                self._index.add_items(rows, matrix.ids[fresh:end])
        self.ids = np.concatenate([self.ids, added])
        self._dead = np.concatenate([self._dead, np.zeros(len(added), np.bool_)])
        self.follow(matrix)
        self.identity = matrix.identity

    def saved(self, folder: Path, matrix: Matrix) -> Graph:
        """Write the graph, read it back and compare; returns the one read back.

        Raises:
            OSError: no space, or the folder cannot be written; the graph is as it was.
            UnreadableGraphError: it cannot be read back, or answers differently then; the graph is
                of no use any more.
        """
        probes = matrix.take(np.linspace(0, len(matrix.ids) - 1, _PROBES).astype(np.intp))
        before = self.query(probes, 1)
        name = f"hnsw-{os.urandom(8).hex()}.bin"
        header = {"m": self._settings.m, "ef_construction": self._settings.ef_construction}
        self._write(folder / name, header)
        # The index in memory goes before the file comes back: two would not fit at a million.
        del self._index
        try:
            again = Graph(
                _load(folder / name, self._width, len(self.ids)),
                self.identity,
                self._settings,
                ids=self.ids,
                dead=self._dead,
                projection=self._projection,
            )
            after = again.query(probes, 1)
            if before is None or after is None or not np.array_equal(before, after):
                raise UntrustedCacheError("it answers differently")
        # RuntimeError is what hnswlib raises of a file, MemoryError of one that does not fit.
        except (UntrustedCacheError, OSError, RuntimeError, MemoryError) as error:
            for path in (folder / GRAPH_INDEX, folder / name):
                path.unlink(missing_ok=True)
            raise UnreadableGraphError(f"{name} cannot be read back: {error}") from error
        remove_others(folder, GRAPH_FILES + "*", {name})
        return again

    def _write(self, path: Path, header: dict[str, int]) -> None:
        """Write the graph and, once it is whole, the record that makes it the one in use."""
        # Opened here, because hnswlib says nothing of a folder that cannot be written.
        with replacing(path) as file:
            self._index.save_index(file.name)
            size = os.fstat(file.fileno()).st_size
            if size != self._index.index_file_size():  # nor of a full disk
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            crc = file_crc(Path(file.name))
        described = {"identity": asdict(self.identity), **header}
        described |= {"file": path.name, "size": size, "crc": crc}
        arrays: Arrays = {"ids": self.ids, "dead": self._dead}
        if self._projection is not None:
            arrays["projection"] = self._projection
        try:
            write_cache_file(path.with_name(GRAPH_INDEX), _MAGIC, described, arrays)
        except OSError:
            path.unlink()
            raise


def build_graph(matrix: Matrix, settings: HnswSettings) -> Graph:
    """A new graph over all living rows of ``matrix``."""
    import hnswlib

    from c2v.library.sqlite.principal_components import learn_projection

    projection = learn_projection(matrix)
    ids = matrix.ids[matrix.alive]
    dead = np.zeros(len(ids), np.bool_)
    width = matrix.identity.dim if projection is None else projection.shape[1]
    index = hnswlib.Index(space="ip", dim=width)
    index.init_index(
        max_elements=max(len(ids), 1),
        M=settings.m,
        ef_construction=settings.ef_construction,
        random_seed=_SEED,
    )
    for start, block in matrix.blocks():
        living = matrix.alive[start : start + len(block)]
        if living.any():
            rows = _projected(block[living], projection)
            index.add_items(rows, matrix.ids[start : start + len(block)][living])
    return Graph(index, matrix.identity, settings, ids=ids, dead=dead, projection=projection)


def load_graph(folder: Path, identity: Identity, settings: HnswSettings) -> Graph:
    """The graph on disk, perhaps of an earlier generation.

    Raises:
        UntrustedCacheError: absent, damaged, or of another library, model, dim or parameters.
    """
    header, arrays = read_cache_file(folder / GRAPH_INDEX, _MAGIC)
    found = Identity(**header["identity"])
    if not found.same_vectors(identity):
        raise UntrustedCacheError(f"{GRAPH_INDEX} is of another library or model")
    if (header["m"], header["ef_construction"]) != (settings.m, settings.ef_construction):
        raise UntrustedCacheError(f"{GRAPH_INDEX} was built with other parameters")
    path = folder / header["file"]
    try:
        if path.stat().st_size != header["size"] or file_crc(path) != header["crc"]:
            raise UntrustedCacheError(f"{path.name} does not match its checksum")
    except OSError as error:
        raise UntrustedCacheError(f"{path.name}: {error.strerror}") from error
    projection = arrays.get("projection")
    width = identity.dim if projection is None else projection.shape[1]
    return Graph(
        _load(path, width, len(arrays["ids"])),
        found,
        settings,
        ids=arrays["ids"],
        dead=arrays["dead"].copy(),
        projection=projection,
    )


def graph_identity(folder: Path) -> Identity | None:
    """What the graph on disk was made of; None when there is none that can be read."""
    try:
        header, _ = read_cache_file(folder / GRAPH_INDEX, _MAGIC)
    except UntrustedCacheError:
        return None
    return Identity(**header["identity"])


def serving_graph(folder: Path, matrix: Matrix, settings: HnswSettings) -> Identity | None:
    """The identity of the graph on disk if it may stay as it is, found without loading it."""
    try:
        header, arrays = read_cache_file(folder / GRAPH_INDEX, _MAGIC)
        size = (folder / header["file"]).stat().st_size
    except (UntrustedCacheError, OSError):
        return None
    found, ids = Identity(**header["identity"]), arrays["ids"]
    parameters = (header["size"], header["m"], header["ef_construction"])
    dead = len(ids) - len(matrix.rows_of(ids))
    if (
        not found.same_vectors(matrix.identity)
        or parameters != (size, settings.m, settings.ef_construction)
        or _is_worn(len(ids), _lag(ids, matrix), dead)
    ):
        return None
    return found


def _lag(ids: NDArray[np.int64], matrix: Matrix) -> int:
    """How many rows of ``matrix`` have higher ids than all of ``ids``, which ascend."""
    last = int(ids[-1]) if len(ids) else 0
    return len(matrix.ids) - int(np.searchsorted(matrix.ids, last, side="right"))


def _is_worn(rows: int, lag: int, dead: int) -> bool:
    return lag > min(max(rows // 10, _MIN_LAG), _MAX_LAG) or dead > _DEAD_FRACTION * rows


def _projected(
    vectors: NDArray[np.float32], projection: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Vectors [N, V] as the graph has them [N, P]."""
    return vectors if projection is None else vectors @ projection


def _load(path: Path, dim: int, count: int) -> Any:
    import hnswlib

    index = hnswlib.Index(space="ip", dim=dim)
    index.load_index(str(path), max_elements=max(count, 1))
    if index.get_current_count() != count:
        raise UntrustedCacheError(
            f"{path.name} holds {index.get_current_count()} rows, not {count}"
        )
    return index

"""Searching one open library: the choice of strategy, and the comparison with the truth."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.errors import C2VError, LibraryError
from c2v.library.records import HnswSettings, Identity, ModelRecord, Nearest
from c2v.library.sqlite import nearest
from c2v.library.sqlite.cachefile import UntrustedCacheError
from c2v.library.sqlite.caches import Caches
from c2v.library.sqlite.checks import check_queries
from c2v.library.sqlite.database import Database
from c2v.library.sqlite.matrix import Matrix
from c2v.library.sqlite.segment_table import SegmentTable
from c2v.optional import has, remark, require

_WINNERS_COMPARED = 16
"""Best rows of a search that are compared with SQLite: 10 microseconds each from the page cache, a
disk read or two each without it."""
# Measured on two x86-64 cores at 100,000 and 1,000,000 x 1024; what matters is their proportions.
_SCAN_BYTES_PER_SECOND = 15e9
"""One query against a mapped matrix, one thread; a group of queries takes a quarter of it each."""
_GROUP_SPEEDUP = 4.0
_LOAD_BYTES_PER_SECOND = 0.4e9
"""Summing and loading a graph."""
_GRAPH_QUERY_SECONDS = 5e-3
_GRAPH_BYTES_A_ROW = 1200
"""What a graph would take on disk that cannot be built here."""


class _DamagedWinnersError(Exception):
    """The best rows of a search are not what was written. Never leaves this module."""

    def __init__(self, segment_ids: NDArray[np.int64]) -> None:
        super().__init__()
        self.segment_ids = segment_ids


def gone(folder: Path) -> LibraryError:
    """What is said when a library was deleted or moved while it was open."""
    return LibraryError(
        f"the library {folder} was deleted or moved while it was in use; what this run "
        "wrote is lost",
        hint="index again: c2v index PATH",
    )


class Searcher:
    """Nearest segments, through caches that are compared with SQLite at every search."""

    def __init__(self, directory: Path, database: Database, settings: HnswSettings) -> None:
        self._database = database
        self._segments = SegmentTable(database)
        self._settings = settings
        self.caches = Caches(directory, database, self._segments, settings)
        self._scanned_seconds = 0.0  # spent so far on scans that a graph could have spared
        self._rows_without_graph = 0

    @property
    def slower_because(self) -> str:
        """A line on what ``auto`` would have chosen if hnswlib were here; empty if nothing else."""
        if not self._rows_without_graph:
            return ""
        return remark(f"{self._rows_without_graph:,} segments are searched one by one", "hnswlib")

    def nearest(
        self,
        queries: NDArray[np.float32],
        k: int,
        *,
        strategy: str,
        segment_ids: NDArray[np.int64] | None,
    ) -> Nearest:
        """See Store.nearest."""
        if strategy == "hnsw":
            require("--strategy hnsw", "hnswlib")
        with self._database.reading():
            self._database.refuse_in_write("a search")
            model, identity = self._database.model(), self._database.identity()
            if model is None or identity is None:
                nothing = (len(queries), 0)
                return Nearest("exact", np.empty(nothing, np.float32), np.empty(nothing, np.int64))
            checked = check_queries(queries, model)
            attempts = 2
            while True:
                try:
                    return self._search(identity, checked, k, strategy, segment_ids)
                except _DamagedWinnersError as error:
                    # Each time there are fewer rows left, so this ends.
                    self.caches.leave_out(error.segment_ids, identity)
                except UntrustedCacheError as error:
                    self.caches.forget()
                    attempts -= 1
                    if not attempts:
                        raise self._hopeless(error) from error

    def _hopeless(self, error: UntrustedCacheError) -> LibraryError:
        folder = self._database.path.parent
        return LibraryError(
            f"the caches of {folder} do not agree with its database even after they were made "
            f"again ({error})",
            hint=f"check the disk, then delete the folder {self.caches.folder}",
        )

    def left_out(self) -> NDArray[np.int64]:
        """Segments that searches leave out because their rows are damaged, as far as is known."""
        with self._database.reading():
            identity = self._database.identity()
            return np.empty(0, np.int64) if identity is None else self.caches.damaged(identity)

    def leave_out(self, segment_ids: NDArray[np.int64]) -> None:
        """Let searches leave these segments out."""
        with self._database.reading():
            identity = self._database.identity()
            if identity is not None:
                self.caches.leave_out(segment_ids, identity)

    def warm(self) -> None:
        """Load the matrix's index and, from ``HnswSettings.from_rows`` on, the graph."""
        with self._database.reading():
            self._database.refuse_in_write("loading caches")
            identity = self._database.identity()
            if identity is None:
                return
            matrix = self.caches.matrix(identity)
            if len(matrix.ids) >= self._settings.from_rows and has("hnswlib"):
                self.caches.graph(matrix, build=False)

    def refresh(self) -> int | None:
        """Bring the caches on disk up to date; returns the oldest generation they still name.

        None while the library has no model.
        """
        with self._database.reading():
            self._database.refuse_in_write("refreshing caches")
            identity = self._database.identity()
            if identity is None:
                return None
            try:
                if not self.caches.refresh(identity):
                    self._rows_without_graph = self._segments.count()
            except OSError as error:
                if not self._database.is_in_place():
                    raise gone(self._database.path.parent) from error
                raise C2VError(
                    f"cannot write {self.caches.folder}: {error.strerror}; the library itself is "
                    "whole, searches will be slower",
                    hint="free some space, or mend the permissions, and index again",
                ) from error
            return self.caches.oldest_generation(identity)

    def problems(self) -> list[str]:
        """Compare the caches on disk with every vector in SQLite; what differs, in sentences."""
        with self._database.reading():
            self._database.refuse_in_write("a check")
            model, identity = self._database.model(), self._database.identity()
            if model is None or identity is None:
                return []
            return self._matrix_problems(identity, model) + self.caches.graph_problems(identity)

    def _matrix_problems(self, identity: Identity, model: ModelRecord) -> list[str]:
        try:
            matrix = self.caches.matrix(identity)
            rows = np.flatnonzero(matrix.present)
            if len(rows) != self._segments.count():
                return ["the matrix has another number of rows than the database has segments"]
            seen = 0
            for ids, vectors, _ in self._segments.vector_rows(after=0, dim=model.vector_dim):
                mine = rows[seen : seen + len(ids)]
                if not np.array_equal(matrix.ids[mine], ids):
                    return ["the matrix has other segments than the database"]
                if not np.array_equal(matrix.take(mine), vectors):
                    return [f"the matrix differs from the database near segment {int(ids[0])}"]
                seen += len(ids)
            matrix.verify()
        except UntrustedCacheError as error:
            return [str(error)]
        return []

    def _search(
        self,
        identity: Identity,
        queries: NDArray[np.float32],
        k: int,
        strategy: str,
        segment_ids: NDArray[np.int64] | None,
    ) -> Nearest:
        matrix = self.caches.matrix(identity)
        rows = None if segment_ids is None else matrix.rows_of(segment_ids)
        eligible = int(np.count_nonzero(matrix.alive)) if rows is None else len(rows)
        wants_graph = strategy == "hnsw" or (
            strategy == "auto" and self._graph_is_faster(matrix, eligible, len(queries))
        )
        graph = None
        if wants_graph and eligible:
            graph = self.caches.graph(matrix, build=strategy == "hnsw")
        if graph is None:
            found = nearest.search_exact(matrix, queries, k, rows=rows)
        else:
            found = nearest.search_graph(matrix, graph, queries, k, rows=rows)
        self._compare(matrix, found)
        return dataclasses.replace(found, among=eligible)

    def _graph_is_faster(self, matrix: Matrix, eligible: int, queries: int) -> bool:
        """Whether these queries are answered sooner by the graph, loading it included."""
        if len(matrix.ids) < self._settings.from_rows or eligible < len(matrix.ids) // 2:
            return False
        row_bytes = matrix.identity.dim * 4
        one_scan = len(matrix.ids) * row_bytes / _SCAN_BYTES_PER_SECOND
        scans = one_scan if queries == 1 else queries * one_scan / _GROUP_SPEEDUP
        asking = queries * _GRAPH_QUERY_SECONDS
        if self.caches.graph_in_memory:
            return asking < scans
        is_here = has("hnswlib")
        size = self.caches.graph_file_bytes() if is_here else len(matrix.ids) * _GRAPH_BYTES_A_ROW
        loading = size / _LOAD_BYTES_PER_SECOND
        # How many questions will follow is unknown: once scanning has cost what loading costs,
        # load. That is never twice as slow as having known.
        self._scanned_seconds += max(0.0, scans - asking)
        is_faster = size > 0 and loading < self._scanned_seconds
        if is_faster and not is_here:
            self._rows_without_graph = len(matrix.ids)
        return is_faster and is_here

    def _compare(self, matrix: Matrix, found: Nearest) -> None:
        """The best rows must be, to the bit, what SQLite holds."""
        # Rank by rank, so that the best of every query come first.
        ids = list(dict.fromkeys(found.segment_ids.T.reshape(-1)[: 4 * _WINNERS_COMPARED].tolist()))
        ids = ids[:_WINNERS_COMPARED]
        rows = matrix.rows_of(np.array(ids, dtype=np.int64))
        truth = self._segments.vectors(ids, dim=matrix.identity.dim)
        lacking = [key for key in ids if key not in truth]
        damaged = self._segments.rows(lacking)
        if damaged:
            raise _DamagedWinnersError(np.array(sorted(damaged), dtype=np.int64))
        for row, vector in zip(rows, matrix.take(rows), strict=True):
            key = int(matrix.ids[row])
            if key not in truth or not np.array_equal(truth[key], vector):
                raise UntrustedCacheError(
                    f"segment {key} of the matrix is not what the database holds"
                )

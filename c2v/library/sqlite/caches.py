"""The matrix and the graph of one open library: loaded, caught up, written, or thrown away.

Every method but ``forget`` runs inside one snapshot of the database.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.library.records import HnswSettings, Identity
from c2v.library.sqlite import hnsw, matrix
from c2v.library.sqlite.cachefile import UntrustedCacheError, bytes_of
from c2v.library.sqlite.database import Database
from c2v.library.sqlite.hnsw import Graph, UnreadableGraphError
from c2v.library.sqlite.lock import CACHE_LOCK, FileLock
from c2v.library.sqlite.matrix import Matrix
from c2v.library.sqlite.segment_table import SegmentTable
from c2v.optional import has

CACHE_FOLDER = "cache"
_LOCK_SECONDS = 120.0
_WORTH_WRITING = 4096
"""A search writes a cache only when it saves later ones reading at least so many rows."""


class Caches:
    """What is kept in memory and in ``LIBRARY/cache`` to make searches fast."""

    def __init__(
        self, directory: Path, database: Database, segments: SegmentTable, settings: HnswSettings
    ) -> None:
        self.folder = directory / CACHE_FOLDER
        self._lock = FileLock(directory / CACHE_LOCK)
        self._database = database
        self._segments = segments
        self._settings = settings
        self._matrix: Matrix | None = None
        self._graph: Graph | None = None
        self._followed: Identity | None = None
        self._refused: Identity | None = None
        self.not_kept = ""
        """Why a graph that was asked for was built for this process alone; "" when it was not."""

    @property
    def graph_in_memory(self) -> bool:
        """Whether the graph can be asked without loading it first."""
        return self._graph is not None

    def graph_file_bytes(self) -> int:
        """Size of the graph on disk, sound or not; 0 when there is none. Reads no file."""
        return bytes_of(self.folder, hnsw.GRAPH_FILES)

    def matrix(self, identity: Identity) -> Matrix:
        """The matrix of exactly this generation, from memory, from disk, or caught up."""
        if self._matrix is None or self._matrix.identity != identity:
            base, last_id = self._newest(identity, self._matrix)
            if base.identity != identity:
                base = self._brought_up(base, last_id, identity)
            self._matrix = base
        return self._matrix

    def _brought_up(self, base: Matrix, last_id: int, identity: Identity) -> Matrix:
        """``base`` at this generation; written to disk when that spares later searches much."""
        behind = self._segments.count() - self._segments.count(up_to=last_id)
        with self._writable(wanted=behind >= _WORTH_WRITING) as folder:
            if folder is not None:
                with suppress(OSError):  # no room for a cache: a search does without
                    return self._written(identity)
        return self._caught_up(base, identity, last_id, None)

    def _written(self, identity: Identity) -> Matrix:
        """Bring the matrix on disk to this generation; only while holding the lock."""
        # What is in memory may have parts whose files another process has replaced since.
        base, last_id = self._newest(identity, None)
        if base.identity == identity:
            return base
        return self._caught_up(base, identity, last_id, self.folder)

    def graph(self, current: Matrix, *, build: bool) -> Graph | None:
        """A graph that agrees with ``current``; None when there is none and none is to be built."""
        if self._graph is None and self._refused != current.identity:
            self._graph = self._loaded_graph(current.identity)
            if self._graph is None:
                self._refused = current.identity  # reading a bad file at every search is slow
        if self._graph is not None and self._followed != current.identity:
            self._graph.follow(current)
            self._followed = current.identity
        if build and (self._graph is None or self._graph.is_mostly_dead):
            self._build_graph(current)
            with self._writable(wanted=True) as folder:
                if folder is not None:
                    try:
                        self._save_graph(folder, current)
                    except OSError as error:  # no room: this search has its graph in memory
                        self.not_kept = f"{self.folder}: {error.strerror}"
            if self._graph is None:
                self._build_graph(current)
        return self._graph

    def _build_graph(self, current: Matrix) -> None:
        self._graph = hnsw.build_graph(current, self._settings)
        self._followed = current.identity

    def _save_graph(self, folder: Path, current: Matrix) -> None:
        """Put the graph on disk and work with what was read back.

        Raises:
            OSError: it cannot be written, or not be read back; there may be none in memory then.
        """
        if self._graph is None:
            return
        try:
            self._graph = self._graph.saved(folder, current)
        except UnreadableGraphError as error:
            self._graph = self._followed = None  # it was given up for the one on disk
            raise OSError(errno.EIO, str(error)) from error

    def _refresh_graph(self, current: Matrix) -> bool:
        """Build, extend or leave the graph on disk; OSError when it cannot be written.

        False when there should be one and hnswlib, which makes it, is not installed.
        """
        large = len(current.ids) >= self._settings.from_rows
        if not large and not self.graph_file_bytes():
            return True
        serving = hnsw.serving_graph(self.folder, current, self._settings)
        if serving is not None and self._is_of_history(serving):
            return True
        if not has("hnswlib"):
            return not large
        graph = self.graph(current, build=False)
        if graph is None or graph.is_mostly_dead:
            self._build_graph(current)
        elif graph.is_worn(current):
            graph.extend(current)
        self._save_graph(self.folder, current)
        return True

    def refresh(self, identity: Identity) -> bool:
        """Bring the files on disk to this generation (the end of an index run).

        False when there should be a graph and hnswlib, which makes it, is not installed.

        Raises:
            OSError: the cache folder cannot be written; searches still work without it.
        """
        self._lock.acquire_unexplained(wait_seconds=_LOCK_SECONDS)
        try:
            self.folder.mkdir(exist_ok=True)
            self._matrix = self._written(identity)
            return self._refresh_graph(self._matrix)
        finally:
            self._lock.release()

    def oldest_generation(self, identity: Identity) -> int:
        """The earliest generation that a cache on disk was made at."""
        stored = (matrix.matrix_identity(self.folder), hnsw.graph_identity(self.folder))
        found = (identity, *stored)
        return min(one.generation for one in found if one is not None)

    def graph_problems(self, identity: Identity) -> list[str]:
        """What is wrong with the graph on disk; empty when it is well or there is none.

        Without hnswlib nothing uses it, and it is not looked at.
        """
        if not (self.folder / hnsw.GRAPH_INDEX).exists() or not has("hnswlib"):
            return []
        try:
            hnsw.load_graph(self.folder, identity, self._settings)
        except UntrustedCacheError as error:
            return [str(error)]
        return []

    def forget(self) -> None:
        """Throw away everything, on disk too where that is possible: something was damaged."""
        self._matrix = self._graph = self._followed = self._refused = None
        with self._writable(wanted=True) as folder:
            if folder is not None:
                for name in (matrix.MATRIX_INDEX, hnsw.GRAPH_INDEX):
                    with suppress(OSError):  # what cannot be deleted is still not trusted
                        (folder / name).unlink(missing_ok=True)

    def delete(self) -> None:
        """Give their room on the disk back; they are made again when they are needed."""
        self.forget()
        with self._writable(wanted=True) as folder:
            if folder is not None:
                for path in folder.iterdir():
                    path.unlink()

    def damaged(self, identity: Identity) -> NDArray[np.int64]:
        """Segments that searches leave out, as far as is known without reading vectors."""
        known = self._matrix or self._loaded_matrix(identity)
        if known is None or not known.identity.same_vectors(identity):
            return np.empty(0, np.int64)
        return known.ids[known.damaged]

    def leave_out(self, segment_ids: NDArray[np.int64], identity: Identity) -> None:
        """Mark segments as damaged, on disk too where that is possible."""
        marked = self.matrix(identity).without(segment_ids)
        self._matrix, self._followed = marked, None
        if any(part.file is None for part in marked.parts):
            return  # not on disk as it is
        with self._writable(wanted=True) as folder:
            if folder is not None and matrix.is_on_disk(folder, marked):
                with suppress(OSError):  # no room: each process finds out anew
                    matrix.save_index(folder, marked)

    def _newest(self, identity: Identity, in_memory: Matrix | None) -> tuple[Matrix, int]:
        """The later of the matrix on disk and another one, and the highest segment id then.

        Matrices of another history are as good as none.
        """
        best, best_last = matrix.empty_matrix(matrix.before_beginning(identity)), 0
        for candidate in (in_memory, self._loaded_matrix(identity)):
            if candidate is None or not candidate.identity.same_vectors(identity):
                continue
            then = candidate.identity
            last_id = self._database.last_segment_at(then.generation, then.stamp)
            if last_id is not None and then.generation > best.identity.generation:
                best, best_last = candidate, last_id
        return best, best_last

    def _loaded_matrix(self, identity: Identity) -> Matrix | None:
        try:
            loaded = matrix.load_matrix(self.folder, identity)
        except UntrustedCacheError:
            return None  # whatever is wrong with a cache, it is made again from SQLite
        # What was marked as damaged may have been put back since.
        return None if self._any_sound(loaded.ids[loaded.damaged]) else loaded

    def _any_sound(self, segment_ids: NDArray[np.int64]) -> bool:
        model = self._database.model()
        if model is None or not len(segment_ids):
            return False
        dims = (model.feature_dim, model.vector_dim)
        return bool(self._segments.sound(segment_ids.tolist(), dims=dims))

    def _loaded_graph(self, identity: Identity) -> Graph | None:
        try:
            graph = hnsw.load_graph(self.folder, identity, self._settings)
        except UntrustedCacheError:
            return None
        return graph if self._is_of_history(graph.identity) else None

    def _is_of_history(self, then: Identity) -> bool:
        """Whether the database went through that state, so that ids mean the same."""
        return self._database.last_segment_at(then.generation, then.stamp) is not None

    def _caught_up(
        self, base: Matrix, identity: Identity, last_id: int, folder: Path | None
    ) -> Matrix:
        try:
            return matrix.catch_up(base, self._segments, identity, last_id=last_id, folder=folder)
        except UntrustedCacheError:
            empty = matrix.empty_matrix(identity)
            return matrix.catch_up(empty, self._segments, identity, last_id=0, folder=folder)

    @contextmanager
    def _writable(self, *, wanted: bool) -> Iterator[Path | None]:
        """The cache folder, locked; None where it cannot be written or another process does."""
        if not wanted or self._database.read_only:
            yield None
            return
        locked = usable = False
        try:
            locked = self._lock.try_acquire()
            if locked:
                self.folder.mkdir(exist_ok=True)
                usable = True
        except OSError:
            pass  # a folder that lets SQLite write but not us: work without files
        try:
            yield self.folder if usable else None
        finally:
            if locked:
                self._lock.release()

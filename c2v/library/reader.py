"""The reading half of a library: everything that needs no lock."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.errors import LibraryError, UsageError
from c2v.library.database import Database
from c2v.library.records import (
    Counts,
    FailureRecord,
    FeatureBatch,
    HnswSettings,
    ModelRecord,
    Nearest,
    SegmentRow,
    StorageSizes,
    VideoRecord,
)
from c2v.library.searcher import Searcher
from c2v.library.segment_table import SegmentTable
from c2v.library.video_table import VideoTable

_CACHE_FILES = {"matrix": "matrix*", "hnsw": "hnsw*"}
_STRATEGIES = ("auto", "exact", "hnsw")


class LibraryReader:
    """Videos, segments, features and vectors of one folder; see Library for making one."""

    def __init__(self, directory: Path, *, create: bool, hnsw: HnswSettings) -> None:
        self.directory = directory
        self._database = Database(directory, create=create)
        self._videos = VideoTable(self._database)
        self._segments = SegmentTable(self._database)
        self._searcher = Searcher(directory, self._database, hnsw)

    def close(self) -> None:
        """Close the database; the object is of no use afterwards."""
        self._database.close()

    @property
    def read_only(self) -> bool:
        """Whether the medium allows no change."""
        return self._database.read_only

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads of the block see one state, whatever other processes write meanwhile."""
        with self._database.reading():
            yield

    @property
    def model(self) -> ModelRecord | None:
        """The model whose vectors are here; None until ``set_model``."""
        return self._database.model()

    def _model_or_error(self) -> ModelRecord:
        model = self._database.model()
        if model is None:
            raise LibraryError(
                f"the library {self.directory} is empty", hint="fill it: c2v index FOLDER"
            )
        return model

    # -- videos ---------------------------------------------------------------------------------

    def videos(self, *, under: str | os.PathLike[str] | None = None) -> list[VideoRecord]:
        """All videos by path, or those in the folder ``under`` and below."""
        return self._videos.all(under=under)

    def video_paths(self) -> list[tuple[int, str]]:
        """Id and path of every video: a tenth of the time of ``videos`` where that is enough."""
        return self._videos.paths()

    def video_by_path(self, path: str | os.PathLike[str]) -> VideoRecord | None:
        """The video at exactly this absolute path."""
        return self._videos.by_path(path)

    def failures(self) -> list[FailureRecord]:
        """Files that could not be indexed, by path."""
        return self._videos.failures()

    def counts(self) -> Counts:
        """How much of everything."""
        with self.snapshot():
            return self._videos.counts()

    def storage_sizes(self) -> StorageSizes:
        """Bytes on disk."""
        database = self._database.path
        cache = self._searcher.caches.folder
        matrix, hnsw = (_bytes(cache, pattern) for pattern in _CACHE_FILES.values())
        return StorageSizes(_bytes(database.parent, database.name + "*"), matrix, hnsw)

    # -- segments -------------------------------------------------------------------------------

    @property
    def segment_count(self) -> int:
        """How many segments there are."""
        return self._segments.count()

    def segments_of(self, video_ids: Sequence[int]) -> dict[int, tuple[SegmentRow, ...]]:
        """The segments of each video in time order; an unknown video has none."""
        return self._segments.of_videos(video_ids)

    def segment_rows(self, segment_ids: Sequence[int] | NDArray[np.int64]) -> dict[int, SegmentRow]:
        """Where these segments are; those of the ids that exist."""
        return self._segments.rows(_list(segment_ids))

    def segment_ids_of(self, video_ids: Sequence[int]) -> NDArray[np.int64]:
        """Ids of all segments of these videos, ascending: what ``nearest`` takes as a filter."""
        return self._segments.ids_of_videos(video_ids)

    def features(
        self, segment_ids: Sequence[int] | NDArray[np.int64]
    ) -> dict[int, tuple[NDArray[np.float32], NDArray[np.float16]]]:
        """Frame times [T] in seconds and features [T, D] of those of the ids that exist."""
        model = self._model_or_error()
        return self._segments.features(_list(segment_ids), dim=model.feature_dim)

    def vectors(
        self, segment_ids: Sequence[int] | NDArray[np.int64]
    ) -> dict[int, NDArray[np.float32]]:
        """Head vectors [V] of those of the ids that exist."""
        model = self._model_or_error()
        return self._segments.vectors(_list(segment_ids), dim=model.vector_dim)

    def all_features(self, *, batch_size: int = 256) -> Iterator[FeatureBatch]:
        """All frame features by segment id, ``batch_size`` segments at a time."""
        model = self._model_or_error()
        return self._segments.feature_batches(dim=model.feature_dim, segments=batch_size)

    # -- searching ------------------------------------------------------------------------------

    def nearest(
        self,
        queries: NDArray[np.float32],
        k: int,
        *,
        strategy: str = "auto",
        segment_ids: NDArray[np.int64] | None = None,
    ) -> Nearest:
        """The k segments of highest inner product for each query.

        Args:
            queries: [Q, V], unit length.
            k: how many for each; fewer come back where there are fewer.
            strategy: ``exact`` scans every vector, ``hnsw`` asks the graph (and builds it if need
                be), ``auto`` takes what is faster now; the answer says which was used.
            segment_ids: only these may be found (see ``segment_ids_of``).

        Raises:
            LibraryError: the queries are of another model.
            UsageError: an unknown strategy, or a negative k.
        """
        if strategy not in _STRATEGIES:
            raise UsageError(
                f"there is no search strategy {strategy!r}", hint=f"one of {', '.join(_STRATEGIES)}"
            )
        if k < 0:
            raise UsageError(f"{k} results were asked for")
        return self._searcher.nearest(queries, k, strategy=strategy, segment_ids=segment_ids)

    @property
    def slower_because(self) -> str:
        """A line on why searches of this library are slower than they could be; mostly empty."""
        return self._searcher.slower_because

    def warm(self) -> None:
        """Load what makes later searches of this process fast (a server, a batch of queries)."""
        self._searcher.warm()

    def problems(self) -> list[str]:
        """Check the database and compare every cached vector with it; empty when all is well."""
        return self._database.problems() or self._searcher.problems()


def _list(ids: Sequence[int] | NDArray[np.int64]) -> Sequence[int]:
    numbers: Sequence[int] = ids.tolist() if isinstance(ids, np.ndarray) else ids
    return numbers


def _bytes(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))

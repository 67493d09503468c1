"""The reading half of a library: everything that needs no lock."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.config import SETTINGS
from c2v.errors import DamagedRowsError, UsageError
from c2v.library.filters import Filter
from c2v.library.lines import SaidLine, SubtitleState
from c2v.library.records import (
    Counts,
    FailureRecord,
    FeatureBatch,
    HnswSettings,
    ModelRecord,
    Nearest,
    SegmentRow,
    StorageSizes,
    Tag,
    VideoRecord,
)
from c2v.library.refusals import empty
from c2v.library.sqlite.cachefile import bytes_of
from c2v.library.sqlite.database import Database
from c2v.library.sqlite.line_table import LineTable
from c2v.library.sqlite.note_table import NoteTable
from c2v.library.sqlite.passing import Passing, PassingVideos
from c2v.library.sqlite.searcher import Searcher
from c2v.library.sqlite.segment_table import SegmentTable
from c2v.library.sqlite.video_table import VideoTable

_CACHE_FILES = {"matrix": "matrix*", "hnsw": "hnsw*"}
_OVER_FETCHED_FROM = 0.2
"""From this share of videos on that pass, the best of all segments are asked for first."""
_FEW_SEGMENTS = 4096
"""So many are read whole to find damage: 60 MB at 12 frames x 512, a tenth of a second."""


class StoreReader:
    """What of a :class:`~c2v.library.store.Store` needs no lock; its promises are said there."""

    def __init__(self, directory: Path, *, create: bool, hnsw: HnswSettings) -> None:
        self.directory = directory
        self._database = Database(directory, create=create)
        self._lines = LineTable(self._database)
        self._videos = VideoTable(self._database, self._lines)
        self._segments = SegmentTable(self._database)
        self._notes = NoteTable(self._database)
        self._searcher = Searcher(directory, self._database, hnsw)
        self._passing = PassingVideos(self._database, self._lines)

    @property
    def address(self) -> str:
        return str(self.directory)

    @property
    def number(self) -> str:
        """Given when the library was made; a copy of the folder has the same."""
        return self._database.uuid

    def close(self) -> None:
        self._database.close()

    @property
    def read_only(self) -> bool:
        """Whether the medium allows no change."""
        return self._database.read_only

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self._database.reading():
            yield

    @property
    def model(self) -> ModelRecord | None:
        return self._database.model()

    def _model_or_error(self) -> ModelRecord:
        model = self._database.model()
        if model is None:
            raise empty(self.directory)
        return model

    # -- videos ---------------------------------------------------------------------------------

    def videos(self, *, under: str | os.PathLike[str] | None = None) -> list[VideoRecord]:
        return self._videos.all(under=under)

    def video_paths(self) -> list[tuple[int, str]]:
        return self._videos.paths()

    def video_by_path(self, path: str | os.PathLike[str]) -> VideoRecord | None:
        return self._videos.by_path(path)

    def partly_read(self) -> list[VideoRecord]:
        return self._videos.partly_read()

    def failures(self) -> list[FailureRecord]:
        return self._videos.failures()

    def tags(self, video_ids: Sequence[int] | None = None) -> list[Tag]:
        """The tags of these videos, or of all, by video and name."""
        return self._notes.tags(video_ids)

    def told_apart(self) -> set[tuple[str, str]]:
        """Pairs of contents that are no duplicates, the smaller id first."""
        return self._notes.told_apart()

    def calibration(self, name: str) -> object | None:
        """What ``write_calibration`` kept under this name; None when there is nothing."""
        return self._notes.calibration(name)

    @property
    def keeps_lines(self) -> bool:
        return self._lines.can_index

    def subtitles(self) -> dict[int, list[SubtitleState]]:
        return self._lines.states()

    def said(
        self, where: Filter, *, limit: int, video_ids: Sequence[int] | None = None
    ) -> list[SaidLine]:
        others = dataclasses.replace(where, said=())
        with self.snapshot():
            passing = None if video_ids is None else set(video_ids)
            if not others.is_open:
                passed = set(self._passing.of(others).video_ids.tolist())
                passing = passed if passing is None else passing & passed
            return list(islice(self._lines.said(where.said, passing), limit))

    def counts(self) -> Counts:
        with self.snapshot():
            return self._videos.counts()

    def storage_sizes(self) -> StorageSizes:
        database = self._database.path
        cache = self._searcher.caches.folder
        matrix, hnsw = (bytes_of(cache, pattern) for pattern in _CACHE_FILES.values())
        return StorageSizes(bytes_of(database.parent, database.name + "*"), matrix, hnsw)

    # -- segments -------------------------------------------------------------------------------

    def segments_of(self, video_ids: Sequence[int]) -> dict[int, tuple[SegmentRow, ...]]:
        return self._segments.of_videos(video_ids)

    def segment_rows(self, segment_ids: Sequence[int] | NDArray[np.int64]) -> dict[int, SegmentRow]:
        return self._segments.rows(_list(segment_ids))

    def features(
        self, segment_ids: Sequence[int] | NDArray[np.int64]
    ) -> dict[int, tuple[NDArray[np.float32], NDArray[np.float16]]]:
        model, wanted = self._model_or_error(), _list(segment_ids)
        found = self._segments.features(wanted, dim=model.feature_dim)
        self._refuse_damaged([key for key in wanted if key not in found])
        return found

    def vectors(
        self, segment_ids: Sequence[int] | NDArray[np.int64]
    ) -> dict[int, NDArray[np.float32]]:
        model, wanted = self._model_or_error(), _list(segment_ids)
        found = self._segments.vectors(wanted, dim=model.vector_dim)
        self._refuse_damaged([key for key in wanted if key not in found])
        return found

    def _refuse_damaged(self, lacking: Sequence[int]) -> None:
        """Raise DamagedRowsError for those that exist of some segments that gave no numbers."""
        rows = self._segments.rows(lacking) if lacking else {}
        if rows:
            paths = sorted({row.path for row in rows.values()})
            raise DamagedRowsError(
                f"what the library {self.directory} holds of {named(paths)} is damaged",
                hint=read_again(paths, self.directory),
                segment_ids=tuple(sorted(rows)),
            )

    def all_features(self, *, batch_size: int = 256) -> Iterator[FeatureBatch]:
        model = self._model_or_error()
        return self._segments.feature_batches(dim=model.feature_dim, segments=batch_size)

    # -- searching ------------------------------------------------------------------------------

    def nearest(
        self,
        queries: NDArray[np.float32],
        k: int,
        *,
        strategy: str = "auto",
        where: Filter | None = None,
    ) -> Nearest:
        if not SETTINGS["strategy"].takes(strategy):
            raise UsageError(
                f"there is no search strategy {strategy!r}", hint=SETTINGS["strategy"].hint
            )
        if k < 0:
            raise UsageError(f"{k} results were asked for")
        with self.snapshot():
            if where is None or where.is_open:
                return self._searcher.nearest(queries, k, strategy=strategy, segment_ids=None)
            return self._nearest_passing(queries, k, strategy, self._passing.of(where))

    def _nearest_passing(
        self, queries: NDArray[np.float32], k: int, strategy: str, passing: Passing
    ) -> Nearest:
        # Where many videos pass, the best of all are asked for, and those that do not are left out:
        # their segments need not be listed, and a graph answers as fast as ever.
        passed = len(passing.video_ids)
        if passed == passing.videos and passing.near is None:
            return self._searcher.nearest(queries, k, strategy=strategy, segment_ids=None)
        many = passed > passing.videos * _OVER_FETCHED_FROM and passing.near is None
        if many and k and len(queries):
            count = 2 * k * passing.videos // passed + 16
            found = self._searcher.nearest(queries, count, strategy=strategy, segment_ids=None)
            passes = self._passing.passes(passing, found.segment_ids.reshape(-1))
            kept = passes.reshape(found.segment_ids.shape)
            if (kept.sum(axis=1) >= k).all():
                columns = np.argsort(~kept, axis=1, kind="stable")[:, :k]  # in their order
                return Nearest(
                    found.strategy,
                    np.take_along_axis(found.scores, columns, axis=1),
                    np.take_along_axis(found.segment_ids, columns, axis=1),
                )
        ids = self._passing.segment_ids(passing)
        return self._searcher.nearest(queries, k, strategy=strategy, segment_ids=ids)

    def unmatched(self, where: Filter) -> list[str]:
        with self.snapshot():
            return list(self._passing.of(where).unmatched)

    def passing(self, where: Filter) -> tuple[int, int]:
        with self.snapshot():
            found = self._passing.of(where)
            return len(found.video_ids), found.videos

    @property
    def slower_because(self) -> str:
        return self._searcher.slower_because

    def leave_out(self, segment_ids: Sequence[int]) -> None:
        with self.snapshot():
            videos = {row.video_id for row in self._segments.rows(segment_ids).values()}
            same = self._segments.ids_of_videos(sorted(videos)).tolist()
            damaged = self._damaged(same) | set(segment_ids)
            self._searcher.leave_out(np.array(sorted(damaged), dtype=np.int64))

    def left_out(self) -> list[str]:
        ids = self._searcher.left_out().tolist()
        return sorted({row.path for row in self._segments.rows(ids).values()}) if ids else []

    def paths_without_vector(self) -> list[str]:
        ids = self._segments.without_vector().tolist()
        return sorted({row.path for row in self._segments.rows(ids).values()}) if ids else []

    def damaged_videos(self, video_ids: Sequence[int]) -> set[int]:
        # All rows are read where these are few; of more videos only what searches have come upon,
        # and what was found when the caches were made, is known.
        with self.snapshot():
            few = len(video_ids) <= _FEW_SEGMENTS  # a video has one at least
            if few and self._segments.count_of_videos(video_ids) <= _FEW_SEGMENTS:
                suspects = self._segments.ids_of_videos(video_ids).tolist()
            else:
                suspects = self._searcher.left_out().tolist()
            rows = self._segments.rows(sorted(self._damaged(suspects))).values()
            return {row.video_id for row in rows} & set(video_ids)

    def _damaged(self, segment_ids: Sequence[int]) -> set[int]:
        model = self._database.model()
        if model is None or not segment_ids:
            return set()
        dims = (model.feature_dim, model.vector_dim)
        return self._segments.damaged(segment_ids, dims=dims)

    def graph_not_kept(self) -> str:
        return self._searcher.caches.not_kept

    def warm(self) -> None:
        self._searcher.warm()

    def problems(self) -> list[str]:
        return self._database.problems() or self._row_problems() + self._searcher.problems()

    def _row_problems(self) -> list[str]:
        """Segments whose rows are not what was written, by video."""
        with self.snapshot():
            rows = self._segments.rows(sorted(self._damaged(self._segments.ids().tolist())))
        paths = sorted({row.path for row in rows.values()})
        return [f"what is stored of {path} is damaged" for path in paths]


def _list(ids: Sequence[int] | NDArray[np.int64]) -> Sequence[int]:
    numbers: Sequence[int] = ids.tolist() if isinstance(ids, np.ndarray) else ids
    return numbers


def named(paths: Sequence[str]) -> str:
    """Some paths in a sentence: the first, and how many more."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"


def read_again(paths: Sequence[str], library: Path) -> str:
    """The command that reads the first of these videos again."""
    import shlex  # only here: it costs a millisecond

    return f"read it again: c2v index {shlex.quote(paths[0])} --library {shlex.quote(str(library))}"

"""Which videos and segments pass a filter, by SQL over indexes; kept for as long as it holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2v.library.filters import Filter, chosen_by_path
from c2v.library.sqlite.database import Database
from c2v.library.sqlite.video_table import VideoTable

_RECORDED = "coalesce(recorded_at, mtime_ns / 1e9)"
_FEW = 2000
"""Segments of so many videos are looked up one by one; of more, all segments are read in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Passing:
    """What passes: ids of segments [N], ascending, the number of videos, and unmatched paths."""

    segment_ids: NDArray[np.int64]
    videos: int
    unmatched: tuple[str, ...]


class PassingVideos:
    """Answers filters; the last answer is kept until the library or the filter is another."""

    def __init__(self, database: Database, videos: VideoTable) -> None:
        self._database = database
        self._videos = videos
        self._last: tuple[tuple[int, Filter], Passing] | None = None

    def of(self, where: Filter) -> Passing:
        """What passes now; the caller holds a snapshot.

        Raises:
            PatternError: a pattern that means nothing at all.
        """
        seen = (self._database.view, where)
        if self._last is None or self._last[0] != seen:
            self._last = seen, self._found(where)
        return self._last[1]

    def _found(self, where: Filter) -> Passing:
        chosen: NDArray[np.int64] | None = None
        unmatched: tuple[str, ...] = ()
        if where.looks_at_rows:
            chosen = self._by_rows(where)
        if where.paths or where.extensions:
            by_path, unmatched = chosen_by_path(where, self._videos.paths())
            mine = np.sort(np.array(by_path, dtype=np.int64))
            chosen = mine if chosen is None else np.intersect1d(chosen, mine, assume_unique=True)
        if chosen is None:
            chosen = self._ids("SELECT id FROM video ORDER BY id")
        return Passing(self._segments_of(chosen), len(chosen), unmatched)

    def _by_rows(self, where: Filter) -> NDArray[np.int64]:
        """Ids, ascending, of videos by what their rows say."""
        terms: list[str] = []
        values: list[object] = []
        for term, value in (
            (f"{_RECORDED} >= ?", where.since),
            (f"{_RECORDED} < ?", where.until),
            ("duration_seconds >= ?", where.min_duration),
            ("duration_seconds <= ?", where.max_duration),
            ("height >= ?", where.min_height),
        ):
            if value is not None:
                terms.append(term)
                values.append(value)
        if where.tags:
            marks = ", ".join("?" * len(where.tags))
            terms.append(f"id IN (SELECT video_id FROM tag WHERE name IN ({marks}))")
            values += where.tags
        return self._ids(f"SELECT id FROM video WHERE {' AND '.join(terms)} ORDER BY id", *values)

    def _segments_of(self, videos: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ids, ascending, of all segments of these videos (ids, ascending)."""
        if len(videos) <= _FEW:
            found = self._database.all_in(
                "SELECT id FROM segment WHERE video_id IN", videos.tolist()
            )
            return np.sort(np.fromiter((row[0] for row in found), dtype=np.int64))
        # The index of videos and positions holds both columns: no row of a segment is read.
        pairs = np.array(
            self._database.all("SELECT id, video_id FROM segment INDEXED BY segment_video"),
            dtype=np.int64,
        ).reshape(-1, 2)
        place = np.searchsorted(videos, pairs[:, 1])
        inside = videos[np.minimum(place, len(videos) - 1)] == pairs[:, 1]
        return np.sort(pairs[inside, 0])

    def _ids(self, query: str, *values: object) -> NDArray[np.int64]:
        rows = self._database.all(query, *values)
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))

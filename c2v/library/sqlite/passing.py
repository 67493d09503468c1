"""Which videos and segments pass a filter, by SQL over indexes; kept for as long as it holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2v.library.filters import NEAR_SECONDS, Filter
from c2v.library.sqlite.database import Database
from c2v.library.sqlite.line_table import LineTable
from c2v.library.sqlite.paths import decode_path, encode_path, folder_range

_RECORDED = "coalesce(recorded_at, mtime_ns / 1e9)"
_FEW = 500
"""Segments of so many videos are looked up one by one; of more, all segments are read in order."""


_Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Passing:
    """Ids of the videos that pass, ascending, how many there are in all, and unmatched paths."""

    video_ids: _Ids
    videos: int
    unmatched: tuple[str, ...]
    near: _Ids | None = None
    """Segments, ascending, near what has to be said; None where nothing has to be."""


class PassingVideos:
    """Answers filters; the last answer is kept until the library or the filter is another."""

    def __init__(self, database: Database, lines: LineTable) -> None:
        self._database = database
        self._lines = lines
        self._last: tuple[object, Passing] | None = None
        self._segments: tuple[Passing, _Ids] | None = None

    def of(self, where: Filter) -> Passing:
        """What passes now; the caller holds a snapshot.

        Raises:
            PatternError: a pattern that means nothing at all.
        """
        here = os.getcwd() if where.paths else ""  # noqa: PTH109 - relative ones begin there
        seen = (self._database.state(), where, here)
        if self._last is None or self._last[0] != seen:
            self._last = seen, self._found(where)
        return self._last[1]

    def _found(self, where: Filter) -> Passing:
        videos = int(self._database.all("SELECT count(*) FROM video")[0][0])
        by_path, unmatched = self._by_paths(where.paths) if where.paths else (None, ())
        terms = list(_terms(where))
        chosen = by_path
        if terms or by_path is None:
            words, values = [term for term, _ in terms], [v for _, some in terms for v in some]
            query = f"SELECT id FROM video WHERE {' AND '.join(words) or 'true'} ORDER BY id"
            by_rows = self._ids(query, *values)
            chosen = by_rows if chosen is None else _both(chosen, by_rows)
        assert chosen is not None
        if not where.said:
            return Passing(chosen, videos, unmatched)
        in_videos, near = self._lines.near(where.said, seconds=NEAR_SECONDS)
        return Passing(_both(chosen, in_videos), videos, unmatched, near)

    def segment_ids(self, passing: Passing) -> _Ids:
        """Ids, ascending, of all segments of what passes; kept like it."""
        if self._segments is None or self._segments[0] is not passing:
            ids = self._segments_of(passing.video_ids)
            self._segments = passing, ids if passing.near is None else _both(ids, passing.near)
        return self._segments[1]

    def passes(self, passing: Passing, segment_ids: _Ids) -> NDArray[np.bool_]:
        """Which of some segments [N] are of videos that pass."""
        query = "SELECT id, video_id FROM segment WHERE id IN"
        video_of: dict[int, int] = dict(self._database.all_in(query, segment_ids.tolist()))
        videos = np.array([video_of.get(key, -1) for key in segment_ids.tolist()], np.int64)
        place = np.minimum(np.searchsorted(passing.video_ids, videos), len(passing.video_ids) - 1)
        found: NDArray[np.bool_] = passing.video_ids[place] == videos
        return found

    def _by_paths(self, patterns: Sequence[str]) -> tuple[_Ids, tuple[str, ...]]:
        """Ids, ascending, of the videos that paths and patterns mean, and those that mean none."""
        from c2v.paths.patterns import PathPattern, select  # most searches give none: 4 ms

        found: list[_Ids] = []
        others: list[str] = []
        for text in patterns:
            place = PathPattern(text) if text and os.name == "posix" else None
            ids = self._at(place.places) if place else np.empty(0, np.int64)
            found.append(ids)
            if not len(ids):
                others.append(text)
        unmatched: tuple[str, ...] = ()
        if others:
            rows = self._database.all("SELECT id, path FROM video")
            meant, left = select(others, [decode_path(path) for _, path in rows])
            found.append(np.array([rows[row][0] for row in meant], np.int64))
            unmatched = tuple(left)
        ids = np.sort(np.concatenate(found))
        return ids[np.diff(ids, prepend=-1) != 0], unmatched

    def _at(self, places: Iterable[str]) -> _Ids:
        """Ids of the videos at some places and below: ranges of the index of paths."""
        found = []
        for place in places:
            found.append(
                self._ids(
                    "SELECT id FROM video WHERE path = ? OR (path >= ? AND path < ?)",
                    encode_path(place),
                    *folder_range(place),
                )
            )
        return np.concatenate(found)

    def _segments_of(self, videos: _Ids) -> _Ids:
        """Ids, ascending, of all segments of these videos (ids, ascending)."""
        if len(videos) <= _FEW:
            rows = self._database.all_in(
                "SELECT id FROM segment WHERE video_id IN", videos.tolist()
            )
            return np.sort(np.fromiter((row[0] for row in rows), dtype=np.int64))
        # By its index alone; a video's segments are mostly written together, under ids in a row.
        runs = np.array(
            self._database.all(
                "SELECT video_id, min(id), max(id), count(*) FROM segment INDEXED BY segment_video "
                "GROUP BY video_id"
            ),
            dtype=np.int64,
        ).reshape(-1, 4)
        place = np.minimum(np.searchsorted(videos, runs[:, 0]), len(videos) - 1)
        runs = runs[videos[place] == runs[:, 0]]
        whole = runs[:, 2] - runs[:, 1] + 1 == runs[:, 3]
        counts = runs[whole, 3]
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        ids = np.repeat(runs[whole, 1], counts) + offsets
        scattered = self._database.all_in(
            "SELECT id FROM segment WHERE video_id IN", runs[~whole, 0].tolist()
        )
        rest = np.fromiter((row[0] for row in scattered), dtype=np.int64)
        return np.sort(np.concatenate([ids, rest]))

    def _ids(self, query: str, *values: object) -> _Ids:
        rows = self._database.all(query, *values)
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))


def _both(first: _Ids, second: _Ids) -> _Ids:
    """What is in both of two ascending arrays."""
    if not len(second):
        return second
    place = np.minimum(np.searchsorted(second, first), len(second) - 1)
    both: _Ids = first[second[place] == first]
    return both


def _terms(where: Filter) -> Iterator[tuple[str, tuple[object, ...]]]:
    """What is asked of the rows of videos, as SQL with its values."""
    for term, value in (
        (f"{_RECORDED} >= ?", where.since),
        (f"{_RECORDED} < ?", where.until),
        ("duration_seconds >= ?", where.min_duration),
        ("duration_seconds <= ?", where.max_duration),
        ("height >= ?", where.min_height),
    ):
        if value is not None:
            yield term, (value,)
    if where.tags:
        marks = ", ".join("?" * len(where.tags))
        yield f"id IN (SELECT video_id FROM tag WHERE name IN ({marks}))", where.tags
    if where.extensions:
        # Paths are bytes: of their end only, so that nothing of a name is taken for text.
        ends = [f".{extension}" for extension in where.extensions]
        term = " OR ".join(
            f"lower(CAST(substr(path, -{len(os.fsencode(end))}) AS TEXT)) = ?" for end in ends
        )
        yield f"({term})", tuple(ends)

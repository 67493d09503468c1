"""Segments, head vectors and frame features in the database.

Numbers are little-endian BLOBs: times and vectors float32, features float16. Vectors keep all
32 bits: at 4 of about 17 bytes stored per segment and dimension they are the small part, and the
order of near ties then is the model's own (measured in ``tests/library/README.md``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from c2v.library.database import Database, Row
from c2v.library.records import FeatureBatch, SegmentData, SegmentRecord

_COLUMNS = "id, video_id, position, start_seconds, end_seconds, times"
_ROWS_AT_ONCE = 1024
_LAST_ID = 2**63 - 1

VectorRows = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Some segment ids [N], ascending, and their vectors [N, V]."""


class SegmentTable:
    """Reads and writes of ``segment``, ``vector`` and ``feature``; the caller transacts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, video_id: int, position: int, segment: SegmentData) -> int:
        """Store one segment of a video; returns its id."""
        cursor = self._database.execute(
            "INSERT INTO segment (video_id, position, start_seconds, end_seconds, times) "
            "VALUES (?, ?, ?, ?, ?)",
            video_id,
            position,
            float(segment.start_seconds),
            float(segment.end_seconds),
            segment.times.astype("<f4").tobytes(),
        )
        segment_id = int(cursor.lastrowid or 0)
        self._database.execute(
            "INSERT INTO feature VALUES (?, ?)",
            segment_id,
            segment.features.astype("<f2").tobytes(),
        )
        self.write_vectors([segment_id], segment.vector[np.newaxis])
        return segment_id

    def write_vectors(self, segment_ids: Iterable[int], vectors: NDArray[np.float32]) -> None:
        """Store head vectors [N, V] of N segments that have none."""
        packed = vectors.astype("<f4")
        self._database.execute_many(
            "INSERT INTO vector VALUES (?, ?)",
            ((int(key), row.tobytes()) for key, row in zip(segment_ids, packed, strict=True)),
        )
        self._database.vectors_change()

    def drop_vectors(self) -> None:
        """Delete every head vector (a new head is about to write them all)."""
        self._database.execute("DELETE FROM vector")
        self._database.vectors_change()

    def of_videos(self, video_ids: Sequence[int]) -> dict[int, tuple[SegmentRecord, ...]]:
        """The segments of each video, in time order; unknown videos have none."""
        rows = self._database.all_in(f"SELECT {_COLUMNS} FROM segment WHERE video_id IN", video_ids)
        records = sorted(map(_segment, rows), key=lambda s: (s.video_id, s.position))
        found = {key: tuple(group) for key, group in groupby(records, key=lambda s: s.video_id)}
        return {int(key): found.get(int(key), ()) for key in video_ids}

    def by_id(self, segment_ids: Sequence[int]) -> dict[int, SegmentRecord]:
        """The segments of these ids; ids that do not exist are left out."""
        rows = self._database.all_in(f"SELECT {_COLUMNS} FROM segment WHERE id IN", segment_ids)
        return {segment.id: segment for segment in map(_segment, rows)}

    def ids_of_videos(self, video_ids: Sequence[int]) -> NDArray[np.int64]:
        """The ids of all segments of these videos, ascending."""
        rows = self._database.all_in("SELECT id FROM segment WHERE video_id IN", video_ids)
        return np.sort(np.fromiter((row[0] for row in rows), dtype=np.int64))

    def ids(self, *, after: int = 0, up_to: int = _LAST_ID) -> NDArray[np.int64]:
        """All ids above ``after`` and at or below ``up_to``, ascending."""
        chunks = self._database.each(
            "SELECT id FROM segment WHERE id > ? AND id <= ? ORDER BY id", after, up_to, rows=65536
        )
        parts = [np.array([row[0] for row in chunk], dtype=np.int64) for chunk in chunks]
        return np.concatenate([np.empty(0, dtype=np.int64), *parts])

    def count(self, *, up_to: int = _LAST_ID) -> int:
        """How many segments there are at or below an id."""
        return int(self._database.all("SELECT count(*) FROM segment WHERE id <= ?", up_to)[0][0])

    def count_vectors(self) -> int:
        """How many segments have a head vector (all, outside of a re-embedding)."""
        return int(self._database.all("SELECT count(*) FROM vector")[0][0])

    def vector_rows(self, *, after: int, dim: int) -> Iterator[VectorRows]:
        """Vectors of all segments with an id above ``after``, ascending, in bounded chunks."""
        chunks = self._database.each(
            "SELECT segment_id, vector FROM vector WHERE segment_id > ? ORDER BY segment_id",
            after,
            rows=_ROWS_AT_ONCE,
        )
        for chunk in chunks:
            yield (
                np.array([row[0] for row in chunk], dtype=np.int64),
                _vectors([row[1] for row in chunk], dim),
            )

    def vectors(self, segment_ids: Sequence[int], *, dim: int) -> dict[int, NDArray[np.float32]]:
        """The head vectors [V] of these segments; ids that do not exist are left out."""
        rows = self._database.all_in(
            "SELECT segment_id, vector FROM vector WHERE segment_id IN", segment_ids
        )
        return {key: _vectors([blob], dim)[0] for key, blob in rows}

    def features(self, segment_ids: Sequence[int], *, dim: int) -> dict[int, NDArray[np.float16]]:
        """The frame features [T, D] of these segments; ids that do not exist are left out."""
        rows = self._database.all_in(
            "SELECT segment_id, features FROM feature WHERE segment_id IN", segment_ids
        )
        return {key: _features(blob, dim) for key, blob in rows}

    def feature_batches(self, *, dim: int, segments: int) -> Iterator[FeatureBatch]:
        """All frame features by segment id, ``segments`` of them at a time."""
        after = 0
        while True:
            # A fresh query a batch, not one open cursor: the caller may write in between.
            rows = self._database.all(
                "SELECT segment_id, features FROM feature WHERE segment_id > ? "
                "ORDER BY segment_id LIMIT ?",
                after,
                segments,
            )
            if not rows:
                return
            after = int(rows[-1][0])
            yield FeatureBatch(
                np.array([row[0] for row in rows], dtype=np.int64),
                tuple(_features(row[1], dim) for row in rows),
            )


def _segment(row: Row) -> SegmentRecord:
    key, video_id, position, start, end, times = row
    seconds = np.frombuffer(times, dtype="<f4").astype(np.float32, copy=False)
    return SegmentRecord(key, video_id, position, start, end, seconds)


def _vectors(blobs: list[bytes], dim: int) -> NDArray[np.float32]:
    joined = np.frombuffer(b"".join(blobs), dtype="<f4").astype(np.float32, copy=False)
    return joined.reshape(len(blobs), dim)


def _features(blob: bytes, dim: int) -> NDArray[np.float16]:
    return np.frombuffer(blob, dtype="<f2").astype(np.float16, copy=False).reshape(-1, dim)

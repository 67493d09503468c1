"""Segments, head vectors and frame features in the database.

Numbers are little-endian BLOBs: times and vectors float32, features float16. Vectors keep all
32 bits: float16 would save 0.3 MB of the 5.8 MB that an hour of video takes (512-d), and was
measured (50,000 x 1024, clustered) to change scores by up to 2e-4 and the place of one segment in
ten in a full ranking of 2,000, if not the ten best; int8 loses one of a hundred of these too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from c2v.library.database import Database, Row
from c2v.library.paths import decode_path
from c2v.library.records import FeatureBatch, SegmentData, SegmentRow

_PLACE = (
    "SELECT segment.id, video_id, path, start_seconds, end_seconds, duration_seconds "
    "FROM segment JOIN video ON video.id = video_id"
)
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

    def copy(self, from_video: int, to_video: int) -> None:
        """Give a video the segments of another one, features and vectors included."""
        rows = self._database.all(
            "SELECT id FROM segment WHERE video_id = ? ORDER BY position", from_video
        )
        for (segment_id,) in rows:
            cursor = self._database.execute(
                "INSERT INTO segment (video_id, position, start_seconds, end_seconds, times) "
                "SELECT ?, position, start_seconds, end_seconds, times FROM segment WHERE id = ?",
                to_video,
                segment_id,
            )
            for table, column in (("feature", "features"), ("vector", "vector")):
                self._database.execute(
                    f"INSERT INTO {table} SELECT ?, {column} FROM {table} WHERE segment_id = ?",
                    cursor.lastrowid,
                    segment_id,
                )
        self._database.vectors_change()

    def of_videos(self, video_ids: Sequence[int]) -> dict[int, tuple[SegmentRow, ...]]:
        """The segments of each video, in time order; unknown videos have none."""
        found: dict[int, list[SegmentRow]] = {int(key): [] for key in video_ids}
        rows = self._database.all_in(f"{_PLACE} WHERE video_id IN", video_ids)
        for segment in sorted(map(_place, rows), key=lambda row: row.segment_id):
            found[segment.video_id].append(segment)
        return {key: tuple(segments) for key, segments in found.items()}

    def rows(self, segment_ids: Sequence[int]) -> dict[int, SegmentRow]:
        """Where these segments are; ids that do not exist are left out."""
        rows = self._database.all_in(f"{_PLACE} WHERE segment.id IN", segment_ids)
        return {row.segment_id: row for row in map(_place, rows)}

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

    def features(
        self, segment_ids: Sequence[int], *, dim: int
    ) -> dict[int, tuple[NDArray[np.float32], NDArray[np.float16]]]:
        """Times [T] and features [T, D] of these segments; ids that do not exist are left out."""
        rows = self._database.all_in(
            "SELECT segment_id, times, features FROM feature JOIN segment ON id = segment_id "
            "WHERE segment_id IN",
            segment_ids,
        )
        return {key: (_floats(times), _features(blob, dim)) for key, times, blob in rows}

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


def _place(row: Row) -> SegmentRow:
    segment_id, video_id, path, *seconds = row
    return SegmentRow(segment_id, video_id, decode_path(path), *seconds)


def _floats(blob: bytes) -> NDArray[np.float32]:
    return np.frombuffer(blob, dtype="<f4").astype(np.float32, copy=False)


def _vectors(blobs: list[bytes], dim: int) -> NDArray[np.float32]:
    return _floats(b"".join(blobs)).reshape(len(blobs), dim)


def _features(blob: bytes, dim: int) -> NDArray[np.float16]:
    return np.frombuffer(blob, dtype="<f2").astype(np.float16, copy=False).reshape(-1, dim)

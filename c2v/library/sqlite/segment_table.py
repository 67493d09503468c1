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

from c2v.library.records import FeatureBatch, SegmentData, SegmentRow
from c2v.library.sqlite import checksums
from c2v.library.sqlite.database import Database, Row
from c2v.library.sqlite.paths import decode_path

_PLACE = (
    "SELECT segment.id, video_id, path, start_seconds, end_seconds, duration_seconds "
    "FROM segment JOIN video ON video.id = video_id"
)
_ROWS_AT_ONCE = 1024
_FEATURES_AT_ONCE = 256
_LAST_ID = 2**63 - 1
_EXISTING = "SELECT id FROM segment WHERE id IN"

_VECTOR = (
    "SELECT segment.id, CAST(vector AS BLOB), vector_crc FROM segment "
    "LEFT JOIN vector ON vector.segment_id = segment.id "
    "LEFT JOIN checksum ON checksum.segment_id = segment.id"
)
_FRAMES = (
    "SELECT segment.id, start_seconds, end_seconds, CAST(times AS BLOB), CAST(features AS BLOB), "
    "frames_crc FROM segment LEFT JOIN feature ON feature.segment_id = segment.id "
    "LEFT JOIN checksum ON checksum.segment_id = segment.id"
)

VectorRows = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]
"""Some segment ids [N], ascending, their vectors [N, V], and which of them are sound [N].

A vector that is not what was written, or is not there, is a row of zeros.
"""


class SegmentTable:
    """Reads and writes of ``segment``, ``vector``, ``feature`` and ``checksum``.

    The caller transacts. What is read is compared with its checksum.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, video_id: int, position: int, segment: SegmentData) -> int:
        """Store one segment of a video; returns its id."""
        start, end = float(segment.start_seconds), float(segment.end_seconds)
        times, features = segment.times.astype("<f4").tobytes(), segment.features.astype("<f2")
        vector, frames = segment.vector.astype("<f4").tobytes(), features.tobytes()
        cursor = self._database.execute(
            "INSERT INTO segment (video_id, position, start_seconds, end_seconds, times) "
            "VALUES (?, ?, ?, ?, ?)",
            video_id,
            position,
            start,
            end,
            times,
        )
        segment_id = int(cursor.lastrowid or 0)
        self._database.execute("INSERT INTO feature VALUES (?, ?)", segment_id, frames)
        self._database.execute("INSERT INTO vector VALUES (?, ?)", segment_id, vector)
        self._database.execute(
            "INSERT INTO checksum VALUES (?, ?, ?)",
            segment_id,
            checksums.of_vector(vector),
            checksums.of_frames(start, end, times, frames),
        )
        self._database.vectors_change()
        return segment_id

    def write_vectors(self, segment_ids: Iterable[int], vectors: NDArray[np.float32]) -> None:
        """Store head vectors [N, V] of N segments that have none."""
        packed = vectors.astype("<f4")
        rows = [(int(k), row.tobytes()) for k, row in zip(segment_ids, packed, strict=True)]
        self._database.execute_many("INSERT INTO vector VALUES (?, ?)", rows)
        self._database.execute_many(
            "UPDATE checksum SET vector_crc = ? WHERE segment_id = ?",
            ((checksums.of_vector(vector), key) for key, vector in rows),
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
            for table, columns in (
                ("feature", "features"),
                ("vector", "vector"),
                ("checksum", "vector_crc, frames_crc"),
            ):
                self._database.execute(
                    f"INSERT INTO {table} SELECT ?, {columns} FROM {table} WHERE segment_id = ?",
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

    def count_of_videos(self, video_ids: Sequence[int]) -> int:
        """How many segments these videos have."""
        rows = self._database.all_in("SELECT id FROM segment WHERE video_id IN", video_ids)
        return sum(1 for _ in rows)

    def vector_rows(self, *, after: int, dim: int) -> Iterator[VectorRows]:
        """Vectors of all segments with an id above ``after``, ascending, in bounded chunks."""
        chunks = self._database.each(
            f"{_VECTOR} WHERE segment.id > ? ORDER BY segment.id", after, rows=_ROWS_AT_ONCE
        )
        nothing = bytes(4 * dim)
        for chunk in chunks:
            sound = [checksums.is_sound_vector(blob, crc, dim=dim) for _, blob, crc in chunk]
            blobs = [row[1] if good else nothing for row, good in zip(chunk, sound, strict=True)]
            yield (
                np.array([row[0] for row in chunk], dtype=np.int64),
                _floats(b"".join(blobs)).reshape(len(blobs), dim),
                np.array(sound, dtype=np.bool_),
            )

    def vectors(self, segment_ids: Sequence[int], *, dim: int) -> dict[int, NDArray[np.float32]]:
        """The head vectors [V] of these segments; those that are damaged or gone are left out."""
        rows = self._database.all_in(f"{_VECTOR} WHERE segment.id IN", segment_ids)
        return {
            key: _floats(blob)
            for key, blob, crc in rows
            if checksums.is_sound_vector(blob, crc, dim=dim)
        }

    def features(
        self, segment_ids: Sequence[int], *, dim: int
    ) -> dict[int, tuple[NDArray[np.float32], NDArray[np.float16]]]:
        """Times [T] and features [T, D]; segments that are damaged or gone are left out."""
        rows = self._database.all_in(f"{_FRAMES} WHERE segment.id IN", segment_ids)
        return {
            key: (_floats(times), _features(blob, dim))
            for key, start, end, times, blob, crc in rows
            if checksums.are_sound_frames(start, end, times, blob, crc, dim=dim)
        }

    def sound(self, segment_ids: Sequence[int], *, dims: tuple[int, int]) -> set[int]:
        """Those of the segments whose frames and vector are what was written.

        Args:
            dims: of features and of vectors.
        """
        found: set[int] = set()
        for start in range(0, len(segment_ids), _FEATURES_AT_ONCE):
            some = segment_ids[start : start + _FEATURES_AT_ONCE]
            frames = self.features(some, dim=dims[0]).keys()
            found |= frames & self.vectors(some, dim=dims[1]).keys()
        return found

    def damaged(self, segment_ids: Sequence[int], *, dims: tuple[int, int]) -> set[int]:
        """Those of the segments that exist and are not sound."""
        present = {row[0] for row in self._database.all_in(_EXISTING, segment_ids)}
        return present - self.sound(segment_ids, dims=dims)

    def without_vector(self) -> NDArray[np.int64]:
        """Segments that have no head vector, ascending."""
        rows = self._database.all(
            "SELECT id FROM segment WHERE id NOT IN (SELECT segment_id FROM vector) ORDER BY id"
        )
        return np.array([row[0] for row in rows], dtype=np.int64)

    def feature_batches(self, *, dim: int, segments: int) -> Iterator[FeatureBatch]:
        """All sound frame features by segment id, ``segments`` of them at a time."""
        after = 0
        while True:
            # A fresh query a batch, not one open cursor: the caller may write in between.
            rows = self._database.all(
                f"{_FRAMES} WHERE segment.id > ? ORDER BY segment.id LIMIT ?", after, segments
            )
            if not rows:
                return
            after = int(rows[-1][0])
            sound = [row for row in rows if checksums.are_sound_frames(*row[1:], dim=dim)]
            if sound:
                yield FeatureBatch(
                    np.array([row[0] for row in sound], dtype=np.int64),
                    tuple(_features(row[4], dim) for row in sound),
                )


def _place(row: Row) -> SegmentRow:
    segment_id, video_id, path, *seconds = row
    return SegmentRow(segment_id, video_id, decode_path(path), *seconds)


def _floats(blob: bytes) -> NDArray[np.float32]:
    return np.frombuffer(blob, dtype="<f4").astype(np.float32, copy=False)


def _features(blob: bytes, dim: int) -> NDArray[np.float16]:
    return np.frombuffer(blob, dtype="<f2").astype(np.float16, copy=False).reshape(-1, dim)

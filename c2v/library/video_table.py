"""Videos and failures in the database."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence

from c2v.library.database import Database, Row
from c2v.library.paths import decode_path, encode_path, folder_range
from c2v.library.records import Counts, FailureRecord, VideoData, VideoRecord

_COLUMNS = (
    "path, size_bytes, mtime_ns, content_id, duration_seconds, width, height, codec, sampling, "
    "indexed_at, problems"
)
_SELECT = f"SELECT {_COLUMNS}, id FROM video"


class VideoTable:
    """Reads and writes of ``video`` and ``failure``; the caller opens the transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, *, under: str | None = None) -> list[VideoRecord]:
        """All videos, or those in a folder and below, by path."""
        if under is None:
            rows = self._database.all(f"{_SELECT} ORDER BY path")
        else:
            low, high = folder_range(under)
            rows = self._database.all(
                f"{_SELECT} WHERE path >= ? AND path < ? ORDER BY path", low, high
            )
        return [_video(row) for row in rows]

    def by_path(self, path: str) -> VideoRecord | None:
        """The video at exactly this path."""
        rows = self._database.all(f"{_SELECT} WHERE path = ?", encode_path(path))
        return _video(rows[0]) if rows else None

    def by_content(self, content_id: str) -> list[VideoRecord]:
        """Videos of this content, by path: the original and its copies."""
        rows = self._database.all(f"{_SELECT} WHERE content_id = ? ORDER BY path", content_id)
        return [_video(row) for row in rows]

    def by_id(self, video_ids: Sequence[int]) -> dict[int, VideoRecord]:
        """The videos of these ids; ids that do not exist are left out."""
        rows = self._database.all_in(f"{_SELECT} WHERE id IN", video_ids)
        return {video.id: video for video in map(_video, rows)}

    def replace(self, video: VideoData) -> int:
        """Store a video in place of what its path held before; returns its new id."""
        path = encode_path(video.path)
        self._database.execute("DELETE FROM video WHERE path = ?", path)
        self._database.execute("DELETE FROM failure WHERE path = ?", path)
        cursor = self._database.execute(
            f"INSERT INTO video ({_COLUMNS}) VALUES ({', '.join('?' * 11)})",
            path,
            video.size_bytes,
            video.mtime_ns,
            video.content_id,
            video.duration_seconds,
            video.width,
            video.height,
            video.codec,
            video.sampling,
            video.indexed_at,
            json.dumps(video.problems),
        )
        self._database.vectors_change()
        return int(cursor.lastrowid or 0)

    def move(self, video_id: int, path: str, *, size_bytes: int, mtime_ns: int) -> bool:
        """Give a video another path (the row which that path had goes); False if unknown."""
        stored = encode_path(path)
        replaced = self._database.execute(
            "DELETE FROM video WHERE path = ? AND id <> ?", stored, video_id
        )
        if replaced.rowcount > 0:
            self._database.vectors_change()
        self._database.execute("DELETE FROM failure WHERE path = ?", stored)
        moved = self._database.execute(
            "UPDATE video SET path = ?, size_bytes = ?, mtime_ns = ? WHERE id = ?",
            stored,
            size_bytes,
            mtime_ns,
            video_id,
        )
        return moved.rowcount == 1

    def touch(self, video_id: int, *, size_bytes: int, mtime_ns: int) -> bool:
        """Same content, new size or time stamp on disk; False if unknown."""
        touched = self._database.execute(
            "UPDATE video SET size_bytes = ?, mtime_ns = ? WHERE id = ?",
            size_bytes,
            mtime_ns,
            video_id,
        )
        return touched.rowcount == 1

    def remove(self, video_ids: Iterable[int]) -> int:
        """Forget videos with all that belongs to them; returns how many there were."""
        count = 0
        for video_id in video_ids:
            count += self._database.execute(
                "DELETE FROM video WHERE id = ?", int(video_id)
            ).rowcount
        if count:
            self._database.vectors_change()
        return count

    def remove_all(self) -> None:
        """Forget every video; failures stay, they do not depend on a model."""
        self._database.execute("DELETE FROM video")
        self._database.vectors_change()

    def write_failure(self, path: str, *, size_bytes: int, mtime_ns: int, reason: str) -> None:
        """Remember that this state of this file could not be indexed."""
        self._database.execute(
            "INSERT OR REPLACE INTO failure VALUES (?, ?, ?, ?, ?)",
            encode_path(path),
            size_bytes,
            mtime_ns,
            reason,
            time.time(),
        )

    def clear_failures(self, paths: Iterable[str]) -> None:
        """Forget the failures of these paths."""
        self._database.execute_many(
            "DELETE FROM failure WHERE path = ?", [(encode_path(path),) for path in paths]
        )

    def failures(self) -> list[FailureRecord]:
        """All remembered failures, by path."""
        rows = self._database.all(
            "SELECT path, size_bytes, mtime_ns, reason, failed_at FROM failure ORDER BY path"
        )
        return [FailureRecord(decode_path(path), *rest) for path, *rest in rows]

    def counts(self) -> Counts:
        """How much there is of everything."""
        videos, seconds = self._database.all(
            "SELECT count(*), coalesce(sum(duration_seconds), 0.0) FROM video"
        )[0]
        # length() of a BLOB is in the row's header: no frame time is read.
        segments, frames = self._database.all(
            "SELECT count(*), coalesce(sum(length(times)), 0) / 4 FROM segment"
        )[0]
        failures = self._database.all("SELECT count(*) FROM failure")[0][0]
        return Counts(videos, segments, frames, seconds, failures)


def _video(row: Row) -> VideoRecord:
    path, size, mtime, content, seconds, width, height, codec, sampling, at, problems, key = row
    return VideoRecord(
        id=key,
        path=decode_path(path),
        size_bytes=size,
        mtime_ns=mtime,
        content_id=content,
        duration_seconds=seconds,
        width=width,
        height=height,
        codec=codec,
        sampling=sampling,
        indexed_at=at,
        problems=tuple(json.loads(problems)),
    )

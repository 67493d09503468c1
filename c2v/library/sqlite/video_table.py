"""Videos and failures in the database."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable

from c2v.library.records import Counts, FailureRecord, NewVideo, VideoRecord
from c2v.library.sqlite.database import Database, Row
from c2v.library.sqlite.line_table import LineTable
from c2v.library.sqlite.paths import decode_path, encode_path, folder_range

_REST = (
    "size_bytes, mtime_ns, indexed_at, content_id, duration_seconds, width, height, codec, "
    "sampling, problems, recorded_at"
)
_SELECT = f"SELECT path, {_REST}, id FROM video"
_PATHS = "SELECT id, path FROM video"
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


def as_stored(number: int) -> int:
    """A size or a time stamp as SQLite can hold it: the nearest of 64 bits.

    A file may say that it was changed in the year 2500, which is more nanoseconds than that.
    """
    return min(max(number, _LOWEST), _HIGHEST)


class VideoTable:
    """Reads and writes of ``video`` and ``failure``; the caller opens the transaction."""

    def __init__(self, database: Database, lines: LineTable) -> None:
        self._database = database
        self._lines = lines

    def all(self, *, under: str | os.PathLike[str] | None = None) -> list[VideoRecord]:
        """All videos, or those in a folder and below, by path."""
        if under is None:
            rows = self._database.all(f"{_SELECT} ORDER BY path")
        else:
            low, high = folder_range(under)
            rows = self._database.all(
                f"{_SELECT} WHERE path >= ? AND path < ? ORDER BY path", low, high
            )
        return [_video(row) for row in rows]

    def paths(self) -> list[tuple[int, str]]:
        """Id and path of every video."""
        return [(key, decode_path(path)) for key, path in self._database.all(_PATHS)]

    def partly_read(self) -> list[VideoRecord]:
        """All videos with problems, by path."""
        rows = self._database.all(f"{_SELECT} WHERE problems != '[]' ORDER BY path")
        return [_video(row) for row in rows]

    def by_path(self, path: str | os.PathLike[str]) -> VideoRecord | None:
        """The video at exactly this path."""
        rows = self._database.all(f"{_SELECT} WHERE path = ?", encode_path(path))
        return _video(rows[0]) if rows else None

    def by_id(self, video_id: int) -> VideoRecord | None:
        """The video of that number."""
        rows = self._database.all(f"{_SELECT} WHERE id = ?", video_id)
        return _video(rows[0]) if rows else None

    def put(self, video: NewVideo) -> int:
        """Store a video without segments; what its path held before keeps its id, which returns."""
        path = encode_path(video.path)
        values = (
            as_stored(video.size_bytes),
            as_stored(video.mtime_ns),
            time.time(),
            video.content_id,
            video.duration_seconds,
            video.width,
            video.height,
            video.codec,
            video.sampling,
            json.dumps(video.problems),
            video.recorded_at,
        )
        video_id = self._emptied(path, content_id=video.content_id)
        if video_id is None:
            cursor = self._database.execute(
                f"INSERT INTO video (path, {_REST}) VALUES ({', '.join('?' * 12)})", path, *values
            )
            video_id = int(cursor.lastrowid or 0)
        else:
            columns = ", ".join(f"{column} = ?" for column in _REST.split(", "))
            self._database.execute(f"UPDATE video SET {columns} WHERE id = ?", *values, video_id)
        self._database.vectors_change()
        return video_id

    def move(self, moves: Iterable[tuple[int, str, int, int]]) -> int:
        """Give videos new paths, sizes and time stamps, all at once; returns how many there were.

        What a new path held before goes, unless it moves too: two files may trade their names.
        """
        stored_moves = [(int(m[0]), encode_path(m[1]), m[2], m[3]) for m in moves]
        for key, *_ in stored_moves:
            # No file name holds a zero byte: nothing is in the way of these.
            self._database.execute("UPDATE video SET path = ? WHERE id = ?", b"\0%d" % key, key)
        count = 0
        for key, stored, size_bytes, mtime_ns in stored_moves:
            self._vacate(stored)
            count += self._database.execute(
                "UPDATE video SET path = ?, size_bytes = ?, mtime_ns = ? WHERE id = ?",
                stored,
                as_stored(size_bytes),
                as_stored(mtime_ns),
                key,
            ).rowcount
        return count

    def _emptied(self, stored: bytes, *, content_id: str) -> int | None:
        """Forget the failure at a path and its video's segments; the video's id, if there is one.

        New segments get new ids, so no cache takes them for the old ones. Of another content
        than ``content_id`` nothing that was measured holds for the new one, tags included.
        """
        self._database.execute("DELETE FROM failure WHERE path = ?", stored)
        rows = self._database.all("SELECT id, content_id FROM video WHERE path = ?", stored)
        for video_id, before in rows:
            self._lines.forget(video_id)
            self._database.execute("DELETE FROM segment WHERE video_id = ?", video_id)
            if before != content_id:
                self._database.execute(
                    "DELETE FROM tag WHERE video_id = ? AND NOT by_hand", video_id
                )
        return int(rows[0][0]) if rows else None

    def _vacate(self, stored: bytes) -> None:
        """Forget the video and the failure at a path."""
        gone = self._database.all("SELECT id FROM video WHERE path = ?", stored)
        self.remove(video_id for (video_id,) in gone)
        self._database.execute("DELETE FROM failure WHERE path = ?", stored)

    def remove(self, video_ids: Iterable[int]) -> int:
        """Forget videos with all that belongs to them; returns how many there were."""
        count = 0
        for video_id in video_ids:
            self._lines.forget(int(video_id))
            count += self._database.execute(
                "DELETE FROM video WHERE id = ?", int(video_id)
            ).rowcount
        if count:
            self._database.vectors_change()
        return count

    def remove_all(self) -> None:
        """Forget every video; failures stay, they do not depend on a model."""
        self._lines.forget_all()
        self._database.execute("DELETE FROM video")
        self._database.vectors_change()

    def write_failure(self, path: str, *, size_bytes: int, mtime_ns: int, reason: str) -> None:
        """Remember that this state of this file could not be indexed."""
        self._database.execute(
            "INSERT OR REPLACE INTO failure VALUES (?, ?, ?, ?, ?)",
            encode_path(path),
            as_stored(size_bytes),
            as_stored(mtime_ns),
            # A reason may quote a file name that is not UTF-8.
            reason.encode("utf-8", "backslashreplace").decode(),
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
        return Counts(videos, segments, frames, seconds, failures, *self._lines.counts())


def _video(row: Row) -> VideoRecord:
    path, size, mtime, at, content, seconds, width, height, codec, sampling, *rest = row
    problems, recorded_at, key = rest
    return VideoRecord(
        id=key,
        path=decode_path(path),
        size_bytes=size,
        mtime_ns=mtime,
        indexed_at=at,
        content_id=content,
        duration_seconds=seconds,
        width=width,
        height=height,
        codec=codec,
        sampling=sampling,
        problems=_problems(problems),
        recorded_at=recorded_at,
    )


def _problems(stored: str) -> tuple[str, ...]:
    """What could not be read of a video; a damaged row says that of itself."""
    try:
        return tuple(map(str, json.loads(stored)))
    except (ValueError, TypeError):
        return ("what was said of it in the library is damaged",)

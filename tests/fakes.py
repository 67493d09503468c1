"""Small honest stand-ins for the seams of indexing: a decoder, an encoder, an engine and a store.

Each does what the real one promises, in a few lines: pictures that say at which time they were
taken, features that are their colours, videos in a dictionary with the rules of the real tables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.errors import MediaError
from c2v.indexing.engine import Advanced, Failed, Indexed, Opened, Outcome, Pause
from c2v.indexing.plan import Job
from c2v.indexing.report import Heard
from c2v.library import (
    IN_THE_VIDEO,
    FailureRecord,
    NewVideo,
    SegmentData,
    SubtitleData,
    SubtitleState,
    VideoRecord,
)
from c2v.media.frames import Frame
from c2v.media.identity import held
from c2v.media.picture import FrameShape
from c2v.media.probe import VideoInfo


@dataclass
class FakeDecoder:
    """A flat picture a time: red is the tenths of its seconds. It reads no file.

    Of files in ``broken`` nothing can be read; what ``before`` does happens first, with the file.
    """

    broken: frozenset[str] = frozenset()
    before: Callable[[Path], None] = lambda _: None
    name: str = "fake"

    def frames(
        self,
        info: VideoInfo,
        times: Sequence[float],
        *,
        shape: FrameShape,
        on_problem: Callable[[str], None],
        video: Any = None,
    ) -> Iterator[Frame]:
        self.before(info.path)
        if info.path.name in self.broken:
            raise MediaError("not one picture of it can be read")
        for index, seconds in enumerate(times):
            pixels = np.zeros((shape.side, shape.side, 3), np.uint8)
            pixels[..., 0] = round(10 * seconds)
            yield Frame(index, seconds, pixels)


@dataclass
class FakeBundle:
    """An encoder without weights: a feature is the mean colour [3], a vector the mean feature."""

    name: str = "fake"
    feature_dim: int = 3
    vector_dim: int = 3
    image_tower: None = None
    config: Any = field(
        default_factory=lambda: SimpleNamespace(
            image=SimpleNamespace(side=8, resize="squash", clip=None)
        )
    )
    calls: list[int] = field(default_factory=list)
    """Pictures of each call."""

    def encode_frames(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.calls.append(len(images))
        means: NDArray[np.float32] = images.mean(axis=(1, 2), dtype=np.float32)
        return means

    def for_library(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return vectors

    def embed_segments(self, segments: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        means = np.stack([np.asarray(one, np.float32).mean(axis=0) + 1 for one in segments])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        return means


@dataclass
class FakeEngine:
    """Makes a segment of every job, whatever is in its file; a file of ``bad`` bytes is a failure.

    After ``most`` jobs it raises ``error``.
    """

    most: int = 1_000_000
    error: Exception = field(default_factory=lambda: RuntimeError("the engine broke"))
    name: str = "fake"
    done: list[str] = field(default_factory=list)
    """Paths, in the order of the work."""
    closed: bool = False

    def run(self, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        try:
            for number, job in enumerate(jobs):
                if number == self.most:
                    raise self.error
                self.done.append(str(job.file.path))
                yield Opened(number, 2.0)
                yield Advanced(number, 2.0)
                yield self._outcome(number, job)
                yield Pause()
        finally:
            self.closed = True

    def _outcome(self, number: int, job: Job) -> Outcome:
        with held(job.file.path) as (file, state):
            if file.read().startswith(b"bad"):
                return Failed(number, MediaError("is full of bad bytes"))
        video = NewVideo(
            path=str(job.file.path), size_bytes=state.size_bytes, mtime_ns=state.mtime_ns,
            content_id=job.content_id, duration_seconds=2.0, width=4, height=4, codec="fake",
            sampling=str(job.sampling),
        )  # fmt: skip
        heard = Heard((SubtitleData(SubtitleState(IN_THE_VIDEO)),))
        return Indexed(number, video, (fake_segment(job.content_id),), state, heard)


def fake_segment(content_id: str) -> SegmentData:
    """A segment whose feature says of which content it is."""
    feature = np.frombuffer(content_id.encode().ljust(4, b"\0")[:4], np.uint8).astype(np.float16)
    return SegmentData(
        0.0, 2.0, np.ones(1, np.float32), feature[None], np.ones(3, np.float32) / np.sqrt(3)
    )


@dataclass
class FakeStore:
    """A library in memory; what an indexing run asks of one, and nothing else."""

    rows: dict[int, VideoRecord] = field(default_factory=dict)
    segments: dict[int, tuple[SegmentData, ...]] = field(default_factory=dict)
    failed: dict[str, FailureRecord] = field(default_factory=dict)
    damaged: set[int] = field(default_factory=set)
    keeps_lines: bool = True
    heard: dict[int, dict[str, SubtitleData]] = field(default_factory=dict)
    """Subtitles of each video, by path."""
    commits: list[list[str]] = field(default_factory=list)
    """Paths stored by each transaction."""
    _last_id: int = 0
    _in_batch: bool = False

    def videos(self) -> list[VideoRecord]:
        return sorted(self.rows.values(), key=lambda video: video.path)

    def video_paths(self) -> list[tuple[int, str]]:
        return [(video.id, video.path) for video in self.rows.values()]

    def failures(self) -> list[FailureRecord]:
        return sorted(self.failed.values(), key=lambda failure: failure.path)

    def damaged_videos(self, video_ids: Sequence[int]) -> set[int]:
        return self.damaged & set(video_ids)

    @contextmanager
    def batch(self) -> Iterator[None]:
        self.commits.append([])
        self._in_batch = True
        try:
            yield
        finally:
            self._in_batch = False

    def put_video(self, video: NewVideo, segments: Sequence[SegmentData]) -> int:
        if not self._in_batch:
            self.commits.append([])
        self.commits[-1].append(video.path)
        here = [key for key, row in self.rows.items() if row.path == video.path]
        key = here[0] if here else self._new_id()
        self._forget_at(video.path, keep=key)
        self.damaged.discard(key)
        self.rows[key] = VideoRecord(**asdict(video), id=key, indexed_at=0.0)
        self.segments[key] = tuple(segments)
        self.heard[key] = {}
        return key

    def copy_video(self, video_id: int, *, path: str, size_bytes: int, mtime_ns: int) -> int:
        self._forget_at(path, keep=video_id)
        key = self._new_id()
        self.rows[key] = replace(
            self.rows[video_id], id=key, path=path, size_bytes=size_bytes, mtime_ns=mtime_ns
        )
        self.segments[key] = self.segments[video_id]
        self.heard[key] = dict(self.heard[video_id])
        return key

    def move_videos(self, moves: Iterable[tuple[int, str, int, int]]) -> int:
        moving = {move[0]: move for move in moves if move[0] in self.rows}
        for key in moving:
            self.rows[key] = replace(self.rows[key], path=f"\0{key}")
        for key, path, size_bytes, mtime_ns in moving.values():
            self._forget_at(path, keep=key)
            self.rows[key] = replace(
                self.rows[key], path=path, size_bytes=size_bytes, mtime_ns=mtime_ns
            )
        return len(moving)

    def remove_videos(self, video_ids: Iterable[int]) -> int:
        gone = [key for key in video_ids if self.rows.pop(key, None)]
        for key in gone:
            del self.segments[key], self.heard[key]
        return len(gone)

    def video_by_path(self, path: str | os.PathLike[str]) -> VideoRecord | None:
        return next((row for row in self.rows.values() if row.path == os.fspath(path)), None)

    def subtitles(self) -> dict[int, list[SubtitleState]]:
        return {key: [one.state for one in some.values()] for key, some in self.heard.items()}

    def write_subtitles(self, video_id: int, subtitles: Sequence[SubtitleData]) -> None:
        self.heard[video_id] |= {one.state.path: one for one in subtitles}

    def forget_subtitles(self, video_id: int, paths: Iterable[str]) -> None:
        for path in paths:
            self.heard[video_id].pop(path, None)

    def record_failure(self, path: str, *, size_bytes: int, mtime_ns: int, reason: str) -> None:
        self.failed[path] = FailureRecord(path, size_bytes, mtime_ns, reason, failed_at=0.0)

    def clear_failures(self, paths: Iterable[str]) -> None:
        for path in paths:
            self.failed.pop(path, None)

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _forget_at(self, path: str, *, keep: int) -> None:
        self.remove_videos(
            [key for key, row in self.rows.items() if row.path == path and key != keep]
        )
        self.failed.pop(path, None)

"""Libraries of any size for measurements of searching, filled through the library's own writer.

Speed and recall depend on how vectors lie, so they are drawn the way those of real videos lie:
pictures and texts in cones of their own (the modality gap of CLIP), a spectrum that falls off,
topics, videos about a topic, segments that resemble their video. Texts ask about topics.
Weights of the encoders are random: speed does not depend on them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.library import ModelRecord, NewVideo, SegmentData, Store, open_store

FRAMES = 12
SEGMENTS_A_VIDEO = 10
SEGMENT_SECONDS = 12.0
_TOPICS = 5000
_VIDEOS_A_COMMIT = 200
_DECAY = 0.5
"""Strength of direction i is (i + 1) ** -decay."""
_CONE = 1.0
"""Length of the mean of all pictures (and of all texts), by the spread around it: two pictures
have a cosine of 0.5 on average, as those of ViT-B/32 have."""


class Space:
    """Draws vectors [N, dim] of segments and of questions, float32, unit length."""

    def __init__(self, dim: int, *, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._strengths = ((1.0 + np.arange(dim)) ** -_DECAY).astype(np.float32)
        spread = float(np.linalg.norm(self._strengths))
        self._topics = self._normal(_TOPICS, dim)
        cones = self._random.standard_normal((2, dim)).astype(np.float32)
        cones *= _CONE * spread / np.linalg.norm(cones, axis=1, keepdims=True)
        self._pictures, self._texts = cones

    def segments(self, videos: int) -> NDArray[np.float32]:
        """Vectors of the segments of some videos, video after video."""
        topics = self._topics[self._random.integers(0, _TOPICS, videos)]
        own = 0.6 * topics + 0.6 * self._normal(*topics.shape)
        drawn = np.repeat(own, SEGMENTS_A_VIDEO, axis=0)
        drawn += 0.5 * self._normal(*drawn.shape)
        return _unit(drawn * self._strengths + self._pictures)

    def questions(self, count: int) -> NDArray[np.float32]:
        """Vectors of texts."""
        topics = self._topics[self._random.integers(0, _TOPICS, count)]
        drawn = 0.7 * topics + 0.7 * self._normal(*topics.shape)
        return _unit(drawn * self._strengths + self._texts)

    def _normal(self, rows: int, dim: int) -> NDArray[np.float32]:
        return self._random.standard_normal((rows, dim), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds by the clock and of processor time."""

    wall: float
    cpu: float


def fill(library: Store, segments: int, space: Space, *, frames: int) -> Spent:
    """Add ``segments`` segments (a multiple of 10) of ``frames`` frames each; no cache is made.

    Returns what storing them took, without drawing the numbers.
    """
    model = library.model
    assert model is not None
    first = library.counts().videos
    videos = segments // SEGMENTS_A_VIDEO
    features = _some_features(frames, model.feature_dim)
    wall = cpu = 0.0
    for start in range(first, first + videos, _VIDEOS_A_COMMIT):
        count = min(_VIDEOS_A_COMMIT, first + videos - start)
        vectors = space.segments(count)
        wall, cpu = wall - time.perf_counter(), cpu - time.process_time()
        with library.batch():
            for number in range(count):
                rows = vectors[number * SEGMENTS_A_VIDEO :][:SEGMENTS_A_VIDEO]
                library.put_video(_video(start + number), list(_segments(rows, features)))
        wall, cpu = wall + time.perf_counter(), cpu + time.process_time()
    return Spent(wall, cpu)


def create(directory: Path, model: ModelRecord, segments: int, *, frames: int) -> Space:
    """A library with its caches, in ``directory``; returns the space its vectors are of."""
    space = Space(model.vector_dim)
    with open_store(directory, create=True) as library:
        library.set_model(model)
        fill(library, segments, space, frames=frames)
        library.refresh()
    return space


def home(scratch: Path) -> Path:
    """A C2V_HOME with ViT-B/32 and random weights: ``plain`` (meanP) and ``temporal`` (CLIP2Video).

    Made on first use.
    """
    folder = scratch / "home"
    models = folder / "data" / "models"
    if not models.exists():
        from tests.benchmarks.reembedding import make_bundles

        models.mkdir(parents=True)
        make_bundles(models)
    return folder


def model_of(home: Path, name: str) -> ModelRecord:
    """What a library notes of a bundle of ``home``, or of ``mini``."""
    from c2v.encoder.bundle import load_bundle
    from c2v.indexing.reembedding import model_record

    return model_record(load_bundle("mini" if name == "mini" else home / "data" / "models" / name))


def ready(directory: Path, home: Path, model: str, segments: int) -> Path:
    """A library of that model and size, made on first use."""
    if not directory.exists():
        create(directory, model_of(home, model), segments, frames=FRAMES)
    return directory


def _segments(vectors: NDArray[np.float32], features: NDArray[np.float16]) -> Iterator[SegmentData]:
    for position, vector in enumerate(vectors):
        start = position * SEGMENT_SECONDS
        times = np.linspace(start, start + SEGMENT_SECONDS, len(features), dtype=np.float32)
        yield SegmentData(start, start + SEGMENT_SECONDS, times, features, vector)


def _some_features(frames: int, dim: int) -> NDArray[np.float16]:
    """The same [T, D] for every segment: they are stored and read, their values do not matter."""
    drawn = np.random.default_rng(1).standard_normal((frames, dim))
    return drawn.astype(np.float16)


def _video(number: int) -> NewVideo:
    return NewVideo(
        path=f"/videos/{number // 1000:04d}/{number:08d}.mp4",
        size_bytes=50_000_000 + number,
        mtime_ns=1_700_000_000_000_000_000 + number,
        content_id=f"{number:032x}",
        duration_seconds=SEGMENT_SECONDS * SEGMENTS_A_VIDEO,
        width=1920,
        height=1080,
        codec="h264",
        sampling="auto/exact",
    )


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors

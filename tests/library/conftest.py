"""Small libraries with seeded contents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.library import HnswSettings, ModelRecord, NewVideo, SegmentData, Store
from c2v.library.sqlite.store import SqliteStore

DIM = 16
MODEL = ModelRecord("toy", "head-1", "towers-1", feature_dim=8, vector_dim=DIM)


def unit_rows(rows: int, dim: int = DIM, *, seed: int = 0) -> NDArray[np.float32]:
    """Random unit vectors [rows, dim]."""
    vectors = np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def segments(vectors: NDArray[np.float32], *, frames: int = 3, dim: int = 8) -> list[SegmentData]:
    """One segment a vector, with features that can be told apart."""
    return [
        SegmentData(
            start_seconds=float(i),
            end_seconds=float(i + 1),
            times=np.linspace(i, i + 1, frames, dtype=np.float32),
            features=np.full((frames, dim), i, np.float16),
            vector=vector,
        )
        for i, vector in enumerate(vectors)
    ]


def video(path: str, **changes: object) -> NewVideo:
    """A video at ``path``; ``changes`` replace any field."""
    fields: dict[str, object] = {
        "path": path,
        "size_bytes": 1000,
        "mtime_ns": 5,
        "content_id": f"content of {ascii(path)[1:-1]}",
        "duration_seconds": 2.5,
        "width": 640,
        "height": 480,
        "codec": "h264",
        "sampling": "auto/exact",
        "problems": ("one frame could not be read",),
    }
    return NewVideo(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the test's library lies."""
    return tmp_path / "library"


@pytest.fixture
def library(folder: Path) -> Iterator[SqliteStore]:
    """An empty library of the toy model that builds graphs from 200 rows on."""
    with SqliteStore.create(folder, hnsw=HnswSettings(from_rows=200)) as made:
        made.set_model(MODEL)
        yield made


def fill_store(store: Store, videos: int, each: int = 4, *, seed: int = 0) -> NDArray[np.float32]:
    """Put videos with random vectors; returns all vectors in order of segment id."""
    vectors = unit_rows(videos * each, seed=seed)
    with store.batch():
        for i in range(videos):
            rows = vectors[i * each : (i + 1) * each]
            store.put_video(video(f"/films/{seed}-{i:05d}.mp4"), segments(rows))
    return vectors


def segment_ids(store: Store, *video_ids: int) -> list[int]:
    """Ids of the segments of these videos (of all, if none are named), ascending."""
    of = store.segments_of(video_ids or [one.id for one in store.videos()])
    return sorted(row.segment_id for rows in of.values() for row in rows)


@pytest.fixture
def fill(library: SqliteStore) -> Callable[..., NDArray[np.float32]]:
    """:func:`fill_store` of the test's library."""
    return partial(fill_store, library)

"""One vector for each video of a library: what it shows as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2v.errors import DamagedRowsError
from c2v.library import Store, VideoRecord

_VIDEOS_AT_ONCE = 512


@dataclass(frozen=True, slots=True, eq=False)
class VideoVectors:
    """N videos and what they show: ``vectors`` [N, H] of unit length."""

    videos: tuple[VideoRecord, ...]
    vectors: NDArray[np.float32]
    typical_seconds: NDArray[np.float64]
    """[N] the middle of each one's segment that is nearest to the video as a whole."""
    left_out: tuple[str, ...]
    """Paths of videos of which nothing sound is stored."""


def video_vectors(library: Store, videos: Sequence[VideoRecord]) -> VideoVectors:
    """The mean of the vectors of each video's segments, made of unit length again.

    Only what is sound counts; a video without any sound segment is left out.
    """
    width = library.model.head_dim if library.model else 0
    kept: list[VideoRecord] = []
    rows: list[NDArray[np.float32]] = []
    seconds: list[float] = []
    left_out: list[str] = []
    with library.snapshot():
        for first in range(0, len(videos), _VIDEOS_AT_ONCE):
            part = videos[first : first + _VIDEOS_AT_ONCE]
            means = _means(library, part, width)
            kept += [video for video in part if video.id in means]
            left_out += [video.path for video in part if video.id not in means]
            rows += [means[video.id][0] for video in part if video.id in means]
            seconds += [means[video.id][1] for video in part if video.id in means]
    vectors = np.stack(rows) if rows else np.zeros((0, width), np.float32)
    return VideoVectors(tuple(kept), vectors, np.array(seconds), tuple(left_out))


def _means(
    library: Store, videos: Sequence[VideoRecord], width: int
) -> dict[int, tuple[NDArray[np.float32], float]]:
    """The mean [H] of each video's segments, and the middle of its most typical one."""
    segments = library.segments_of([video.id for video in videos])
    ids = [row.segment_id for rows in segments.values() for row in rows]
    vectors = _sound_vectors(library, ids)
    means: dict[int, tuple[NDArray[np.float32], float]] = {}
    for video_id, rows in segments.items():
        sound = [row for row in rows if row.segment_id in vectors]
        if not sound:
            continue
        own = np.stack([vectors[row.segment_id][:width] for row in sound])  # [S, H]
        mean = own.mean(axis=0)
        if length := float(np.linalg.norm(mean)):
            typical = sound[int((own @ mean).argmax())]
            middle = (typical.start_seconds + typical.end_seconds) / 2
            means[video_id] = mean / length, middle
    return means


def _sound_vectors(library: Store, ids: Sequence[int]) -> dict[int, NDArray[np.float32]]:
    try:
        return library.vectors(ids)
    except DamagedRowsError as error:
        damaged = set(error.segment_ids)
        return library.vectors([one for one in ids if one not in damaged])

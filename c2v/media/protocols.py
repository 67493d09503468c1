"""Which frames the papers look at. Pure arithmetic; for evaluation as it was published.

CLIP2Video (Fang et al. 2021) extracts pictures at 5 a second and takes evenly spaced ones.
CLIP4Clip (Luo et al. 2021) reads one frame a second and thins them out when they are too many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from c2v.errors import MediaError

CLIP2VIDEO_EXTRACTION_RATE: Final = 5.0  # pictures a second, written before any sampling
CLIP2VIDEO_FRAMES: Final = 12
# The "feature_framerate" of each data set is a divisor: every r-th of the extracted pictures.
CLIP2VIDEO_DIVISORS: Final = {"msrvtt": 2, "msvd": 1, "vatex": 1}

Slice = Literal["first", "last", "uniform"]
Order = Literal["normal", "reversed", "shuffled"]


def floor_linspace(last: int, count: int) -> NDArray[np.int64]:
    """`count` whole positions from 0 to `last`, both ends taken, fractions dropped."""
    return np.linspace(0, last, count).astype(np.int64)


def clip2video_positions(
    picture_count: int, *, divisor: int = 1, max_frames: int = CLIP2VIDEO_FRAMES
) -> tuple[int, ...]:
    """Which of a video's extracted pictures are read; none if there are fewer than `divisor`.

    >>> clip2video_positions(7, divisor=2)
    (0, 3, 6)
    """
    read = floor_linspace(picture_count - 1, picture_count // divisor)
    if len(read) > max_frames:
        read = read[floor_linspace(len(read) - 1, max_frames)]
    return tuple(int(index) for index in read)


def clip2video_training_positions(
    picture_count: int,
    *,
    rng: np.random.RandomState,
    divisor: int = 1,
    max_frames: int = CLIP2VIDEO_FRAMES,
) -> tuple[int, ...]:
    """As `clip2video_positions`, every inner one moved by chance within half a step.

    The steps are counted in pictures left after division. With step = half the first gap, an inner
    one moves by an integer in [-step, step), but only if step > 2. Gaps are at least 2 step wide,
    so the order is kept.
    """
    read = floor_linspace(picture_count - 1, picture_count // divisor)
    if len(read) <= max_frames:
        return tuple(int(index) for index in read)
    chosen = floor_linspace(len(read) - 1, max_frames)
    step = int(chosen[1] - chosen[0]) // 2 if max_frames > 1 else 0
    if step > 2:
        chosen[1:-1] += rng.randint(-step, step, size=len(chosen) - 2)
    return tuple(int(index) for index in read[chosen])


def clip4clip_positions(
    frame_count: int,
    frame_rate: float,
    *,
    per_second: int = 1,
    start_second: int | None = None,
    end_second: int | None = None,
) -> tuple[int, ...]:
    """Frame numbers that CLIP4Clip's reader seeks to: `per_second` from each second on.

    Frame rates are cut to whole numbers (29.97 becomes 29, so positions drift), as published. Both
    end seconds are read, as far as the video goes.

    Raises:
        MediaError: the frame rate is below one, or start is not before end.
    """
    rate = int(frame_rate)
    if rate < 1:
        raise MediaError(f"the frame rate is {frame_rate:g}; the protocol needs at least 1")
    if start_second is not None and end_second is not None and end_second <= start_second:
        raise MediaError(f"the clip ends at {end_second} s, before it starts at {start_second} s")
    duration = math.ceil(frame_count / rate)
    first = 0 if start_second is None else start_second
    last = duration if end_second is None else min(end_second, duration)
    inner = [k * max(1, rate // per_second) for k in range(per_second)]
    wanted = [second * rate + offset for second in range(first, last + 1) for offset in inner]
    return tuple(index for index in wanted if index < frame_count)


def slice_positions(count: int, max_frames: int, *, which: Slice = "uniform") -> tuple[int, ...]:
    """Which of `count` frames stay when there are more than `max_frames`.

    >>> slice_positions(9, 8)
    (0, 1, 2, 3, 4, 5, 6, 8)
    """
    if count <= max_frames:
        return tuple(range(count))
    if which == "first":
        return tuple(range(max_frames))
    if which == "last":
        return tuple(range(count - max_frames, count))
    return tuple(int(index) for index in floor_linspace(count - 1, max_frames))


def ordered(
    positions: Sequence[int], order: Order = "normal", *, rng: np.random.RandomState | None = None
) -> tuple[int, ...]:
    """The same frames forwards, backwards or in an order of chance (CLIP4Clip's frame_order)."""
    if order == "reversed":
        return tuple(reversed(positions))
    if order == "shuffled":
        rng = np.random.RandomState() if rng is None else rng
        return tuple(int(index) for index in rng.permutation(np.asarray(positions, np.int64)))
    return tuple(positions)

"""The papers' frame positions: properties beside the golden rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2v.errors import MediaError
from c2v.media.published_positions import (
    FrameClock,
    PublishedSampling,
    clip2video_positions,
    clip4clip_positions,
    extracted_pictures,
    slice_positions,
)


@given(st.integers(0, 3000), st.integers(1, 5), st.integers(1, 64))
def test_clip2video_positions_are_in_order_and_in_the_video(
    count: int, divisor: int, most: int
) -> None:
    positions = clip2video_positions(count, divisor=divisor, max_frames=most)
    assert len(positions) == min(count // divisor, most)
    assert list(positions) == sorted(set(positions))
    assert all(0 <= index < count for index in positions)
    if len(positions) > 1:
        assert (positions[0], positions[-1]) == (0, count - 1)


@given(st.integers(1, 5000), st.floats(1, 240), st.integers(1, 4))
def test_clip4clip_positions_are_in_the_video(count: int, rate: float, per_second: int) -> None:
    positions = clip4clip_positions(count, rate, per_second=per_second)
    assert positions[0] == 0
    assert max(positions) < count


def test_clip4clip_errors() -> None:
    with pytest.raises(MediaError, match="frame rate"):
        clip4clip_positions(100, 0.0)
    with pytest.raises(MediaError, match="before it starts"):
        clip4clip_positions(100, 25.0, start_second=5, end_second=2)


def test_slices() -> None:
    assert slice_positions(5, 8) == (0, 1, 2, 3, 4)
    assert slice_positions(5, 3) == (0, 2, 4)


# What ffmpeg 9.0 wrote for `-r 5`: rate of the video, its frames, the frame in each picture.
WRITTEN = (
    (25, 100, [0, 1, *range(4, 100, 5)]),
    (25, 103, [0, 1, *range(4, 103, 5)]),
    (25, 7, [0, 1, 4]),
    (25, 1, [0]),
    (30, 100, [0, 1, *range(5, 100, 6)]),
    (24, 50, [0, 1, 4, 9, 13, 18, 23, 28, 33, 37, 42, 47]),
    (50, 120, [0, 1, *range(8, 120, 10)]),
    (12, 30, [0, 1, 2, 4, 6, 9, 11, 14, 16, 18, 21, 23, 26, 28]),
    (10, 20, [0, 1, 2, 3, 5, 7, 9, 11, 13, 15, 17, 19]),
    (5, 6, [0, 1, 2, 3, 4, 5]),
    (4, 13, [0, 1, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 9, 10, 11, 12]),
    (3, 15, [0, 0, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6, 7, 8, 8, 9, 9, 10, 11, 11, 12, 12, 13, 14, 14]),
)  # fmt: skip


@pytest.mark.parametrize(("rate", "count", "wanted"), WRITTEN)
def test_pictures_are_those_that_ffmpeg_writes(rate: int, count: int, wanted: list[int]) -> None:
    seconds = [number / rate for number in range(count)]
    assert list(extracted_pictures(seconds, [1 / rate] * count)) == wanted


@given(st.lists(st.floats(0.001, 3), max_size=200))
def test_extracted_pictures_are_in_order_whatever_the_clock(gaps: list[float]) -> None:
    seconds = [0.0, *np.cumsum(gaps).tolist()]
    durations = [*gaps, 0.04]
    pictures = extracted_pictures(seconds, durations)
    assert list(pictures) == sorted(pictures)
    assert pictures[0] == 0
    assert max(pictures) < len(seconds)
    assert abs(len(pictures) - 5 * (seconds[-1] + 0.04)) <= 4


def clock(count: int, rate: float) -> FrameClock:
    return FrameClock(tuple(n / rate for n in range(count)), (1 / rate,) * count, rate)


def test_a_video_by_clip4clip() -> None:
    whole = PublishedSampling("clip4clip")
    assert whole.positions(clock(300, 25.0)) == tuple(range(0, 300, 25))
    # 29.97 is read as 29; of 32 frames, at 0 to 31 s, twelve are left
    long = whole.positions(clock(900, 29.97))
    assert long == tuple(29 * second for second in (0, 2, 5, 8, 11, 14, 16, 19, 22, 25, 28, 31))
    first = PublishedSampling("clip4clip", max_frames=64, first_seconds=31.0)
    assert first.positions(clock(2500, 25.0)) == tuple(range(0, 800, 25)), "both ends are read"
    with pytest.raises(MediaError, match="frame rate"):
        whole.positions(clock(10, 0.5))


def test_a_video_by_clip2video() -> None:
    every = PublishedSampling("clip2video")
    assert every.positions(clock(20, 25.0)) == (0, 1, 4, 9, 14, 19)
    whole = clock(300, 25.0)
    pictures = extracted_pictures(whole.seconds, whole.durations)
    chosen = clip2video_positions(len(pictures), divisor=2, max_frames=12)
    second = PublishedSampling("clip2video", picture_step=2)
    assert second.positions(whole) == tuple(pictures[place] for place in chosen)
    first = PublishedSampling("clip2video", first_seconds=2.0).positions(clock(300, 25.0))
    assert first[-1] < 50
    with pytest.raises(MediaError, match="too short"):
        second.positions(clock(1, 25.0))

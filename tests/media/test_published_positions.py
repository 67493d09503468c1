"""The papers' frame positions: properties beside the golden rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2v.errors import MediaError
from c2v.media.protocols import (
    clip2video_positions,
    clip2video_training_positions,
    clip4clip_positions,
    ordered,
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


@given(st.integers(0, 3000), st.integers(1, 3), st.integers(1, 24), st.integers(0, 99))
def test_jitter_keeps_order_and_ends(count: int, divisor: int, most: int, seed: int) -> None:
    rng = np.random.RandomState(seed)
    still = clip2video_positions(count, divisor=divisor, max_frames=most)
    moved = clip2video_training_positions(count, divisor=divisor, max_frames=most, rng=rng)
    assert list(moved) == sorted(set(moved))
    assert (moved[:1], moved[-1:]) == (still[:1], still[-1:])


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


def test_slices_and_orders() -> None:
    assert slice_positions(5, 8) == (0, 1, 2, 3, 4)
    assert slice_positions(5, 3, which="first") == (0, 1, 2)
    assert slice_positions(5, 3, which="last") == (2, 3, 4)
    assert slice_positions(5, 3) == (0, 2, 4)
    assert ordered((1, 2, 3)) == (1, 2, 3)
    assert ordered((1, 2, 3), "reversed") == (3, 2, 1)
    shuffled = ordered(tuple(range(20)), "shuffled", rng=np.random.RandomState(0))
    assert sorted(shuffled) == list(range(20))
    assert shuffled != tuple(range(20))

"""Segments are pure arithmetic: examples from the design, and properties over any length."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2v.errors import UsageError
from c2v.media.segments import SegmentMode, plan_segments

AUTO = SegmentMode()
lengths = st.floats(min_value=0, max_value=20_000, allow_nan=False)
modes = st.one_of(
    st.sampled_from([SegmentMode("auto"), SegmentMode("whole"), SegmentMode("scene")]),
    st.floats(min_value=0.5, max_value=1000).map(lambda seconds: SegmentMode("seconds", seconds)),
)


def test_thirty_seconds_are_one_segment_of_twelve_bin_centres() -> None:
    (segment,) = plan_segments(30.0, mode=AUTO)
    assert segment.times == tuple(1.25 + 2.5 * i for i in range(12))


def test_short_clip_is_never_looked_at_more_than_five_times_a_second() -> None:
    (segment,) = plan_segments(1.0, mode=AUTO)
    assert segment.times == (0.1, 0.3, 0.5, 0.7, 0.9)
    (single,) = plan_segments(0.04, mode=AUTO)
    assert single.times == (0.02,)


def test_long_video_is_cut_into_windows_and_the_rest_joins_the_last() -> None:
    segments = plan_segments(59.5, mode=AUTO)
    assert [(s.start_seconds, s.end_seconds) for s in segments] == [
        (0, 12), (12, 24), (24, 36), (36, 59.5),
    ]  # fmt: skip
    assert [len(s.times) for s in segments] == [12, 12, 12, 23]
    assert segments[1].times[:2] == (12.5, 13.5)


def test_scenes_follow_the_cuts_and_short_ones_join() -> None:
    segments = plan_segments(20.0, mode=SegmentMode("scene"), cuts=[12.0, 5.0, 5.3, 19.8])
    assert [(s.start_seconds, s.end_seconds) for s in segments] == [(0, 5), (5, 12), (12, 20)]


@settings(deadline=None, max_examples=60)
@given(duration=lengths, mode=modes, frames=st.integers(1, 64), cuts=st.lists(lengths, max_size=30))
def test_segments_tile_the_video_and_times_lie_inside(
    duration: float, mode: SegmentMode, frames: int, cuts: list[float]
) -> None:
    if mode.kind == "seconds" and duration / mode.seconds > 2000:
        return
    segments = plan_segments(duration, mode=mode, frames=frames, cuts=cuts)
    assert segments[0].start_seconds == 0
    assert segments[-1].end_seconds == duration
    for one, following in zip(segments, segments[1:], strict=False):
        assert one.end_seconds == following.start_seconds
    for segment in segments:
        assert segment.times
        assert list(segment.times) == sorted(segment.times)
        assert segment.start_seconds <= segment.times[0] + 1e-5
        assert segment.times[-1] <= segment.end_seconds + 1e-5
        gaps = [b - a for a, b in zip(segment.times, segment.times[1:], strict=False)]
        assert all(gap >= 0.2 - 1e-5 for gap in gaps)


@settings(deadline=None, max_examples=30)
@given(duration=st.floats(min_value=31, max_value=20_000))
def test_auto_looks_about_once_a_second_at_a_long_video(duration: float) -> None:
    times = [t for s in plan_segments(duration, mode=AUTO) for t in s.times]
    gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
    assert all(0.95 <= gap <= 1.1 for gap in gaps)


@pytest.mark.parametrize("text", ["auto", "whole", "scene", "12", "7.5"])
def test_mode_text_round_trip(text: str) -> None:
    assert str(SegmentMode.parse(text)) == text


@pytest.mark.parametrize("text", ["", "fast", "-3", "0", "nan", "inf", "12s"])
def test_wrong_mode_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        SegmentMode.parse(text)

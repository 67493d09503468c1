"""Which moments of a video are looked at: pure arithmetic, nothing here reads a file.

A segment is a stretch of video that becomes one vector; its sample times are the centres of equal
bins, so no picture is taken from the very first or last moment (often black).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from c2v.errors import UsageError

WHOLE_UP_TO_SECONDS = 30.0
"""`auto` keeps a video of up to this length as one segment (MSR-VTT clips are 10 to 30 s)."""

MOST_FRAMES_A_SECOND = 5.0
"""Pictures closer than 0.2 s look alike to CLIP; a very short clip gets fewer of them."""

SHORTEST_SCENE_SECONDS = 1.0
"""A shot shorter than this is joined to its neighbour."""

FRAMES_A_SEGMENT = 12
"""Pictures of a segment, as in CLIP2Video and CLIP4Clip."""

FEWEST_FRAMES_A_SHOT = 2
"""Of `auto` in a long video, whose segments have 2 to 12 pictures, one a second."""

SegmentKind = Literal["auto", "whole", "seconds", "scene"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of video and the times, in seconds, at which it is looked at (ascending)."""

    start_seconds: float
    end_seconds: float
    times: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.start_seconds <= self.end_seconds:
            raise ValueError(f"segment ends before it starts: {self}")


@dataclass(frozen=True, slots=True)
class SegmentMode:
    """How a video is cut: `auto`, `whole`, windows of so many seconds, or `scene`.

    The seconds are those of the text, six digits at most: what is written in a library and read
    again cuts alike.

    >>> str(SegmentMode.parse("7.50"))
    '7.5'
    """

    kind: SegmentKind = "auto"
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind == "seconds" and not (math.isfinite(self.seconds) and self.seconds >= 0.5):
            raise UsageError(
                f"a segment must last at least half a second, not {self.seconds:g}",
                hint="try --segment 12",
            )
        object.__setattr__(self, "seconds", float(f"{self.seconds:g}"))

    @staticmethod
    def parse(text: str) -> SegmentMode:
        """Read `auto`, `whole`, `scene` or a number of seconds; anything else is a UsageError."""
        word = text.strip().lower()
        if word == "auto":
            return SegmentMode("auto")
        if word == "whole":
            return SegmentMode("whole")
        if word == "scene":
            return SegmentMode("scene")
        try:
            return SegmentMode("seconds", float(word))
        except ValueError:
            raise UsageError(
                f"segments are auto, whole, scene or a number of seconds, not {text!r}",
                hint="try --segment auto",
            ) from None

    def __str__(self) -> str:
        return f"{self.seconds:g}" if self.kind == "seconds" else self.kind


def plan_segments(
    duration_seconds: float,
    *,
    mode: SegmentMode,
    frames: int = FRAMES_A_SEGMENT,
    cuts: Sequence[float] = (),
) -> tuple[Segment, ...]:
    """Cut a video into segments and choose their sample times.

    `auto`: up to 30 s one segment of `frames` pictures, never more than five a second; a longer
    video becomes windows of `frames` seconds with one picture a second, and what is left over
    joins the last window (when their features are known, segments are made of the pictures anew:
    `Layout.by_shots`). `whole`: one segment. `seconds`: windows of that length, `frames`
    pictures each. `scene`: one segment between two cuts (seconds, any order); scenes under a
    second join the one before, scenes over 30 s are cut as `auto` does.

    >>> [segment.times for segment in plan_segments(1.0, mode=SegmentMode())]
    [(0.1, 0.3, 0.5, 0.7, 0.9)]
    >>> [(s.start_seconds, s.end_seconds, len(s.times)) for s in
    ...     plan_segments(40.0, mode=SegmentMode())]
    [(0.0, 12.0, 12), (12.0, 24.0, 12), (24.0, 40.0, 16)]
    """
    if not (math.isfinite(duration_seconds) and duration_seconds >= 0):
        raise ValueError(f"duration must be a number of seconds, got {duration_seconds}")
    if frames < 1:
        raise ValueError(f"a segment needs at least one frame, got {frames}")
    if mode.kind == "whole":
        return (_spread(0.0, duration_seconds, frames=frames),)
    if mode.kind == "seconds":
        edges = _window_edges(0.0, duration_seconds, window_seconds=mode.seconds)
        return tuple(
            # The last window may be longer than the others: it is looked at as often as they are.
            _spread(start, end, frames=max(1, round(frames * max(1, (end - start) / mode.seconds))))
            for start, end in edges
        )
    if mode.kind == "scene":
        scenes = _scene_edges(duration_seconds, cuts)
        return tuple(part for scene in scenes for part in _auto(*scene, frames=frames))
    return _auto(0.0, duration_seconds, frames=frames)


def _auto(start: float, end: float, *, frames: int) -> tuple[Segment, ...]:
    if end - start <= max(WHOLE_UP_TO_SECONDS, 2.0 * frames):
        return (_spread(start, end, frames=frames),)
    edges = _window_edges(start, end, window_seconds=float(frames))
    return tuple(_spread(first, last, frames=int(last - first)) for first, last in edges)


def _spread(start: float, end: float, *, frames: int) -> Segment:
    """`frames` bin centres between start and end, fewer when that is over five a second."""
    length = end - start
    # 1e-9: a length of 1.0 that arrives as 0.9999999999 must still give five pictures.
    count = max(1, min(frames, int(length * MOST_FRAMES_A_SECOND + 1e-9)))
    times = tuple(round(start + (i + 0.5) * length / count, 6) for i in range(count))
    return Segment(start_seconds=start, end_seconds=end, times=times)


def _window_edges(start: float, end: float, *, window_seconds: float) -> list[tuple[float, float]]:
    """Windows of equal length; what is left over belongs to the last one."""
    count = max(1, int((end - start) / window_seconds + 1e-9))
    edges = [start + i * window_seconds for i in range(count)] + [end]
    return list(zip(edges[:-1], edges[1:], strict=True))


def _scene_edges(duration_seconds: float, cuts: Sequence[float]) -> list[tuple[float, float]]:
    edges = [0.0]
    for cut in sorted(cuts):
        long_enough = cut - edges[-1] >= SHORTEST_SCENE_SECONDS
        if long_enough and duration_seconds - cut >= SHORTEST_SCENE_SECONDS:
            edges.append(float(cut))
    edges.append(duration_seconds)
    return list(zip(edges[:-1], edges[1:], strict=True))

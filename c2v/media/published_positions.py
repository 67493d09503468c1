"""Which frames the papers look at. Pure arithmetic over the times at which pictures are shown.

CLIP2Video (Fang et al. 2021) has ffmpeg write five pictures a second and takes evenly spaced ones.
CLIP4Clip (Luo et al. 2021) reads one frame a second and thins them out when they are too many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from c2v.errors import MediaError

CLIP2VIDEO_EXTRACTION_RATE: Final = 5.0  # pictures a second, written before any sampling

# ffmpeg's constant frame rate: how far, in pictures to be written, a frame may be off its place.
_TOO_EARLY = -1.1
_TOO_LATE = 1.1
_PREVIOUS_LATE = 0.6
_TIME_STEPS = 1 << 16  # parts of a picture's time that ffmpeg counts in


@dataclass(frozen=True, slots=True)
class FrameClock:
    """When the frames of a video are shown, in the order in which they are.

    ``seconds`` from the start of playback, ``durations`` in seconds; ``frame_rate`` is what the
    file says, 0.0 when unknown. ``ffmpeg_shift`` is how much later, in seconds, ffmpeg's own clock
    has them: it believes no presentation time of an AVI file.
    """

    seconds: tuple[float, ...]
    durations: tuple[float, ...]
    frame_rate: float
    ffmpeg_shift: float = 0.0


@dataclass(frozen=True, slots=True)
class PublishedSampling:
    """Which frames of a video a paper takes.

    ``first_seconds`` is how much of a video the benchmark looks at, None for all of it.
    ``picture_step`` is CLIP2Video's "feature_framerate", which is a divisor: every so many of the
    extracted pictures.
    """

    protocol: Literal["clip4clip", "clip2video"]
    max_frames: int = 12
    picture_step: int = 1
    first_seconds: float | None = None

    def positions(self, clock: FrameClock) -> tuple[int, ...]:
        """Numbers of the frames, ascending, at most ``max_frames``; a number may come twice.

        Raises:
            MediaError: the protocol has no frame for such a video.
        """
        if self.protocol == "clip4clip":
            start, end = None, None
            if self.first_seconds is not None:
                start, end = 0, math.floor(self.first_seconds)
            read = clip4clip_positions(
                len(clock.seconds), clock.frame_rate, start_second=start, end_second=end
            )
            return tuple(read[place] for place in slice_positions(len(read), self.max_frames))
        limit = math.inf if self.first_seconds is None else self.first_seconds
        count = sum(second < limit for second in clock.seconds)
        pictures = extracted_pictures(
            [second + clock.ffmpeg_shift for second in clock.seconds[:count]],
            clock.durations[:count],
        )
        chosen = clip2video_positions(
            len(pictures), divisor=self.picture_step, max_frames=self.max_frames
        )
        if not chosen:
            raise MediaError(
                f"is too short: {len(pictures)} pictures at five a second, of which every "
                f"{self.picture_step}. is taken"
            )
        return tuple(pictures[place] for place in chosen)


def clip2video_positions(
    picture_count: int, *, divisor: int = 1, max_frames: int = 12
) -> tuple[int, ...]:
    """Which of a video's extracted pictures are read; none if there are fewer than `divisor`.

    >>> clip2video_positions(7, divisor=2)
    (0, 3, 6)
    """
    read = _floor_linspace(picture_count - 1, picture_count // divisor)
    if len(read) > max_frames:
        read = read[_floor_linspace(len(read) - 1, max_frames)]
    return tuple(int(index) for index in read)


def extracted_pictures(
    seconds: Sequence[float],
    durations: Sequence[float],
    *,
    rate: float = CLIP2VIDEO_EXTRACTION_RATE,
) -> tuple[int, ...]:
    """The number of the frame that is in each picture of ``ffmpeg -i VIDEO -r RATE %08d.jpg``.

    ffmpeg fills the places of a constant rate one frame after the other. It leaves a frame out
    only when more than 1.1 places too early, so the second picture is the second frame, and from
    the third on a picture is nearly a fifth of a second ahead of its place.

    >>> extracted_pictures([n / 25 for n in range(20)], [1 / 25] * 20)
    (0, 1, 4, 9, 14, 19)
    """
    pictures: list[int] = []
    repeats = [0, 0, 0]  # how often the frame before was repeated, of the last three frames
    for number, (second, duration) in enumerate(zip(seconds, durations, strict=True)):
        place = round(second * rate * _TIME_STEPS) / _TIME_STEPS
        if place != round(place):
            place += math.copysign(0.5 / _TIME_STEPS, place)
        ahead = place - len(pictures)
        ends = ahead + duration * rate
        if ahead < 0 < ends:
            ahead = 0.0
        times, before = 1, 0
        if ends < _TOO_EARLY:
            times = 0
        elif ends > _TOO_LATE:
            times = round(ends)
            before = round(ahead - _PREVIOUS_LATE) if ahead > _TOO_LATE else 0
        before = min(before, times)
        pictures += [max(0, number - 1)] * before + [number] * (times - before)
        repeats = [*repeats[1:], before]
    return tuple(pictures + [len(seconds) - 1] * sorted(repeats)[1])


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


def slice_positions(count: int, max_frames: int) -> tuple[int, ...]:
    """Which of `count` frames stay when there are more than `max_frames`: evenly spaced ones.

    >>> slice_positions(9, 8)
    (0, 1, 2, 3, 4, 5, 6, 8)
    """
    if count <= max_frames:
        return tuple(range(count))
    return tuple(int(index) for index in _floor_linspace(count - 1, max_frames))


def _floor_linspace(last: int, count: int) -> NDArray[np.int64]:
    """`count` whole positions from 0 to `last`, both ends taken, fractions dropped."""
    return np.linspace(0, last, count).astype(np.int64)

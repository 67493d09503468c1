"""Moments with what editors count in: whole frames at the exact rate of the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from c2v.errors import MediaError, only_this_file
from c2v.services.exporting.names import name_of, readable

if TYPE_CHECKING:
    from c2v.media.containers import OpenVideo
    from c2v.search.results import Moment

_RATES = tuple(
    Fraction(base * 1000, 1001) if odd else Fraction(base)
    for base in (24, 25, 30, 48, 50, 60, 90, 100, 120)
    for odd in (False, True)
    if not (odd and base % 25 == 0)
)
"""Those that editors know."""
_CLOSE = 0.0004
"""Half the distance of 30 and 29.97: files round their rate."""
_UNKNOWN_RATE = Fraction(25)
_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")


@dataclass(frozen=True, slots=True)
class EditSource:
    """A video file as an editor sees it."""

    path: str
    rate: Fraction
    """Frames a second."""
    frames: int
    first_frame: int
    """What its own time code shows at the start, in frames; 0 where it has none."""
    width: int
    height: int
    channels: int
    """Of its sound; 0 is none."""
    sample_rate: int

    @property
    def name(self) -> str:
        """The file's name."""
        return name_of(self.path)


@dataclass(frozen=True, slots=True)
class EditClip:
    """Frames ``first`` up to, not including, ``last`` of a source, counted from its beginning."""

    source: EditSource
    first: int
    last: int
    rank: int
    score: float
    best: int
    """The frame nearest to the question."""

    @property
    def seconds(self) -> Fraction:
        """How long it is."""
        return (self.last - self.first) / self.source.rate


def clips_of(moments: Iterable[Moment], on_problem: Callable[[str], None]) -> list[EditClip]:
    """The moments of files that can be read; ``on_problem`` is told of the others."""
    sources: dict[str, EditSource | None] = {}
    clips = []
    for moment in moments:
        if moment.path not in sources:
            try:
                sources[moment.path] = source_of(Path(moment.path))
            except MediaError as error:
                sources[moment.path] = None
                on_problem(f"{readable(moment.path)} is left out: {error.message}")
        source = sources[moment.path]
        if source is not None:
            clips.append(_clip(source, moment))
    return clips


def _clip(source: EditSource, moment: Moment) -> EditClip:
    first = min(round(moment.start * source.rate), source.frames - 1)
    last = max(first + 1, min(round(moment.end * source.rate), source.frames))
    best = max(first, min(round(moment.best * source.rate), last - 1))
    return EditClip(source, first, last, moment.rank, moment.score, best)


def source_of(path: Path) -> EditSource:
    """Look into a file.

    Raises:
        MediaError: it is not there, or no video.
    """
    from c2v.media.containers import open_video
    from c2v.media.probe import look

    with only_this_file(), open_video(path) as video:
        info = look(video)
        rate = exact_rate(info.frame_rate)
        sound = next(iter(video.container.streams.audio), None)
        return EditSource(
            path=str(path),
            rate=rate,
            frames=max(1, round(info.duration_seconds * rate)),
            first_frame=_first_frame(video, rate),
            width=info.width,
            height=info.height,
            channels=sound.channels if sound is not None else 0,
            sample_rate=sound.rate or 48000 if sound is not None else 0,
        )


def exact_rate(frame_rate: float) -> Fraction:
    """The rate that a file means: files say 29.97 and mean 30000/1001.

    >>> exact_rate(29.97), exact_rate(25.0), exact_rate(12.5)
    (Fraction(30000, 1001), Fraction(25, 1), Fraction(25, 2))
    """
    if frame_rate <= 0:
        return _UNKNOWN_RATE
    nearest = min(_RATES, key=lambda rate: abs(float(rate) - frame_rate))
    if abs(float(nearest) - frame_rate) <= _CLOSE * frame_rate:
        return nearest
    return Fraction(frame_rate).limit_denominator(100)


def _first_frame(video: OpenVideo, rate: Fraction) -> int:
    """The frame number of the time code that a camera has written."""
    places = [video.container.metadata, *(one.metadata for one in video.container.streams)]
    for metadata in places:
        match = _TIMECODE.fullmatch(metadata.get("timecode", ""))
        if match:
            hours, minutes, seconds, _, frames = match.groups()
            clock = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
            number = clock * nominal(rate) + int(frames)
            if match[4] != ":" and drops(rate):
                minutes_passed = clock // 60
                number -= dropped_a_minute(rate) * (minutes_passed - minutes_passed // 10)
            return number
    return 0


def nominal(rate: Fraction) -> int:
    """Frames that the time code counts in a second: 30 of 29.97.

    >>> nominal(Fraction(30000, 1001)), nominal(Fraction(24000, 1001))
    (30, 24)
    """
    return max(1, round(rate))


def drops(rate: Fraction) -> bool:
    """Whether numbers are left out of the time code so that it keeps up with the clock."""
    return rate.denominator == 1001 and nominal(rate) % 30 == 0


def dropped_a_minute(rate: Fraction) -> int:
    """Numbers left out at the start of nine of ten minutes: 2 at 29.97."""
    return nominal(rate) // 15 if drops(rate) else 0


def timecode(frame: int, rate: Fraction) -> str:
    """``HH:MM:SS:FF``, or ``HH:MM:SS;FF`` with numbers left out (29.97 and 59.94).

    >>> timecode(1800, Fraction(30000, 1001)), timecode(17982, Fraction(30000, 1001))
    ('00:01:00;02', '00:10:00;00')
    >>> timecode(90000, Fraction(25))
    '01:00:00:00'
    """
    base, dropped = nominal(rate), dropped_a_minute(rate)
    if dropped:
        minute, ten_minutes = 60 * base - dropped, 600 * base - 9 * dropped
        tens, rest = divmod(frame, ten_minutes)
        minutes = max(0, (rest - dropped) // minute)  # the first of the ten drops nothing
        frame += dropped * (9 * tens + minutes)
    seconds, frames = divmod(frame, base)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    mark = ";" if dropped else ":"
    return f"{hours % 24:02d}:{minutes:02d}:{seconds:02d}{mark}{frames:02d}"

"""Lines of subtitles, and what is asked of them: frozen records with units in their names."""

from __future__ import annotations

from dataclasses import dataclass

IN_THE_VIDEO = ""
"""``path`` of the subtitles that are streams of the video itself."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is said, or stands on the screen, for a while; times from the start of the video."""

    start_seconds: float
    end_seconds: float
    text: str
    """Plain: no tags, no line breaks."""


@dataclass(frozen=True, slots=True)
class SubtitleState:
    """As which file subtitles were read: nothing has to be read again while it stays the same."""

    path: str
    """Relative to the folder of the video, or ``IN_THE_VIDEO``."""
    size_bytes: int = 0
    mtime_ns: int = 0


@dataclass(frozen=True, slots=True)
class SubtitleData:
    """The lines of one subtitle file, or of all streams of a video, ready to be stored."""

    state: SubtitleState
    lines: tuple[Line, ...] = ()
    """In the order of time."""
    without_text: int = 0
    """Subtitles that are pictures, and have no text: so many streams, or this file."""


@dataclass(frozen=True, slots=True)
class SaidWords:
    """Words that follow each other in a line; the case of letters and accents do not count."""

    text: str
    is_prefix: bool = False
    """The last word may go on."""


@dataclass(frozen=True, slots=True)
class SaidLine:
    """A line that was asked for, and the video in which it is."""

    video_id: int
    path: str
    """Of the video."""
    duration_seconds: float
    """Of the whole video."""
    line: Line

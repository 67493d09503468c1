"""Which videos a search may answer with: a question that every store answers by itself."""

from __future__ import annotations

from dataclasses import dataclass

from c2v.library.lines import SaidWords

NEAR_SECONDS = 5.0
"""What is said and what is seen belong together when no more time than this is between them: a line
is heard before the picture turns to what it speaks of, or after."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What has to be true of a video; nothing said means every video.

    All that is said has to be true; of several paths, extensions or tags one is enough. Bounds
    include themselves.

    >>> Filter().is_open, Filter(paths=("*.mp4",)).is_open
    (True, False)
    """

    paths: tuple[str, ...] = ()
    """Paths and path patterns, one of which has to mean it (:mod:`c2v.paths.patterns`)."""
    extensions: tuple[str, ...] = ()
    """In lower case, without the dot."""
    tags: tuple[str, ...] = ()
    """Names; the case of a-z does not count."""
    since: float | None = None
    """Recorded at this time or later, in seconds since 1970-01-01 UTC; of a file that does not say
    when it was recorded, the time of its last change counts."""
    until: float | None = None
    """Recorded before this time: the first second that no longer counts."""
    min_duration: float | None = None
    """In seconds, like ``max_duration``."""
    max_duration: float | None = None
    min_height: int | None = None
    """Of the upright picture, in pixels."""
    said: tuple[SaidWords, ...] = ()
    """All of these are in one line of its subtitles. Of such a video only segments near such a line
    may be found, ``NEAR_SECONDS`` before it or after."""

    @property
    def is_open(self) -> bool:
        """Whether every video passes."""
        return self == Filter()

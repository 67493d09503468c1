"""Which videos a search may answer with: a question that every store answers by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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

    @property
    def is_open(self) -> bool:
        """Whether every video passes."""
        return self == Filter()

    @property
    def looks_at_rows(self) -> bool:
        """Whether anything but the path of a video decides."""
        return Filter(paths=self.paths, extensions=self.extensions) != self


def chosen_by_path(
    where: Filter, videos: Sequence[tuple[int, str]]
) -> tuple[list[int], tuple[str, ...]]:
    """The ids of those of ``videos`` (ids and absolute paths) that pass, and the unmatched paths.

    Only ``paths`` and ``extensions`` are looked at.

    Raises:
        PatternError: one of the patterns means nothing at all; names it.
    """
    chosen: Sequence[int] = range(len(videos))
    unmatched: Sequence[str] = ()
    if where.paths:
        from c2v.paths.patterns import select  # most searches give no pattern: it costs 4 ms

        chosen, unmatched = select(where.paths, [path for _, path in videos])
    if where.extensions:
        endings = tuple(f".{extension}" for extension in where.extensions)
        chosen = [place for place in chosen if videos[place][1].lower().endswith(endings)]
    return [videos[place][0] for place in chosen], tuple(unmatched)

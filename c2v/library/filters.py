"""Which videos a search may answer with: a question that every store answers by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filter:
    """What has to be true of a video; nothing said means every video.

    >>> Filter().is_open, Filter(paths=("*.mp4",)).is_open
    (True, False)
    """

    paths: tuple[str, ...] = ()
    """Paths and path patterns, one of which has to mean it (:mod:`c2v.paths.patterns`)."""

    @property
    def is_open(self) -> bool:
        """Whether every video passes."""
        return self == Filter()


def chosen_by_path(
    where: Filter, videos: Sequence[tuple[int, str]]
) -> tuple[list[int], tuple[str, ...]]:
    """The ids of those of ``videos`` (ids and absolute paths) that pass, and the unmatched paths.

    Raises:
        PatternError: one of the patterns means nothing at all; names it.
    """
    if not where.paths:
        return [key for key, _ in videos], ()
    from c2v.paths.patterns import select  # most searches give no pattern: it costs 4 ms

    chosen, unmatched = select(where.paths, [path for _, path in videos])
    return [videos[place][0] for place in chosen], tuple(unmatched)

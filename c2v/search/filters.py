"""Which videos a search may answer with: paths and path patterns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from c2v.errors import UsageError
from c2v.paths.globs import PatternError
from c2v.paths.patterns import select


def videos_within(
    videos: Sequence[tuple[int, str]],
    patterns: Sequence[str],
    *,
    on_unmatched: Callable[[str], None] | None = None,
) -> list[int]:
    """The ids of those of ``videos`` (ids and absolute paths) that ``patterns`` mean.

    ``on_unmatched`` is told each pattern that means none of them. Raises UsageError for one that
    means nothing at all.
    """
    try:
        chosen, unmatched = select(patterns, [path for _, path in videos])
    except PatternError as error:
        raise UsageError(f"--in {error}", hint="give a folder, or a pattern as *.mp4") from error
    for pattern in unmatched if on_unmatched else ():
        on_unmatched(pattern)  # type: ignore[misc]
    return [videos[place][0] for place in chosen]

"""What is said of a filter that a library has no videos for."""

from __future__ import annotations

from c2v.errors import UsageError
from c2v.library import Filter, Store
from c2v.paths.globs import PatternError


def unmatched(library: Store, where: Filter) -> list[str]:
    """Those of the filter's paths and patterns that mean no video of ``library``.

    Raises:
        UsageError: one that means nothing at all.
    """
    try:
        return library.unmatched(where)
    except PatternError as error:
        raise UsageError(f"--in {error}", hint="give a folder, or a pattern as *.mp4") from error

"""What of a ranking is wanted, as everybody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

from c2v.config import Strategy
from c2v.search.ranking import SearchOptions
from c2v.services.places import several


class Wanted(TypedDict, total=False):
    """What of a ranking is wanted; all of it may be left out."""

    top: int
    """How many moments at most; 10."""
    moments: bool
    """Every matching moment, instead of the best one of each video."""
    within: Sequence[str]
    """Only videos at or below these paths, or that these path patterns mean."""
    min_score: float | None
    """Only moments at least this good, in [-1, 1]."""
    rerank: int
    """How many of the first results the head scores again pair by pair (tightTransf only)."""


def options_of(
    wanted: Wanted, strategy: Strategy, *, on_unmatched: Callable[[str], None]
) -> SearchOptions:
    """``wanted`` with everything that was left out.

    Raises:
        UsageError: a number that makes no sense.
    """
    if wanted.get("top", 1) < 1 or wanted.get("rerank", 0) < 0:
        raise UsageError("top is at least 1 and rerank at least 0", hint="leave them out")
    return SearchOptions(
        **{**wanted, "within": tuple(map(os.fspath, several(wanted.get("within", ()))))},
        on_unmatched=on_unmatched,
        strategy=strategy,
    )

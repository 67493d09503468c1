"""What of a ranking is wanted, as everybody asks for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypedDict

from c2v.config import Strategy
from c2v.errors import UsageError
from c2v.library import Filter
from c2v.search.ranking import SearchOptions
from c2v.services.keywords import check_keywords
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
        TypeError: a keyword that there is not.
    """
    check_keywords(wanted, Wanted, of="search")
    if wanted.get("top", 1) < 1 or wanted.get("rerank", 0) < 0:
        raise UsageError("top is at least 1 and rerank at least 0", hint="leave them out")
    within = tuple(os.fspath(path) for path in several(wanted.get("within", ())))
    return SearchOptions(
        top=wanted.get("top", 10),
        moments=wanted.get("moments", False),
        where=Filter(paths=within),
        on_unmatched=on_unmatched,
        min_score=wanted.get("min_score"),
        strategy=strategy,
        rerank=wanted.get("rerank", 0),
    )

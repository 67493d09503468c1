"""What of a ranking is wanted, as everybody asks for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, TypedDict

from c2v.config import Strategy
from c2v.errors import UsageError
from c2v.files.presence import Presence
from c2v.library import Filter, SaidWords
from c2v.search.ranking import SearchOptions
from c2v.services.keywords import check_keywords
from c2v.services.places import StrPath, several


class Wanted(TypedDict, total=False):
    """What of a ranking is wanted; all of it may be left out."""

    top: int
    """How many moments at most; 10."""
    moments: bool
    """Every matching moment, instead of the best one of each video."""
    within: Sequence[str]
    """Only videos at or below these paths, or that these path patterns mean."""
    extensions: Sequence[str]
    """Only files with one of these extensions, with or without the dot."""
    tags: Sequence[str]
    """Only videos with one of these tags."""
    since: str | date | float | None
    """Only videos recorded then or later: a date, an age as ``3d``, or seconds since 1970."""
    until: str | date | float | None
    """Only videos recorded then or earlier; a day, a month, a year are meant to their end."""
    min_duration: str | float | None
    """Only videos at least so long: seconds, or ``1m30s``, or ``1:30``."""
    max_duration: str | float | None
    """Only videos at most so long."""
    min_height: int | None
    """Only videos whose upright picture has at least so many lines."""
    and_: Sequence[str]
    """Texts that are wanted too; ``TEXT^2`` counts twice."""
    not_: Sequence[str]
    """Texts that are not wanted."""
    image: StrPath | Sequence[StrPath] | None
    """A picture, or several, as a part of the question."""
    video: StrPath | Sequence[StrPath] | None
    """A clip, or ``FILE@FROM-TO`` of it, as a part of the question."""
    like: int | Sequence[int] | None
    """Results of the last answer that was kept, by rank, as a part of the question."""
    said: str | None
    """Only moments at a line of the subtitles with all of these words, ``"words in a row"`` and
    ``beginnings*``; alone it is the question."""
    min_score: float | None
    """Only moments at least this good, in [-1, 1]."""
    rerank: int
    """How many of the first results the head scores again pair by pair (tightTransf only)."""
    missing: bool
    """Also moments of files that are not there now, marked as such (True), or in their place the
    next ones whose files are."""


def options_of(
    wanted: Wanted,
    strategy: Strategy,
    *,
    presence: Presence,
    on_unmatched: Callable[[str], None],
    on_missing: Callable[[str], None],
) -> SearchOptions:
    """``wanted`` with everything that was left out.

    Raises:
        UsageError: a number that makes no sense.
        TypeError: a keyword that there is not.
    """
    check_keywords(wanted, Wanted, of="search")
    if wanted.get("top", 1) < 1 or wanted.get("rerank", 0) < 0:
        raise UsageError("top is at least 1 and rerank at least 0", hint="leave them out")
    return SearchOptions(
        top=wanted.get("top", 10),
        moments=wanted.get("moments", False),
        where=filter_of(wanted),
        on_unmatched=on_unmatched,
        min_score=wanted.get("min_score"),
        strategy=strategy,
        rerank=wanted.get("rerank", 0),
        missing=wanted.get("missing", True),
        presence=presence,
        on_missing=on_missing,
    )


def filter_of(wanted: Wanted) -> Filter:
    """Which videos may be found.

    Raises:
        UsageError: a date or a length that is none, or bounds that leave nothing between them.
    """
    paths = tuple(os.fspath(path) for path in several(wanted.get("within", ())))
    extensions = tuple(
        extension.strip().lower().removeprefix("*").removeprefix(".")
        for extension in _texts(wanted.get("extensions", ()))
    )
    if "" in extensions:
        raise UsageError("--ext: an extension is empty", hint="for example --ext mp4")
    tags = tuple(_texts(wanted.get("tags", ())))
    bounds: dict[str, Any] = {name: wanted.get(name) for name in _BOUNDS}
    said = _said(wanted.get("said"))
    if all(value is None for value in bounds.values()):  # hardly ever is one given
        return Filter(paths, extensions, tags, said=said)
    from c2v.search.amounts import seconds_of, since_of, until_of

    since, until = bounds["since"], bounds["until"]
    shortest, longest = (
        None if bounds[name] is None else seconds_of(bounds[name], option=f"--{name[:3]}-duration")
        for name in ("min_duration", "max_duration")
    )
    made = Filter(
        paths=paths,
        extensions=extensions,
        tags=tags,
        since=None if since is None else since_of(since),
        until=None if until is None else until_of(until),
        min_duration=shortest,
        max_duration=longest,
        min_height=bounds["min_height"],
        said=said,
    )
    _check_order(made, bounds)
    return made


_BOUNDS = ("since", "until", "min_duration", "max_duration", "min_height")


def _said(text: str | None) -> tuple[SaidWords, ...]:
    if text is None:
        return ()
    from c2v.search.said import parse_said

    return parse_said(text)


def _check_order(made: Filter, bounds: Mapping[str, Any]) -> None:
    if made.since is not None and made.until is not None and made.since >= made.until:
        raise UsageError(
            f"--since {bounds['since']} is not before the end of --until {bounds['until']}",
            hint="give the earlier one to --since",
        )
    lengths = made.min_duration, made.max_duration
    if lengths[0] is not None and lengths[1] is not None and lengths[0] > lengths[1]:
        raise UsageError(
            f"--min-duration {bounds['min_duration']} is longer than --max-duration "
            f"{bounds['max_duration']}",
            hint="give the shorter one to --min-duration",
        )


def _texts(texts: Sequence[str] | str) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)

"""What was said: the words of ``--said``, and the lines that answer to them as moments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from c2v.errors import UsageError
from c2v.library import NEAR_SECONDS, Line, SaidLine, SaidWords
from c2v.search.results import Moment

CONTEXT_SECONDS = 1.0
"""What is played before a line and after it: it begins in the middle of a breath otherwise."""
_PART = re.compile(r'"([^"]*)"(\*?)|([^\s"]+)')
SCORE = 1.0
"""Of a line: all that was asked for is in it, to the word."""


def parse_said(text: str) -> tuple[SaidWords, ...]:
    """The words that have to be in one line.

    Whatever else stands in it is no syntax; a quotation mark without its fellow is none, either.

    >>> parse_said('happy "to you" birth* AND col:umn')[1:3]
    (SaidWords(text='to you', is_prefix=False), SaidWords(text='birth', is_prefix=True))

    Raises:
        UsageError: it is empty.
    """
    if not text.strip():
        raise UsageError("--said is empty", hint='for example c2v search --said "happy birthday"')
    words = []
    for part in _PART.finditer(text):
        row, star, word = part.groups()
        if row is None:
            words.append(SaidWords(word.rstrip("*"), word.endswith("*")))
        else:
            words.append(SaidWords(row, bool(star)))
    return tuple(words) or (SaidWords(text),)


def best_lines(lines: Iterable[SaidLine], *, moments: bool) -> list[SaidLine]:
    """The best line of each video; with ``moments`` all, but what is said at one time once.

    A video may have the same line several times: in it and beside it, in two files.
    """
    kept: dict[int, list[SaidLine]] = {}
    found = []
    for one in lines:
        others = kept.setdefault(one.video_id, [])
        if others and (not moments or any(_overlap(one.line, other.line) for other in others)):
            continue
        others.append(one)
        found.append(one)
    return found


def _overlap(one: Line, other: Line) -> bool:
    """Whether one is during most of the other."""
    both = min(one.end_seconds, other.end_seconds) - max(one.start_seconds, other.start_seconds)
    shorter = min(one.end_seconds - one.start_seconds, other.end_seconds - other.start_seconds)
    return both > 0.5 * shorter


def moment_of(rank: int, found: SaidLine) -> Moment:
    """The moment of a line, with what is before it and after."""
    line, duration = found.line, found.duration_seconds
    return Moment(
        rank=rank,
        path=found.path,
        score=SCORE,
        confidence=1.0,
        start=max(0.0, line.start_seconds - CONTEXT_SECONDS),
        end=min(duration, line.end_seconds + CONTEXT_SECONDS),
        best=line.start_seconds,
        duration=duration,
        video_id=found.video_id,
        said=line,
    )


def moved_to_line(moment: Moment, lines: Sequence[SaidLine]) -> Moment:
    """A moment with the line that is said during it, or soonest before or after it.

    A segment may be near a line and the best of it far away, in a clip that is one segment: then
    the moment is that of the line.
    """

    def away(one: SaidLine) -> tuple[float, float]:
        line = one.line
        gap = max(line.start_seconds - moment.end, moment.start - line.end_seconds, 0.0)
        return gap, abs(line.start_seconds - moment.best)

    nearest = min(lines, key=away, default=None)
    if nearest is None:
        return moment
    if away(nearest)[0] > NEAR_SECONDS:
        at_line = moment_of(moment.rank, nearest)
        start, end, best = at_line.start, at_line.end, at_line.best
        return replace(moment, start=start, end=end, best=best, said=nearest.line)
    return replace(moment, said=nearest.line)

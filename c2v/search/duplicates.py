"""From pairs that share something to groups of duplicates: plain data and pure arithmetic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.search.overlaps import LEAST_SECONDS, Overlap
from c2v.search.sequences import ResultSequence

_STEPS_A_SECOND = 4
_RELATED = 0.4
"""Videos that share so much of the shorter one are no strangers."""


@dataclass(frozen=True, slots=True)
class DuplicateVideo:
    """One video of a group, and what is asked when one of them is to be kept."""

    path: str
    duration: float
    """In seconds."""
    width: int
    height: int
    size_bytes: int
    missing: bool = False
    """Nothing is found at the path now. Not in the JSON, which has no such videos."""

    def as_dict(self) -> dict[str, Any]:
        """One of the ``videos`` in the JSON of ``c2v duplicates``."""
        return {
            "path": self.path,
            "duration": round(self.duration, 3),
            "width": self.width,
            "height": self.height,
            "size_bytes": self.size_bytes,
        }


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two videos, by path, and what they share."""

    a: str
    b: str
    shared_seconds: float
    offset_seconds: float
    """What is seen at t in ``a`` is seen at t + offset_seconds in ``b``."""
    confidence: float
    """In [0, 1]; 1.0 for files of the same content alone."""
    starts: tuple[float, float] = (0.0, 0.0)
    """From when in ``a``, and in ``b``. Not in the JSON."""

    def as_dict(self) -> dict[str, Any]:
        """One of the ``pairs`` in the JSON of ``c2v duplicates``."""
        return {
            "a": self.a,
            "b": self.b,
            "shared_seconds": round(self.shared_seconds, 3),
            "offset_seconds": round(self.offset_seconds, 3),
            "confidence": round(self.confidence, 4),
        }


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Videos that are joined by pairs, the largest and longest first."""

    videos: tuple[DuplicateVideo, ...]
    pairs: tuple[DuplicatePair, ...]

    def as_dict(self) -> dict[str, Any]:
        """One of the ``groups`` in the JSON of ``c2v duplicates``: of files that are there."""
        here = {video.path for video in self.videos if not video.missing}
        return {
            "videos": [video.as_dict() for video in self.videos if not video.missing],
            "pairs": [pair.as_dict() for pair in self.pairs if {pair.a, pair.b} <= here],
        }


@dataclass(frozen=True, slots=True)
class Duplicates(ResultSequence[DuplicateGroup]):
    """Groups of duplicates, by the path of their first video."""

    results: tuple[DuplicateGroup, ...]

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v duplicates``."""
        groups = (group.as_dict() for group in self.results)
        return {"groups": [group for group in groups if group["pairs"]]}


@dataclass(frozen=True, slots=True)
class Shared:
    """Two videos, by id, and their overlap."""

    one: int
    other: int
    overlap: Overlap

    def spans_in(self, video_id: int) -> list[tuple[float, float]]:
        """What is shared, in seconds of one of the two."""
        shift = 0.0 if video_id == self.one else self.overlap.offset
        return [(start + shift, end + shift) for start, end in self.overlap.spans]


def without_recurring(found: Sequence[Shared], durations: Mapping[int, float]) -> list[Shared]:
    """Those that share something of their own.

    What three or more videos share that have nothing else in common (an intro, an outro, a
    station's logo) is no evidence; less than two seconds of anything else is too little. A pair of
    which one video is all in the other stays.

    Args:
        found: all pairs that share something.
        durations: of every video, in seconds.
    """
    related = {
        (pair.one, pair.other)
        for pair in found
        if pair.overlap.whole
        or pair.overlap.seconds >= _RELATED * min(durations[pair.one], durations[pair.other])
    }
    by_video: dict[int, list[Shared]] = defaultdict(list)
    for pair in found:
        if (pair.one, pair.other) not in related:
            by_video[pair.one].append(pair)
            by_video[pair.other].append(pair)
    recurring = {key: _recurring(key, by_video[key], related, durations[key]) for key in by_video}
    kept = []
    for pair in found:
        if (pair.one, pair.other) in related:
            kept.append(pair)
            continue
        own = _own_spans(pair, recurring)
        seconds = sum(end - start for start, end in own)
        if seconds >= LEAST_SECONDS:
            kept.append(replace(pair, overlap=replace(pair.overlap, spans=own)))
    return kept


def _recurring(
    video_id: int, pairs: Sequence[Shared], related: set[tuple[int, int]], duration: float
) -> NDArray[np.bool_]:
    """For each quarter of a second whether two strangers, also to each other, have it, too."""
    steps = int(duration * _STEPS_A_SECOND) + 2
    seen: dict[int, NDArray[np.bool_]] = {}
    for pair in pairs:
        marks = np.zeros(steps, np.bool_)
        for start, end in pair.spans_in(video_id):
            marks[_steps(start, end, steps)] = True
        seen[pair.other if pair.one == video_id else pair.one] = marks
    recurring = np.zeros(steps, np.bool_)
    for one, other in combinations(sorted(seen), 2):
        if (one, other) not in related:
            recurring |= seen[one] & seen[other]
    return recurring


def _own_spans(
    pair: Shared, recurring: Mapping[int, NDArray[np.bool_]]
) -> tuple[tuple[float, float], ...]:
    """What of the shared seconds recurs on neither side, in seconds of the first."""
    own: list[tuple[float, float]] = []
    step = 1 / _STEPS_A_SECOND
    for start, end in pair.overlap.spans:
        edges = [start]
        while edges[-1] < end - 1e-9:
            edges.append(min(end, edges[-1] + step))
        for first, last in zip(edges[:-1], edges[1:], strict=True):
            middle = (first + last) / 2
            sides = ((pair.one, middle), (pair.other, middle + pair.overlap.offset))
            if any(_is_marked(recurring[key], seconds) for key, seconds in sides):
                continue
            if own and first - own[-1][1] < 1e-6:
                own[-1] = own[-1][0], last
            else:
                own.append((first, last))
    return tuple(own)


def _is_marked(marks: NDArray[np.bool_], seconds: float) -> bool:
    place = int(seconds * _STEPS_A_SECOND)
    return 0 <= place < len(marks) and bool(marks[place])


def _steps(start: float, end: float, count: int) -> slice:
    first = max(0, int(start * _STEPS_A_SECOND + 0.5))
    return slice(first, max(first, min(count, int(end * _STEPS_A_SECOND + 0.5))))


def components(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Ids that are joined by pairs, in groups, ascending."""
    parents: dict[int, int] = {}
    for one, other in pairs:
        parents.setdefault(one, one)
        parents.setdefault(other, other)
        _join(parents, one, other)
    groups: dict[int, list[int]] = defaultdict(list)
    for key in sorted(parents):
        groups[_root(parents, key)].append(key)
    return sorted(groups.values())


def _root(parents: dict[int, int], key: int) -> int:
    while parents[key] != key:
        parents[key] = parents[parents[key]]
        key = parents[key]
    return key


def _join(parents: dict[int, int], one: int, other: int) -> None:
    a, b = sorted((_root(parents, one), _root(parents, other)))
    parents[b] = a

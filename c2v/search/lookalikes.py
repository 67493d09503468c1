"""Which videos of a library may hold the same, told by what is stored of them alone.

Every video is a few rows: the means of the stretches in which its frames look alike. Rows of two
videos that are as near as rows of strangers hardly ever are make a pair worth a closer look. How
near that is, the library says itself: encoders differ, and so do collections.

With the encoder ``mini`` copies of 21 real clips (756 pairs: half the size, other codecs, cut, with
bars) were 0.69 to 1.0 near by their nearest rows; of strangers half were below 0.22, and one in a
hundred above 0.68. No bar on nearness alone could tell copies: only 2 in 3 are above 0.9.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.stretches import divide, unit_rows

ALL_UP_TO = 30
"""So few videos are all compared: too few to tell what strangers are like."""
_LONGEST = 12
"""Frames of a stretch at most."""
_SAMPLED_PAIRS = 2000
_PAIRS_A_VIDEO = 24
_PLACES = 3
"""Of a pair of videos: where they are nearest."""
_ROWS_AT_ONCE = 1024
_CELLS_FROM = 40_000
"""From so many rows on only those near the same landmarks are compared."""
_LANDMARKS = 3
"""Of each row: with 2, 3 and 4 of them 94.7, 99.3 and 99.8 % of copies met among 9,900 videos of
random rows, in which no landmark is better than another."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """R stretches of some videos, those of a video one after the other."""

    owners: NDArray[np.int64]
    """[R] ids of the videos."""
    seconds: NDArray[np.float32]
    """[R] the middle of each."""
    vectors: NDArray[np.float16]
    """[R, D] unit length."""


@dataclass(frozen=True, slots=True)
class Lookalike:
    """Two videos, by id, and where they are nearest: seconds in one and in the other."""

    one: int
    other: int
    places: tuple[tuple[float, float], ...]


def rows_of(video_id: int, times: NDArray[np.float32], features: NDArray[np.float16]) -> Rows:
    """The stretches of one video out of its frames: times [T] and features [T, D]."""
    edges = divide(features, longest=_LONGEST)
    unit = unit_rows(features)
    spans = list(zip(edges[:-1], edges[1:], strict=True))
    means = unit_rows(np.stack([unit[first:last].mean(axis=0) for first, last in spans]))
    middles = np.array([(times[first] + times[last - 1]) / 2 for first, last in spans], np.float32)
    owners = np.full(len(spans), video_id, np.int64)
    return Rows(owners, middles, means.astype(np.float16))


def joined(parts: list[Rows]) -> Rows:
    """All of them."""
    return Rows(
        np.concatenate([part.owners for part in parts]),
        np.concatenate([part.seconds for part in parts]),
        np.concatenate([part.vectors for part in parts]),
    )


def lookalikes(rows: Rows, *, seed: int = 0) -> list[Lookalike]:
    """Pairs of videos worth a closer look, by their ids; of a video the best few alone."""
    chance = np.random.default_rng(seed)
    bar = -np.inf
    if len(np.unique(rows.owners)) > ALL_UP_TO:
        bar = _bar(rows, chance)
    best: dict[tuple[int, int], list[tuple[float, float, float]]] = defaultdict(list)
    for mine, theirs, near in _near(rows, bar, chance):
        for i, j, score in zip(mine.tolist(), theirs.tolist(), near.tolist(), strict=True):
            one, other = sorted((i, j), key=lambda row: int(rows.owners[row]))
            places = best[int(rows.owners[one]), int(rows.owners[other])]
            place = (score, float(rows.seconds[one]), float(rows.seconds[other]))
            if place not in places:  # both rows may have come upon the other
                places.append(place)
                places.sort(reverse=True)
                del places[_PLACES:]
    return [
        Lookalike(one, other, tuple(place[1:] for place in best[one, other]))
        for one, other in _kept({pair: places[0][0] for pair, places in best.items()})
    ]


def _bar(rows: Rows, chance: np.random.Generator) -> float:
    """Nearest rows of strangers are below it: half-way from the usual to the same.

    Where one in a hundred pairs is above that, the library has few looks, and the bar is where one
    in a hundred is below.
    """
    ids, firsts, counts = np.unique(rows.owners, return_index=True, return_counts=True)
    nearest = []
    for _ in range(_SAMPLED_PAIRS):
        one, other = chance.choice(len(ids), 2, replace=False)
        a, b = (
            rows.vectors[firsts[n] : firsts[n] + counts[n]].astype(np.float32) for n in (one, other)
        )
        nearest.append(float((a @ b.T).max()))
    return min((1.0 + float(np.median(nearest))) / 2, float(np.quantile(nearest, 0.99)))


Found = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]


def _near(rows: Rows, bar: float, chance: np.random.Generator) -> Iterator[Found]:
    """Rows, rows of other videos that are near them, and how near: in parts."""
    if len(rows.owners) <= _CELLS_FROM:
        everything = np.arange(len(rows.owners))
        yield from _near_among(rows, everything, bar)
        return
    for cell in _cells(rows, chance):
        yield from _near_among(rows, cell, bar)


def _near_among(rows: Rows, chosen: NDArray[np.intp], bar: float) -> Iterator[Found]:
    vectors, owners = rows.vectors[chosen].astype(np.float32), rows.owners[chosen]
    for start in range(0, len(chosen), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        near = vectors[part] @ vectors.T
        near[owners[part, None] == owners[None, :]] = -np.inf
        if near.shape[1] > _PAIRS_A_VIDEO:
            least = np.partition(near, -_PAIRS_A_VIDEO, axis=1)[:, -_PAIRS_A_VIDEO]
            near[near < least[:, None]] = -np.inf
        i, j = np.nonzero((near >= bar) & np.isfinite(near))
        yield chosen[part][i], chosen[j], near[i, j]


def _cells(rows: Rows, chance: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Groups of rows, each row in a few: with those that have one of its nearest landmarks.

    Landmarks are as many rows as the root of their number, taken at random: copies are so near to
    each other that they hardly ever share none.
    """
    count = len(rows.owners)
    landmarks = rows.vectors[chance.choice(count, int(count**0.5), replace=False)]
    landmarks = landmarks.astype(np.float32)
    members: list[list[NDArray[np.intp]]] = [[] for _ in landmarks]
    for start in range(0, count, _ROWS_AT_ONCE):
        near = rows.vectors[start : start + _ROWS_AT_ONCE].astype(np.float32) @ landmarks.T
        nearest = np.argpartition(near, -_LANDMARKS, axis=1)[:, -_LANDMARKS:]
        order = np.argsort(nearest, axis=None, kind="stable")
        cells, firsts = np.unique(nearest.reshape(-1)[order], return_index=True)
        groups = np.split(start + order // _LANDMARKS, firsts[1:])
        for cell, group in zip(cells, groups, strict=True):
            members[int(cell)].append(group)
    for parts in members:
        if parts:
            yield np.concatenate(parts)


def _kept(nearness: dict[tuple[int, int], float]) -> list[tuple[int, int]]:
    """The pairs that are among the best of one of their videos, in the order of ids."""
    given: dict[int, int] = defaultdict(int)
    kept = []
    for pair in sorted(nearness, key=lambda pair: (-nearness[pair], pair)):
        if min(given[pair[0]], given[pair[1]]) < _PAIRS_A_VIDEO:
            kept.append(pair)
            for video_id in pair:
                given[video_id] += 1
    return sorted(kept)

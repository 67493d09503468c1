"""Where two videos show the very same: a shift of time at which their sketches move alike.

A picture alone says little: two takes of one scene, or two hours of one camera, have pictures as
near as a copy's. What moves where and when is a copy's alone. So every pair of pictures that look
alike and change alike votes for its shift, and along the best shifts it is looked at again:

* ``likeness``: correlation of the pictures themselves;
* ``motion``: correlation of how they change within half a second, over two seconds;
* ``agreement``: correlation of the pictures less the mean of each side, over all that matched.

Measured on copies of 21 real clips (encoded again, half the size, other codecs, 12 pictures a
second, cut, with black bars; 756 pairs) the least of them were 0.989, 0.66 and 0.89, and all came
to a confidence above 0.55. Of strangers (43 clips, each with each, and parts of one clip with each
other: a camera that stands still while people pass) none came to 0.5; the nearest were two parts of
an interview whose captions come and go in step, with 0.37: beside 6 seconds that match (0.995, 0.78
and 0.90) there are more in which the pictures are as near and move otherwise, which counts against.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2v.media.sketches import PICTURES_A_SECOND, Sketch

LEAST_SECONDS = 2.0
"""Of motion that is shared; the whole of a shorter video is enough, too."""
_RATE = PICTURES_A_SECOND
_WHOLE = 0.9
"""Of the shorter video: its first and last pictures may be lost."""
_REACH = 4
"""Pictures before and after one whose difference is its motion: half a second."""
_STEP = 2
"""Every second picture votes."""
_WINDOW = int(2 * PICTURES_A_SECOND) + 1
_EVEN = 6.0
"""Standard deviation (of 255) below which a picture is black, white or a fade."""
_STILL = 0.7
"""Root mean square (of 255) of a motion below which nothing moves: what encoders add is less."""
_FROZEN = 0.25
"""The same for a still picture made into a video."""
_SAME_STILL = 0.99
"""Of two still pictures; one of hard edges in a quarter of the size comes to 0.992."""
_ALIKE, _MOVES_ALIKE, _STILL_ALIKE = 0.9, 0.5, 0.985
_SHIFTS = 5
"""The most voted ones are looked at again."""

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What one video shares with another. Times in seconds."""

    offset: float
    """What is seen at t in the first is seen at t + offset in the second."""
    spans: tuple[tuple[float, float], ...]
    """From when to when, in the first."""
    moving: float
    """How much of it moves."""
    contrary: float
    """How much beside it looks alike and moves otherwise: another take of one scene."""
    likeness: float
    motion: float
    agreement: float
    whole: bool = False
    """It is all of the shorter of the two."""

    @property
    def seconds(self) -> float:
        """How much is shared."""
        return sum(end - start for start, end in self.spans)

    @property
    def evidence(self) -> float:
        """By which of two shifts is the better one."""
        return self.moving * self.agreement * self.motion

    @property
    def confidence(self) -> float:
        """How sure it is, in [0, 1); strangers stay below 0.5."""
        if not self.moving:
            return 0.5  # a still picture: there is nothing else to be told
        # A part of both may be chosen out of much that does not match: more is asked of it.
        parts = (
            (self.agreement - (0.86 if self.whole else 0.87)) / 0.06,
            (self.likeness - 0.97) / 0.02 if self.whole else (self.likeness - 0.988) / 0.006,
            (self.motion - 0.4) / 0.25 if self.whole else (self.motion - 0.66) / 0.1,
        )
        sure = math.prod(min(1.0, max(0.0, part)) for part in parts)
        sure *= min(1.0, 2 * self.moving / (self.moving + self.contrary))
        return min(0.999, sure * (1.0 - math.exp(-2.0 * self.moving)))


def overlap(one: Sketch, other: Sketch) -> Overlap | None:
    """What two videos, or parts of them, share at the best shift; None where that is nothing."""
    a, b = _Motion.of(one), _Motion.of(other)
    if a.is_frozen and b.is_frozen:
        return _of_stills(a, b)
    found = [_at_shift(a, b, shift) for shift in _voted(a, b)]
    kept = [at for at in found if at is not None and at.confidence >= 0.5]
    peaks: list[Overlap] = []
    for next_best in sorted(kept, key=lambda at: -at.evidence):
        if all(abs(next_best.offset - peak.offset) > 0.25 for peak in peaks):
            peaks.append(next_best)
    # Of turns that are as good (a video that repeats itself) the nearest.
    good = [peak for peak in peaks if peak.evidence >= 0.97 * peaks[0].evidence]
    return min(good, key=lambda peak: abs(peak.offset), default=None)


@dataclass(frozen=True, slots=True, eq=False)
class _Motion:
    """A sketch as T pictures without gaps: [T, P] each less its mean, and what changes in them."""

    first: float
    """Time of the first picture in seconds."""
    pictures: Floats
    """[T, P] of unit length; zero where it is even or missing."""
    changes: Floats
    """[T, P] zero where it is not known."""
    energy: Floats
    """[T] squared length of the changes."""
    blank: Flags
    """[T] even or missing."""

    @classmethod
    def of(cls, sketch: Sketch) -> _Motion:
        numbers = np.round(sketch.times * PICTURES_A_SECOND).astype(np.intp)
        numbers -= numbers[0]
        count = int(numbers[-1]) + 1
        there = np.zeros(count, np.bool_)
        there[numbers] = True
        flat = sketch.pictures.reshape(len(numbers), -1).astype(np.float32)
        rows = np.zeros((count, flat.shape[1]), np.float32)
        rows[numbers] = flat - flat.mean(axis=1, keepdims=True)
        lengths = np.linalg.norm(rows, axis=1)
        blank = lengths < _EVEN * math.sqrt(flat.shape[1])
        unit = rows / np.maximum(lengths, 1e-6)[:, None]
        unit[blank] = 0.0
        changes = np.zeros_like(rows)
        if count > 2 * _REACH:
            known = there[2 * _REACH :] & there[: -2 * _REACH]
            changes[_REACH:-_REACH][known] = (rows[2 * _REACH :] - rows[: -2 * _REACH])[known]
        energy = np.einsum("tp,tp->t", changes, changes)
        return cls(float(sketch.times[0]), unit, changes, energy, blank)

    @property
    def moves(self) -> Flags:
        """[T] whether something does."""
        flags: Flags = self.energy > self.changes.shape[1] * _STILL**2
        return flags

    @property
    def directions(self) -> Floats:
        """[T, P] changes of unit length; zero where nothing moves."""
        lengths = np.sqrt(np.maximum(self.energy, 1e-6))
        return np.where(self.moves[:, None], self.changes / lengths[:, None], np.float32(0))

    @property
    def is_frozen(self) -> bool:
        """It is one picture all the time, and that is not even."""
        limit = self.changes.shape[1] * _FROZEN**2
        rests = float((self.energy < limit).mean()) >= 0.75  # a keyframe may look a little other
        return rests and not self.blank.any() and bool(self.energy.max() < 16 * limit)


def _voted(a: _Motion, b: _Motion) -> list[int]:
    """The shifts, in pictures, for which most votes were given, and those beside them."""
    alike = a.pictures[::_STEP] @ b.pictures[::_STEP].T > _ALIKE
    alike &= a.directions[::_STEP] @ b.directions[::_STEP].T > _MOVES_ALIKE
    rows, columns = np.nonzero(alike)
    if not len(rows):
        return []
    least = len(alike) - 1
    votes = np.bincount(columns - rows + least, minlength=sum(alike.shape) - 1)
    votes = np.convolve(votes, [1, 1, 1], "same")
    shifts: list[int] = []
    for _ in range(_SHIFTS):
        best = int(votes.argmax())
        if votes[best] < 2:
            break
        votes[max(0, best - 2) : best + 3] = 0
        middle = (best - least) * _STEP
        shifts += range(middle - _STEP, middle + _STEP + 1)
    return shifts


def _at_shift(a: _Motion, b: _Motion, shift: int) -> Overlap | None:
    """What matches where picture i of ``a`` is picture i + shift of ``b``."""
    start, end = max(0, -shift), min(len(a.pictures), len(b.pictures) - shift)
    if end - start < 2:
        return None
    mine, theirs = slice(start, end), slice(start + shift, end + shift)
    likeness = np.einsum("tp,tp->t", a.pictures[mine], b.pictures[theirs])
    # A change counts where both of its ends are alike: a cut to something else, at the end of what
    # is shared, would drown all that moves beside it.
    counts = _both_ends(likeness >= _ALIKE)
    together = counts * np.einsum("tp,tp->t", a.changes[mine], b.changes[theirs])
    apart = _around(counts * a.energy[mine]) * _around(counts * b.energy[theirs])
    motion = _around(together) / np.sqrt(np.maximum(apart, 1e-6))
    moves = _around(counts * (a.moves[mine] & b.moves[theirs])) >= _REACH
    blank = a.blank[mine] | b.blank[theirs]
    neutral = a.blank[mine] & b.blank[theirs]
    evidence = (likeness >= _ALIKE) & (motion >= _MOVES_ALIKE) & moves & ~blank
    contrary = (likeness >= _ALIKE) & (motion < _MOVES_ALIKE) & moves & ~blank
    still = (likeness >= _STILL_ALIKE) & ~moves & ~blank
    covers = _WHOLE * min(len(a.pictures), len(b.pictures))
    good = evidence | still
    whole = bool((good | neutral).sum() >= covers and evidence.any())
    runs = _runs(good, neutral)
    if not whole:
        runs = [run for run in runs if evidence[slice(*run)].sum() >= LEAST_SECONDS * _RATE]
    inside = np.zeros(end - start, np.bool_)
    for run in runs:
        inside[slice(*run)] = True
    counted, shared = inside & evidence, inside & good
    if not counted.any():
        return None
    offset = shift / PICTURES_A_SECOND + b.first - a.first
    begins = a.first + start / _RATE
    return Overlap(
        offset=offset,
        spans=tuple((begins + x / _RATE, begins + y / _RATE) for x, y in _runs(shared)),
        moving=float(counted.sum()) / _RATE,
        contrary=float(contrary.sum()) / _RATE,
        likeness=float(np.median(likeness[counted])),
        motion=float(np.median(motion[counted])),
        agreement=_agreement(a.pictures[mine][counted], b.pictures[theirs][counted]),
        whole=whole,
    )


def _agreement(a: Floats, b: Floats) -> float:
    """Correlation of pictures [T, P], each side less its mean: what does not stand still."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / lengths if lengths > 0 else 0.0


def _both_ends(alike: Flags) -> Floats:
    """[T] 1 where the pictures are alike between which something changes, else 0."""
    counts = np.zeros(len(alike), np.float32)
    if len(alike) > 2 * _REACH:
        counts[_REACH:-_REACH] = alike[2 * _REACH :] & alike[: -2 * _REACH]
    return counts


def _around(values: Floats | Flags) -> NDArray[np.float64]:
    """Sums [T] over the two seconds around each."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    places, half = np.arange(len(values)), _WINDOW // 2
    after = np.minimum(places + half + 1, len(values))
    return np.asarray(sums[after] - sums[np.maximum(places - half, 0)])


def _runs(good: Flags, neutral: Flags | None = None) -> list[tuple[int, int]]:
    """From where to where it is good; over gaps of half a second, and over what is neutral."""
    bridged = good if neutral is None else good | neutral
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bridged, [False]])))
    runs: list[tuple[int, int]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        if neutral is not None and runs and start - runs[-1][1] <= 2 * _REACH:
            runs[-1] = runs[-1][0], end
        else:
            runs.append((start, end))
    return runs


def _of_stills(a: _Motion, b: _Motion) -> Overlap | None:
    """Two videos of a still picture each are one when picture and length are."""
    lengths = len(a.pictures), len(b.pictures)
    alike = float(a.pictures.mean(axis=0) @ b.pictures.mean(axis=0))
    if alike < _SAME_STILL or max(lengths) - min(lengths) > max(0.5 * _RATE, 0.05 * max(lengths)):
        return None
    span = (a.first, a.first + min(lengths) / _RATE)
    return Overlap(b.first - a.first, (span,), 0.0, 0.0, alike, 1.0, 1.0, whole=True)

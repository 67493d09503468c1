"""Confidence on somebody's own videos: questions whose video is there, and gone; held-out folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.evaluation.confidence_fit import (
    Logistic,
    fit_logistic,
    moved_to_refuse_few,
    signals_of,
)

Array = NDArray[np.float64]
_SHARES = (0.25, 0.5, 1.0)
_GALLERIES = 4  # of each share of the videos
_SUREST = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The best scores of Q questions, and among how many segments they are."""

    matched: Array
    """[Q] with the video that is meant in the gallery."""
    matched_among: NDArray[np.int64]
    stray: Array
    """[Q] without it."""
    stray_among: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Confidence:
    """What becomes of questions at a confidence of 1/2, in per cent, and how good it is.

    ``loss`` is the mean logarithmic loss, both kinds of questions counted alike.
    """

    refused: float
    """Their video is there."""
    accepted: float
    """It is not."""
    loss: float

    def as_dict(self) -> dict[str, float]:
        """As JSON."""
        return {"refused": self.refused, "accepted": self.accepted, "log_loss": self.loss}


def best_scores(
    scores: NDArray[np.float32],
    owner: NDArray[np.int64],
    segments: NDArray[np.int64],
    shown: NDArray[np.bool_] | None = None,
) -> Best:
    """Of questions asked of a gallery with and without their own video.

    Args:
        scores: of the questions with the best segment of each video, [Q, V].
        owner: the video each question means, [Q].
        segments: how many each video has, [V].
        shown: the videos that the gallery has, [V]; None is all.
    """
    others = scores.astype(np.float64)
    if shown is not None:
        others[:, ~shown] = -np.inf
    rows = np.arange(len(owner))
    own = scores[rows, owner]
    others[rows, owner] = -np.inf
    stray = others.max(axis=1)
    there = segments if shown is None else segments * shown
    among = int(there.sum()) - there[owner]
    return Best(np.maximum(own, stray), among + segments[owner], stray, among)


class ConfidenceTrial:
    """The constants of confidence for V videos in folds, by the captions of them."""

    def __init__(
        self,
        scores: NDArray[np.float32],
        owner: NDArray[np.int64],
        closeness: NDArray[np.float32],
        *,
        fold: NDArray[np.int64],
        segments: NDArray[np.int64],
    ) -> None:
        """``scores`` [Q, V], ``owner`` and ``closeness`` to everyday sentences [Q], ``fold`` of a
        video and ``segments`` it has [V]."""
        self.best = best_scores(scores, owner, segments)
        self.among: list[int] = []
        """Of all galleries that were looked at, how many segments."""
        self._scores, self._owner, self._closeness = scores, owner, closeness
        self._fold, self._segments = fold, segments

    def fit(self, *, without: int | None = None) -> Logistic | None:
        """The constants by the questions and videos of all folds but one.

        None where a higher score does not speak for a match.
        """
        taken = np.flatnonzero(self._fold != (-1 if without is None else without))  # videos
        random = np.random.default_rng(0)
        rows, matched = [], []
        used = np.flatnonzero(np.isin(self._owner, taken))
        whole = self._signals(used, taken)
        for share in _SHARES:
            for _ in range(_GALLERIES if share < 1 else 1):
                size = max(2, round(share * len(taken)))
                given = (
                    whole if share == 1 else self._signals(used, random.permutation(taken)[:size])
                )
                for kind, has_match in zip(given, (True, False), strict=True):
                    rows.append(kind)
                    matched.append(np.full(len(kind), has_match))
        fitted = _falling(np.concatenate(rows), np.concatenate(matched))
        return None if fitted is None else moved_to_refuse_few(fitted, whole[0])

    def held_out(self) -> NDArray[np.float64] | None:
        """Confidences [Q, 2] with and without a match, each by what the other folds gave."""
        found = np.empty((len(self._owner), 2))
        for fold in range(int(self._fold.max()) + 1):
            fitted = self.fit(without=fold)
            if fitted is None:
                return None
            mine = self._fold[self._owner] == fold
            best, close = self.best, self._closeness[mine]
            for column, (scores, among) in enumerate(
                ((best.matched, best.matched_among), (best.stray, best.stray_among))
            ):
                logits = fitted.logits(signals_of(scores[mine], close, among[mine]))
                found[mine, column] = 1 / (1 + np.exp(-logits))
        return found

    def _signals(self, used: NDArray[np.int64], videos: NDArray[np.int64]) -> tuple[Array, Array]:
        """Of the questions ``used`` asked of these videos: with a match, and without."""
        shown = np.zeros(len(self._fold), np.bool_)
        shown[videos] = True
        owner, close = self._owner[used], self._closeness[used]
        best = best_scores(self._scores[used], owner, self._segments, shown)
        self.among += [int(best.stray_among.min()), int(best.matched_among.max())]
        return (
            signals_of(best.matched, close, best.matched_among),
            signals_of(best.stray, close, best.stray_among),
        )


def _falling(signals: Array, matched: NDArray[np.bool_]) -> Logistic | None:
    """More segments never speak for a match: a fit that says so is made without them."""
    fitted = fit_logistic(signals, matched)
    if fitted.weights[1] > 0:
        alone = fit_logistic(signals[:, :1], matched)
        fitted = Logistic(np.array([alone.weights[0], 0.0]), alone.offset)
    return fitted if fitted.weights[0] > 0 else None


def losses(confidences: NDArray[Any]) -> NDArray[np.float64]:
    """The logarithmic loss of questions with and without a match: [Q, 2] -> [Q]."""
    sure = np.clip(confidences, _SUREST, 1 - _SUREST)
    found: NDArray[np.float64] = -(np.log(sure[:, 0]) + np.log(1 - sure[:, 1])) / 2
    return found


def confidence_of(confidences: NDArray[Any], *, bar: float) -> Confidence:
    """Confidences [Q, 2] with and without a match; from ``bar`` on it counts as one."""
    return Confidence(
        100 * float((confidences[:, 0] < bar).mean()),
        100 * float((confidences[:, 1] >= bar).mean()),
        float(losses(confidences).mean()),
    )


def is_better(before: NDArray[Any], after: NDArray[Any], owner: NDArray[np.int64]) -> bool:
    """Whether the loss fell by more than its standard error over videos: [Q, 2] twice, [Q]."""
    _, place = np.unique(owner, return_inverse=True)
    fallen = np.bincount(place, weights=losses(before) - losses(after)) / np.bincount(place)
    if len(fallen) < 2:
        return False
    return bool(fallen.mean() > fallen.std(ddof=1) / np.sqrt(len(fallen)))

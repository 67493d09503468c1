"""Fitting the constants of confidence, and how well they tell matches from none."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import Calibration

Array = NDArray[np.float64]
_RIDGE = 1e-3
_STEPS = 30
_REFUSED = 0.1
TYPICAL = -0.5
"""Of closeness to everyday sentences, beside 1 of the score. Not fitted: captions of one style do
not show that a vague or short sentence scores higher on anything. Chosen among 0, -0.2, -0.5 and -1
by a look at clips of two kinds; short questions that have a match are refused no more often."""
CLIP_SLOPE = 20.0


@dataclass(frozen=True, slots=True)
class Logistic:
    """weights [F] and offset of a logistic function of F signals."""

    weights: Array
    offset: float

    def logits(self, signals: Array) -> Array:
        """Signals [N, F] to [N]; above 0 is a match."""
        values: Array = signals @ self.weights + self.offset
        return values


def signals_of(
    best: NDArray[np.floating[Any]],
    closeness: NDArray[np.floating[Any]],
    among: NDArray[np.integer[Any]],
) -> Array:
    """What a confidence is made of: [Q, 2].

    Args:
        best: the highest score of each question, [Q].
        closeness: its inner product with the mean of everyday sentences, [Q].
        among: how many segments were compared, [Q].
    """
    return np.stack([best + TYPICAL * closeness, np.log(among)], axis=1)


def fit_logistic(signals: Array, matched: NDArray[np.bool_]) -> Logistic:
    """Logistic regression with both classes counted alike, by Newton's method.

    Args:
        signals: [N, F].
        matched: [N], some of each.
    """
    mean, deviation = signals.mean(0), np.maximum(signals.std(0), 1e-9)
    design = np.c_[(signals - mean) / deviation, np.ones(len(signals))]  # [N, F + 1]
    weight = np.where(matched, 0.5 / matched.mean(), 0.5 / (1 - matched.mean()))
    solution = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-design @ solution))
        curvature = (design * (weight * chance * (1 - chance))[:, None]).T @ design
        slope = design.T @ (weight * (chance - matched)) + _RIDGE * solution
        solution -= np.linalg.solve(curvature + _RIDGE * np.eye(len(solution)), slope)
    weights = solution[:-1] / deviation
    return Logistic(weights, float(solution[-1] - weights @ mean))


def moved_to_refuse_few(fitted: Logistic, signals: Array) -> Logistic:
    """The same with an offset that refuses at most one in ten of these matches [N, F].

    It is half way between the last that is refused and the first that is not.
    """
    logits = np.sort(fitted.logits(signals))
    refused = int(_REFUSED * len(logits))
    cut = float(logits[max(0, refused - 1) : refused + 1].mean())
    return Logistic(fitted.weights, fitted.offset - cut)


def as_calibration(
    fitted: Logistic,
    centre: NDArray[np.float32],
    *,
    fewest: int,
    most: int,
    clip_cut: float,
    clip_slope: float = CLIP_SLOPE,
) -> Calibration:
    """The constants as an encoder keeps them.

    Args:
        fitted: of the signals of :func:`signals_of`.
        centre: the mean vector of everyday sentences, [H].
        fewest: segments compared at least.
        most: and at most.
        clip_cut: the score from which a clip is like another one.
        clip_slope: how sharp that is.
    """
    score, size = (float(weight) for weight in fitted.weights)
    return Calibration(
        score=round(score, 4),
        typical=round(TYPICAL * score, 4),
        size=round(size, 4),
        offset=round(fitted.offset, 4),
        fewest=fewest,
        most=most,
        clip_score=clip_slope,
        clip_offset=round(-clip_slope * clip_cut, 4),
        centre=base64.b64encode(centre.astype("<f2").tobytes()).decode(),
    )


def auc(matches: Array, others: Array) -> float:
    """The chance that a match [N] scores above one of the others [M]; a tie is half of one.

    >>> auc(np.array([3.0, 2.0]), np.array([1.0, 2.0]))
    0.875
    """
    above = (matches[:, None] > others).mean() + (matches[:, None] == others).mean() / 2
    return float(above)

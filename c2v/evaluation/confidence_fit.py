"""Fitting the constants of confidence, and how well they tell matches from none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_RIDGE = 1e-3
_STEPS = 30
_REFUSED = 0.1


@dataclass(frozen=True, slots=True)
class Logistic:
    """weights [F] and offset of a logistic function of F signals."""

    weights: Array
    offset: float

    def logits(self, signals: Array) -> Array:
        """Signals [N, F] to [N]; above 0 is a match."""
        values: Array = signals @ self.weights + self.offset
        return values


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


def auc(matches: Array, others: Array) -> float:
    """The chance that a match [N] scores above one of the others [M]; a tie is half of one.

    >>> auc(np.array([3.0, 2.0]), np.array([1.0, 2.0]))
    0.875
    """
    above = (matches[:, None] > others).mean() + (matches[:, None] == others).mean() / 2
    return float(above)

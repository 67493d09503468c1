"""Corrections of a whole similarity matrix for hubs: videos that are near to every query.

They need more than one query at a time, so a search cannot use them; results with them are
labelled with their names.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Normalisation = Literal["none", "dual-softmax", "qb-norm"]
NORMALISATIONS: Final[tuple[Normalisation, ...]] = ("none", "dual-softmax", "qb-norm")
QB_INVERSE_TEMPERATURE = 20.0
"""Bogolin et al. 2022: beta of the inverted softmax, over cosines."""

Matrix = NDArray[np.floating[Any]]


def dual_softmax(similarity: Matrix, *, scale: float) -> tuple[Matrix, Matrix]:
    """S * softmax of S over all queries of the test, for either direction.

    Transductive: it looks at all test queries together. Source: CAMoE (Cheng et al. 2021).

    Args:
        similarity: cosines, [texts, videos].
        scale: exp(logit_scale), what they are multiplied with first.

    Returns:
        The matrix for text-to-video and that for video-to-text, both [texts, videos].
    """
    logits = scale * similarity.astype(np.float64)
    return logits * _softmax(logits, axis=0), logits * _softmax(logits, axis=1)


def qb_norm(similarity: Matrix, bank: Matrix) -> Matrix:
    """Dynamic inverted softmax against a bank of training captions, text to video.

    A query whose best video is the best one of any caption of the bank (a likely hub) is scored by
    exp(b S_ij) / sum_bank exp(b B_kj); the others stay as they are. Only the order within a row
    has a meaning. Source: Bogolin et al. 2022 (QB-Norm), section 3.

    Args:
        similarity: cosines of the test, [texts, videos].
        bank: cosines of training captions with the same videos, [captions, videos].
    """
    beta = QB_INVERSE_TEMPERATURE
    hubs = np.unique(bank.argmax(axis=1))
    peak = bank.max(axis=0)
    mass = beta * peak + np.log(np.exp(beta * (bank - peak)).sum(axis=0))  # [videos]
    near_hub = np.isin(similarity.argmax(axis=1), hubs)
    return np.where(near_hub[:, None], beta * similarity - mass, similarity)


def _softmax(x: Matrix, *, axis: int) -> Matrix:
    shares = np.exp(x - x.max(axis=axis, keepdims=True))
    normal: Matrix = shares / shares.sum(axis=axis, keepdims=True)
    return normal

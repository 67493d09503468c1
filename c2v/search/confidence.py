"""From a score to a probability that the moment shows what was asked.

A cosine says little by itself: a vague sentence scores higher on anything than a precise one, and
the best of many segments scores higher than the best of few. So the confidence is the logistic
function of the score, of how close the sentence is to everyday sentences in general (its inner
product with their mean vector) and of the logarithm of the number of segments compared. The
constants belong to the encoder; see :mod:`c2v.search.estimating` for one that has none.

A question of several parts is one vector, and that vector is judged like a sentence's. A question
of pictures alone has constants of its own: pictures are much closer to each other.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import Calibration

MATCH = 0.5
"""The confidence from which a moment counts as a match."""


@dataclass(frozen=True, slots=True)
class Scale:
    """confidence = 1 / (1 + exp(-(slope * score + offset)))."""

    slope: float
    offset: float

    def confidence(self, score: float) -> float:
        """The probability, in [0, 1], that a moment of this score is meant.

        >>> Scale(10.0, -3.0).confidence(0.3)
        0.5
        """
        return 1.0 / (1.0 + math.exp(min(700.0, -(self.slope * score + self.offset))))


def text_scale(calibration: Calibration, vector: NDArray[np.float32], among: int) -> Scale:
    """The scale of a question in words: its vector [V], and how many segments were compared."""
    centre = np.frombuffer(base64.b64decode(calibration.centre), "<f2").astype(np.float32)  # [V]
    size = min(max(among, calibration.fewest), calibration.most)
    return Scale(
        calibration.score,
        calibration.offset
        + calibration.typical * float(vector @ centre)
        + calibration.size * math.log(size),
    )


def clip_scale(calibration: Calibration) -> Scale:
    """The scale of a question that is a picture or a clip."""
    return Scale(calibration.clip_score, calibration.clip_offset)

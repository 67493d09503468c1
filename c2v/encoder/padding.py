"""Sequences of different length in one array, as the heads read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pad(
    segments: Sequence[NDArray[Any]], *, length: int = 0, filler: NDArray[Any] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Segments of frame features [T_i, D], at least one, as [B, T, D] and mask [B, T].

    T is that of the longest segment, or ``length`` if that is more. What is not a frame is
    ``filler`` [D], zero if not given.

    >>> pad([np.ones((1, 2)), np.ones((2, 2))])[1].tolist()
    [[True, False], [True, True]]
    """
    longest = max(length, *(len(features) for features in segments))
    padded = np.zeros((len(segments), longest, segments[0].shape[1]), np.float32)
    mask = np.zeros(padded.shape[:2], np.bool_)
    if filler is not None:
        padded[:] = filler
    for row, features in enumerate(segments):
        padded[row, : len(features)] = features
        mask[row, : len(features)] = True
    return padded, mask

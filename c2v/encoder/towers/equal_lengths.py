"""Texts in groups of one length: what runs together needs no padding and no mask."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_BATCH_TOKENS = 512  # rows of activations that stay in the cache of a core


def equally_long(
    lengths: NDArray[np.int64], *, groups: int
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Lengths above 0 with rows [n] that have it: at least ``groups`` of them, where there are."""
    most = max(1, len(lengths) // groups)
    # (np.unique would import numpy.ma, a third of the time of a short search)
    for length in sorted(set(lengths[lengths > 0].tolist())):
        rows = np.flatnonzero(lengths == length)
        step = min(most, max(1, _BATCH_TOKENS // length))
        for start in range(0, len(rows), step):
            yield length, rows[start : start + step]

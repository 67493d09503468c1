"""How much of a recall is luck of the draw: bootstrap intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
LEVEL = 0.95
_AT_ONCE = 200


def recall_intervals(
    ranks: NDArray[np.float64],
    group: NDArray[np.int64],
    *,
    ks: tuple[int, ...] = (1, 5, 10, 50),
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of R@K in per cent (Efron and Tibshirani 1993, chapter 13).

    Args:
        ranks: of the queries, from 1, [Q].
        group: the video each query belongs to, [Q]; videos are drawn, each with all its queries,
            because captions of one video are not independent.
    """
    _, place = np.unique(group, return_inverse=True)
    count = int(place.max()) + 1
    asked = np.bincount(place, minlength=count).astype(np.float64)  # [G]
    hits = np.stack(
        [np.bincount(place, weights=ranks <= k, minlength=count) for k in ks], axis=1
    )  # [G, K]
    random = np.random.default_rng(seed)
    recalls = []
    for _ in range(DRAWS // _AT_ONCE):
        weight = random.multinomial(count, np.full(count, 1 / count), size=_AT_ONCE)
        recalls.append(100 * (weight @ hits) / (weight @ asked)[:, None])
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(np.concatenate(recalls), [tail, 100 - tail], axis=0)
    return {f"R@{k}": (float(low[i]), float(high[i])) for i, k in enumerate(ks)}

"""The released evaluation code's numbers, ties and all, for comparison with published ones.

Without ties they are those of `metrics` (but for the lower median). With ties the released code
counts every place where the diagonal's score stands as one more query, and for several captions a
video it breaks ties by position.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.training.metrics import Ranks, best_caption_scores, checked


def legacy_ranks(scores: NDArray[Any]) -> Ranks:
    """Ranks (from 1) of the diagonal of [Q, Q]: as many entries a row as scores equal to it."""
    descending = -np.sort(-scores, axis=1)
    columns = np.nonzero(descending == np.diagonal(scores)[:, None])[1]
    return columns.astype(np.float64) + 1.0


def legacy_text_ranks(scores: NDArray[Any], owner: NDArray[np.int64]) -> Ranks:
    """Text-to-video ranks: [texts, videos], [texts].

    One text a video: `legacy_ranks`. Several: one rank a text; the earlier of two equal videos is
    before the other.
    """
    if np.array_equal(owner, np.arange(scores.shape[1])):
        return legacy_ranks(scores)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.nonzero(order == owner[:, None])[1].astype(np.float64) + 1.0


def legacy_text_to_video(
    similarity: NDArray[Any], video_of_text: NDArray[np.int64] | None = None
) -> dict[str, Any]:
    """What the released code reports for text-to-video, under its own names.

    For several captions a video: recalls in fp32, the lower of two middle ranks as the median, and
    the spread of the ranks.
    """
    scores, owner = checked(similarity, video_of_text)
    ranks = legacy_text_ranks(scores, owner)
    if video_of_text is None:
        return _report(ranks)
    median = float(np.sort(ranks)[(len(ranks) - 1) // 2])
    recalls = {
        f"R{k}": float(np.float32(np.count_nonzero(ranks <= k) * 100) / np.float32(len(ranks)))
        for k in (1, 5, 10)
    }
    zero_based = (ranks - 1)[_caption_major(owner)]
    return recalls | {
        "MedianR": median,
        "MeanR": float(np.mean(zero_based) + 1),
        "Std_Rank": float(np.std(zero_based)),
        "MR": median,
    }


def legacy_video_to_text(
    similarity: NDArray[Any], video_of_text: NDArray[np.int64] | None = None
) -> dict[str, Any]:
    """What the released code reports for video-to-text, under its own names."""
    scores, owner = checked(similarity, video_of_text)
    return _report(legacy_ranks(best_caption_scores(scores, owner)))


def _caption_major(owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """All first captions, then all second ones, ...: the order in which sums are taken."""
    earlier = [np.count_nonzero(owner[:text] == video) for text, video in enumerate(owner)]
    return np.lexsort((owner, earlier)).astype(np.int64)


def _report(ranks: Ranks) -> dict[str, Any]:
    columns = ranks - 1
    median = float(np.median(columns) + 1)
    recalls = {f"R{k}": float(np.sum(columns < k) * 100 / len(columns)) for k in (1, 5, 10)}
    return recalls | {
        "MR": median,
        "MedianR": median,
        "MeanR": float(np.mean(columns) + 1),
        "cols": [int(column) for column in columns],
    }

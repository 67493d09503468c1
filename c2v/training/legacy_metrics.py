"""The released evaluation code's numbers, ties and all, for comparison with published ones.

Without ties they are those of `metrics`, but for the lower median; of ties `ranks` tells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.training.ranks import (
    Ranks,
    best_caption_scores,
    checked,
    legacy_ranks,
    legacy_text_ranks,
)


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

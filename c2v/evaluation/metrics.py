"""Recall, median and mean rank of text-video retrieval, both directions. NumPy alone.

Rows of a similarity matrix are texts, columns are videos; ranks are those of `ranks`.

With several captions a video there are two conventions for video-to-text, and both are reported:

* `video_to_text`: each other video enters once, with its best caption (CLIP2Video, CLIP4Clip);
* `video_to_text_by_caption`: every caption of other videos enters; the same R@1, stricter R@K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.evaluation.ranks import (
    Ranks,
    Ties,
    checked,
    text_ranks,
    video_ranks,
    video_ranks_by_caption,
)


@dataclass(frozen=True, slots=True)
class RankMetrics:
    """One direction: recalls in percent (0-100), ranks from 1."""

    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    recall_at_50: float
    median_rank: float
    mean_rank: float
    queries: int

    def as_dict(self) -> dict[str, float]:
        """Under the names papers use: R@1, R@5, R@10, R@50, MdR, MnR."""
        return {
            "R@1": self.recall_at_1,
            "R@5": self.recall_at_5,
            "R@10": self.recall_at_10,
            "R@50": self.recall_at_50,
            "MdR": self.median_rank,
            "MnR": self.mean_rank,
        }


@dataclass(frozen=True, slots=True)
class RetrievalMetrics:
    """Both directions, and video-to-text in both conventions (equal with one caption a video)."""

    text_to_video: RankMetrics
    video_to_text: RankMetrics
    video_to_text_by_caption: RankMetrics
    texts: int
    videos: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "text_to_video": self.text_to_video.as_dict(),
            "video_to_text": self.video_to_text.as_dict(),
            "video_to_text_by_caption": self.video_to_text_by_caption.as_dict(),
            "texts": self.texts,
            "videos": self.videos,
        }


def retrieval_metrics(
    similarity: NDArray[Any],
    video_of_text: Sequence[int] | NDArray[np.integer[Any]] | None = None,
    *,
    ties: Ties = "optimistic",
) -> RetrievalMetrics:
    """All metrics of a similarity matrix [texts, videos].

    `video_of_text` [texts] holds each text's column; without it text i belongs to video i. Videos
    that no text names stay in as candidates of text-to-video and ask nothing themselves.

    >>> retrieval_metrics(np.array([[0.9, 0.1], [0.2, 0.3]])).text_to_video.recall_at_1
    100.0

    Raises:
        DataError: the shapes do not fit together, or there is nothing to measure.
    """
    scores, owner = checked(similarity, video_of_text)
    several = len(owner) > len(np.unique(owner))
    return RetrievalMetrics(
        # The released code takes the lower of two middle ranks, but for one caption a video.
        text_to_video=summarise(
            text_ranks(scores, owner, ties=ties), lower_median=ties == "legacy" and several
        ),
        video_to_text=summarise(video_ranks(scores, owner, ties=ties)),
        video_to_text_by_caption=summarise(video_ranks_by_caption(scores, owner, ties=ties)),
        texts=scores.shape[0],
        videos=scores.shape[1],
    )


def summarise(ranks: Ranks, *, lower_median: bool = False) -> RankMetrics:
    """Metrics of a list of ranks (from 1); the median of an even number is their mean or the
    lower one."""
    lower = float(np.sort(ranks)[(len(ranks) - 1) // 2])
    return RankMetrics(
        recall_at_1=_recall(ranks, 1),
        recall_at_5=_recall(ranks, 5),
        recall_at_10=_recall(ranks, 10),
        recall_at_50=_recall(ranks, 50),
        median_rank=lower if lower_median else float(np.median(ranks)),
        mean_rank=float(np.mean(ranks)),
        queries=len(ranks),
    )


def _recall(ranks: Ranks, k: int) -> float:
    return float(np.count_nonzero(ranks <= k) * 100 / len(ranks))

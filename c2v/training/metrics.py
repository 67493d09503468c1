"""Recall, median and mean rank of text-video retrieval, both directions. NumPy alone.

Rows of a similarity matrix are texts, columns are videos. A rank is 1 + the number of candidates
with a strictly greater score; what equal scores mean is said by `ties`. A score that is NaN is
below every number, and a query whose own score is NaN gets the last rank: it never vanishes.

With several captions a video there are two conventions for video-to-text, and both are reported:

* `video_to_text`: each other video enters once, with its best caption (CLIP2Video, CLIP4Clip);
* `video_to_text_by_caption`: every caption of other videos enters; the same R@1, stricter R@K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from c2v.errors import DataError

Ties = Literal["optimistic", "average", "pessimistic", "legacy"]
Ranks = NDArray[np.float64]


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
    return RetrievalMetrics(
        text_to_video=summarise(text_ranks(scores, owner, ties=ties)),
        video_to_text=summarise(video_ranks(scores, owner, ties=ties)),
        video_to_text_by_caption=summarise(video_ranks_by_caption(scores, owner, ties=ties)),
        texts=scores.shape[0],
        videos=scores.shape[1],
    )


def checked(
    similarity: NDArray[Any], video_of_text: Sequence[int] | NDArray[np.integer[Any]] | None = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The matrix with NaN turned into -inf, and each text's column.

    Raises:
        DataError: the shapes do not fit together, or there is nothing to measure.
    """
    if similarity.ndim != 2 or 0 in similarity.shape:
        raise DataError(f"nothing to measure in a similarity matrix of shape {similarity.shape}")
    texts, videos = similarity.shape
    if video_of_text is None:
        if texts != videos:
            raise DataError(f"{texts} texts and {videos} videos: say which text is whose")
        owner = np.arange(texts, dtype=np.int64)
    else:
        owner = np.asarray(video_of_text, dtype=np.int64)
    if owner.shape != (texts,) or owner.min() < 0 or owner.max() >= videos:
        raise DataError(
            f"the owners of {texts} texts must be {texts} numbers from 0 to {videos - 1}"
        )
    return np.where(np.isnan(similarity), -np.inf, similarity), owner


def summarise(ranks: Ranks) -> RankMetrics:
    """Metrics of a list of ranks (from 1)."""
    return RankMetrics(
        recall_at_1=_recall(ranks, 1),
        recall_at_5=_recall(ranks, 5),
        recall_at_10=_recall(ranks, 10),
        recall_at_50=_recall(ranks, 50),
        median_rank=float(np.median(ranks)),
        mean_rank=float(np.mean(ranks)),
        queries=len(ranks),
    )


def text_ranks(
    scores: NDArray[Any], owner: NDArray[np.int64], *, ties: Ties = "optimistic"
) -> Ranks:
    """Rank of each text's own video among all videos: [texts, videos], [texts] -> [texts]."""
    if ties == "legacy":
        from c2v.training.legacy_metrics import legacy_text_ranks

        return legacy_text_ranks(scores, owner)
    own = scores[np.arange(len(owner)), owner]
    return _ranks(scores, own, ties=ties)


def video_ranks(
    scores: NDArray[Any], owner: NDArray[np.int64], *, ties: Ties = "optimistic"
) -> Ranks:
    """Rank of each video's own best caption among the best captions of all videos.

    The published convention; [texts, videos], [texts] -> [videos with a caption].
    """
    best = best_caption_scores(scores, owner)
    if ties == "legacy":
        from c2v.training.legacy_metrics import legacy_ranks

        return legacy_ranks(best)
    return _ranks(best, np.diagonal(best), ties=ties)


def video_ranks_by_caption(
    scores: NDArray[Any], owner: NDArray[np.int64], *, ties: Ties = "optimistic"
) -> Ranks:
    """Rank of each video's own best caption among it and all captions of other videos."""
    if ties == "legacy":
        ties = "optimistic"  # the released code has no such convention
    out = []
    for video in np.unique(owner):
        mine = owner == video
        own = scores[mine, video].max()
        candidates = np.append(scores[~mine, video], own)
        out.append(_ranks(candidates[None], np.array([own]), ties=ties)[0])
    return np.array(out)


def best_caption_scores(scores: NDArray[Any], owner: NDArray[np.int64]) -> NDArray[Any]:
    """M[v, u] = the best score of a caption of u for video v, over the videos with captions."""
    videos = np.unique(owner)
    best = [scores[owner == other][:, videos].max(axis=0) for other in videos]
    return np.stack(best, axis=1)


def _recall(ranks: Ranks, k: int) -> float:
    return float(np.count_nonzero(ranks <= k) * 100 / len(ranks))


def _ranks(scores: NDArray[Any], own: NDArray[Any], *, ties: Ties) -> Ranks:
    """1 + greater ones (+ all or half of the others that are equal): [Q, C], [Q] -> [Q]."""
    greater = np.count_nonzero(scores > own[:, None], axis=1)
    equal = np.count_nonzero(scores == own[:, None], axis=1) - 1
    share = {"optimistic": 0.0, "average": 0.5, "pessimistic": 1.0}[ties]
    ranks: Ranks = 1.0 + greater + share * equal
    ranks[np.isneginf(own)] = scores.shape[1]
    return ranks

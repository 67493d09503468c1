"""The rank of the right answer of each query, both directions, and what equal scores mean.

Rows of a similarity matrix are texts, columns are videos. A rank is 1 + the number of candidates
with a strictly greater score; equal ones count as `ties` says: not at all, half, all, or as in the
released evaluation code (`legacy`), which counts every place where the diagonal's score stands as
one more query, and for several captions a video breaks ties by position. A score that is NaN is
below every number, and a query whose own score is NaN gets the last rank: it never vanishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from c2v.errors import DataError

Ties = Literal["optimistic", "average", "pessimistic", "legacy"]
Ranks = NDArray[np.float64]


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


def text_ranks(
    scores: NDArray[Any], owner: NDArray[np.int64], *, ties: Ties = "optimistic"
) -> Ranks:
    """Rank of each text's own video among all videos: [texts, videos], [texts] -> [texts]."""
    if ties == "legacy":
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


def _ranks(scores: NDArray[Any], own: NDArray[Any], *, ties: Ties) -> Ranks:
    """1 + greater ones (+ all or half of the others that are equal): [Q, C], [Q] -> [Q]."""
    greater = np.count_nonzero(scores > own[:, None], axis=1)
    equal = np.count_nonzero(scores == own[:, None], axis=1) - 1
    share = {"optimistic": 0.0, "average": 0.5, "pessimistic": 1.0}[ties]
    ranks: Ranks = 1.0 + greater + share * equal
    ranks[np.isneginf(own)] = scores.shape[1]
    return ranks

"""How good the weights are on the videos that are held back, and with which mixing weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch  # noqa: TID253
from numpy.typing import NDArray
from torch import Tensor  # noqa: TID253

from c2v.evaluation.metrics import RetrievalMetrics, retrieval_metrics, summarise
from c2v.evaluation.ranks import (
    Ranks,
    checked,
    text_ranks,
    video_ranks,
    video_ranks_by_caption,
)
from c2v.training.objective import best_segment, branches
from c2v.training.trainee import Trainee

PERFECT = (600.0, -2.0)
"""The score of everything standing first: no later epoch can be better."""
_AT_ONCE = 128


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The rank of every right answer: by text [N], by video [M], in both conventions.

    ``owner`` [N] is the place of each text's video.
    """

    texts: Ranks
    videos: Ranks
    by_caption: Ranks
    owner: NDArray[np.int64]

    @classmethod
    def of(cls, similarity: NDArray[Any], owner: Sequence[int]) -> Ranking:
        """Out of a similarity matrix [N, M] in which every video has a text."""
        scores, place = checked(similarity, owner)
        return cls(
            text_ranks(scores, place),
            video_ranks(scores, place),
            video_ranks_by_caption(scores, place),
            place,
        )

    @classmethod
    def joined(cls, rankings: Sequence[Ranking]) -> Ranking:
        """The queries of all of them."""
        offsets = np.cumsum([0, *(len(ranking.videos) for ranking in rankings)])
        pairs = list(zip(rankings, offsets[:-1], strict=True))
        return cls(
            np.concatenate([ranking.texts for ranking in rankings]),
            np.concatenate([ranking.videos for ranking in rankings]),
            np.concatenate([ranking.by_caption for ranking in rankings]),
            np.concatenate([ranking.owner + offset for ranking, offset in pairs]),
        )

    def metrics(self) -> RetrievalMetrics:
        """The recalls and ranks of papers."""
        return RetrievalMetrics(
            text_to_video=summarise(self.texts),
            video_to_text=summarise(self.videos),
            video_to_text_by_caption=summarise(self.by_caption),
            texts=len(self.texts),
            videos=len(self.videos),
        )


@dataclass(frozen=True, slots=True)
class Validation:
    """Retrieval on the held-back videos, with the mixing weight that does best there."""

    metrics: RetrievalMetrics
    center_weight: float

    @property
    def score(self) -> tuple[float, float]:
        """What "better" means: the sum of R@1, R@5, R@10 of both directions, then mean rank."""
        both = (self.metrics.text_to_video, self.metrics.video_to_text)
        recalls = sum(m.recall_at_1 + m.recall_at_5 + m.recall_at_10 for m in both)
        return round(recalls, 6), -round(sum(m.mean_rank for m in both), 6)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**self.metrics.as_dict(), "center_weight": self.center_weight}


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Similarities of each branch [N, S], and the place of the video of each segment [S]."""

    branches: list[Tensor]
    video: Tensor
    videos: int

    @property
    def aligned(self) -> bool:
        """Whether there are two branches to mix."""
        return len(self.branches) == 2

    def mixed(self, weight: float) -> NDArray[np.float32]:
        """``weight`` of the global branch, the rest of the aligned one: [N, M]."""
        shares = (weight, 1.0 - weight) if self.aligned else (1.0,)
        summed = torch.stack([w * s for w, s in zip(shares, self.branches, strict=True)]).sum(0)
        found: NDArray[np.float32] = best_segment(summed, self.video, self.videos).numpy()
        return found


def score(trainee: Trainee, texts: Sequence[int], videos: Sequence[int]) -> Scored:
    """Every text with every video."""
    text_parts, segment_parts, place = embed(trainee, texts, videos)
    return Scored(branches(text_parts, segment_parts), torch.tensor(place), len(videos))


def validate(
    trainee: Trainee,
    texts: Sequence[int],
    owner: Sequence[int],
    videos: Sequence[int],
    *,
    mixing: Sequence[float] | None = None,
) -> Validation:
    """Rank ``videos`` for ``texts``; ``owner`` holds the place in ``videos`` of each text's.

    A head of one branch has nothing to mix. ``mixing`` fixes what is tried.
    """
    scored = score(trainee, texts, videos)
    best: Validation | None = None
    for weight in (mixing or trainee.settings.mixing) if scored.aligned else (1.0,):
        found = Validation(retrieval_metrics(scored.mixed(weight), np.asarray(owner)), weight)
        if best is None or found.score > best.score:
            best = found
    assert best is not None
    return best


def embed(
    trainee: Trainee, texts: Sequence[int], videos: Sequence[int]
) -> tuple[list[Tensor], list[Tensor], list[int]]:
    """Unit vectors of each branch, on the CPU: texts [N, D], segments [S, D], their videos.

    Of wti its parts.
    """
    trainee.module.eval()
    with torch.inference_mode():
        text = [
            trainee.text_parts(texts[start : start + _AT_ONCE], None)
            for start in range(0, len(texts), _AT_ONCE)
        ]
        segment, place = [], []
        for start in range(0, len(videos), _AT_ONCE):
            parts, where = trainee.segment_parts(videos[start : start + _AT_ONCE], None, most=None)
            segment.append(parts)
            place += [start + number for number in where]
    trainee.module.train()
    numbers = range(len(text[0]))
    return (
        [torch.cat([parts[b] for parts in text]).float().cpu() for b in numbers],
        [torch.cat([parts[b] for parts in segment]).float().cpu() for b in numbers],
        place,
    )

"""How good the weights are on the videos that are held back, and with which mixing weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch  # noqa: TID253
from torch import Tensor  # noqa: TID253

from c2v.evaluation.metrics import RetrievalMetrics, retrieval_metrics
from c2v.training.objective import best_segment, branches
from c2v.training.trainee import Trainee

PERFECT = (600.0, -2.0)
"""The score of everything standing first: no later epoch can be better."""
_AT_ONCE = 128


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
    text_parts, segment_parts, place = embed(trainee, texts, videos)
    video = torch.tensor(place)
    scored = branches(text_parts, segment_parts)
    best: Validation | None = None
    for weight in (mixing or trainee.settings.mixing) if len(scored) == 2 else (1.0,):
        shares = (weight, 1.0 - weight)
        similarity = torch.stack(
            [w * scores for w, scores in zip(shares, scored, strict=False)]
        ).sum(0)
        scores = best_segment(similarity, video, len(videos)).numpy()
        found = Validation(retrieval_metrics(scores, np.asarray(owner)), weight)
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
    branches = range(len(text[0]))
    return (
        [torch.cat([parts[b] for parts in text]).float().cpu() for b in branches],
        [torch.cat([parts[b] for parts in segment]).float().cpu() for b in branches],
        place,
    )

"""Symmetric InfoNCE where several sentences of one video are not each other's negatives."""

from __future__ import annotations

from collections.abc import Sequence

import torch  # noqa: TID253
from torch import Tensor  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from c2v.encoder.heads.wti import interact, shortened

LARGEST_SCALE = 100.0


def contrast(logits: Tensor, owner: Tensor) -> Tensor:
    """Mean of text-to-video and video-to-text cross-entropy: [N, M], [N] -> scalar.

    Text i belongs to video ``owner[i]``. Every video stands in one column, so a text has one right
    answer among M. In the other direction each text answers its video against the texts of all
    *other* videos. With one text a video it is the loss of CLIP, CLIP4Clip and (per branch)
    CLIP2Video: cross-entropy of rows and of columns with targets on the diagonal.
    """
    own = logits.gather(1, owner[:, None]).squeeze(1)  # [N]
    to_video = F.cross_entropy(logits, owner)
    columns = torch.arange(logits.shape[1], device=logits.device)
    others = logits.masked_fill(owner[:, None] == columns, -torch.inf)  # [N, M]
    against = torch.logsumexp(others, dim=0)[owner]  # [N]
    to_text = (torch.logaddexp(own, against) - own).mean()
    return (to_video + to_text) / 2


def best_segment(similarity: Tensor, video: Tensor, count: int) -> Tensor:
    """The score of a video is that of its best segment: [N, S], [S] -> [N, count].

    As a library ranks them. ``video`` [S] is the column each segment belongs to.
    """
    if len(video) == count:
        return similarity
    out = similarity.new_full((similarity.shape[0], count), -torch.inf)
    return out.scatter_reduce(1, video.expand_as(similarity), similarity, "amax")


def branches(text_parts: Sequence[Tensor], segment_parts: Sequence[Tensor]) -> list[Tensor]:
    """Scores [N, S] of each branch: inner products, or of wti those of its vectors and its own."""
    if len(text_parts) < 3:
        return [text @ segment.T for text, segment in zip(text_parts, segment_parts, strict=True)]
    text, *words = text_parts
    segment, *frames = segment_parts
    return [text @ segment.T, interact(*shortened(*words), *shortened(*frames))]


def batch_loss(
    text_parts: Sequence[Tensor],
    segment_parts: Sequence[Tensor],
    *,
    owner: Tensor,
    video: Tensor,
    videos: int,
    weights: Sequence[float],
    scale: Tensor,
) -> Tensor:
    """L = sum_i w_i contrast(scale <t_i, v_i>) (CLIP2Video: w of global and aligned are 1/2).

    Of wti <t_i, v_i> are the scores that propose and those that decide.

    Args:
        text_parts: unit vectors [N, D] of each branch, or the parts of wti.
        segment_parts: unit vectors [S, D] of each branch, or the parts of wti.
        owner: [N], the video each text belongs to.
        video: [S], the video each segment belongs to.
        videos: how many there are, M.
        weights: of the branches.
        scale: exp(logit_scale).
    """
    losses = [
        weight * contrast(scale * best_segment(scores, video, videos), owner)
        for weight, scores in zip(weights, branches(text_parts, segment_parts), strict=True)
    ]
    return torch.stack(losses).sum()

"""What is minimised: symmetric cross-entropy over a batch of matching pairs."""

from __future__ import annotations

from collections.abc import Sequence

import torch  # noqa: TID253
from torch import Tensor  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253


def contrastive_loss(logits: Tensor) -> Tensor:
    """Mean of row-wise and column-wise cross-entropy, targets on the diagonal.

    `logits` [B, B], texts in rows, already scaled; the loss of CLIP, CLIP4Clip and (per branch)
    CLIP2Video.
    """
    target = torch.arange(logits.shape[0], device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def branch_logits(
    text_parts: Sequence[Tensor], video_parts: Sequence[Tensor], scale: Tensor
) -> tuple[Tensor, ...]:
    """scale * <t, v> of each branch (global, aligned): unit [N, D], [B, D] -> [N, B] each."""
    pairs = zip(text_parts, video_parts, strict=True)
    return tuple(scale * text @ video.T for text, video in pairs)


def retrieval_loss(
    text_parts: Sequence[Tensor],
    video_parts: Sequence[Tensor],
    *,
    weights: Sequence[float],
    scale: Tensor,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """L = sum_i w_i contrastive(scale <t_i, v_i>), and the unweighted loss of each branch.

    Each branch has a loss of its own: it is not the loss of the fused score. With one branch and
    weight 1 it is CLIP4Clip's loss; with (w, 1 - w) CLIP2Video's. `scale` is exp(logit_scale).
    """
    losses = tuple(contrastive_loss(x) for x in branch_logits(text_parts, video_parts, scale))
    total = sum(weight * loss for weight, loss in zip(weights, losses, strict=True))
    return torch.as_tensor(total), losses

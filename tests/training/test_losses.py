"""Losses by hand and by their properties."""

from __future__ import annotations

import math

import pytest
import torch

from c2v.training.losses import branch_logits, contrastive_loss, retrieval_loss


def unit(*shape: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


def test_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    rows = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-2))) / 2
    columns = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-3))) / 2
    assert contrastive_loss(logits).item() == pytest.approx((rows + columns) / 2, rel=1e-6)


def test_texts_and_videos_may_change_places() -> None:
    torch.manual_seed(0)
    logits = torch.randn(7, 7)
    torch.testing.assert_close(contrastive_loss(logits), contrastive_loss(logits.T))


def test_equal_scores_cost_log_n() -> None:
    assert contrastive_loss(torch.zeros(8, 8)).item() == pytest.approx(math.log(8), rel=1e-6)


def test_branches_are_weighted_losses_not_a_loss_of_the_fused_score() -> None:
    torch.manual_seed(0)
    text, video = (unit(5, 16), unit(5, 16)), (unit(5, 16), unit(5, 16))
    scale = torch.tensor(20.0)
    total, branches = retrieval_loss(text, video, weights=(0.3, 0.7), scale=scale)
    torch.testing.assert_close(total, 0.3 * branches[0] + 0.7 * branches[1])
    first, second = branch_logits(text, video, scale)
    assert (contrastive_loss(0.3 * first + 0.7 * second) - total).abs() > 1e-3


def test_one_branch_is_clip4clip_and_gradients_flow_to_the_scale() -> None:
    torch.manual_seed(0)
    text, video = unit(4, 8), unit(4, 8)
    logit_scale = torch.nn.Parameter(torch.tensor(2.0))
    total, _ = retrieval_loss((text,), (video,), weights=(1.0,), scale=logit_scale.exp())
    torch.testing.assert_close(total, contrastive_loss(logit_scale.exp() * text @ video.T))
    total.backward()  # type: ignore[no-untyped-call]
    assert logit_scale.grad is not None
    assert logit_scale.grad != 0


def test_branches_must_match() -> None:
    with pytest.raises(ValueError, match="shorter"):
        retrieval_loss((unit(2, 4),), (unit(2, 4),), weights=(0.5, 0.5), scale=torch.tensor(1.0))

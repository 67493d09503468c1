"""The Temporal Difference Block (CLIP2Video, Fang et al. 2021, "Temporal Difference Block").

Between two frames x_i and x_{i+1} stands a token for what changed, d_i:

    d_i = g(x_{i+1} - x_i)                       g: see `difference`, values in (-1, 1)
    z   = [x_0, d_0, x_1, d_1, ..., x_{T-1}]     2T - 1 tokens
    y   = transformer(z + P + Y)                 P: position in time, Y: frame or difference
    v_t = y_{2t} + x_t                           only the frames are kept
"""

from __future__ import annotations

from typing import NamedTuple

import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253

from c2v.encoder.heads.base import positions_for
from c2v.encoder.heads.blocks import TemporalTransformer
from c2v.encoder.heads.settings import HeadSettings

DIFFERENCE_TYPE, FRAME_TYPE = 0, 1


class TokenSequence(NamedTuple):
    """Frames and differences in turn, before they are added up."""

    tokens: Tensor  # [B, 2T-1, D]
    positions: Tensor  # [2T-1, D]
    types: Tensor  # [2T-1, D]
    mask: Tensor  # [B, 2T-1]


def alternate(frames: Tensor, between: Tensor) -> Tensor:
    """[a_0, b_0, a_1, b_1, ..., a_{T-1}] along dim 1: [B, T, *], [B, T-1, *] -> [B, 2T-1, *]."""
    out = frames.new_empty(frames.shape[0], 2 * frames.shape[1] - 1, *frames.shape[2:])
    out[:, 0::2] = frames
    out[:, 1::2] = between
    return out


class TemporalDifferenceBlock(nn.Module):
    """Frames [B, T, D] with their differences, through a transformer that the caller names.

    The global branch brings `transformerClip`; the alignment branch uses this same block (same
    weights) on every second frame with `actionClip`.
    """

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        width = settings.feature_dim
        self.projection = settings.temporal_proj
        self.strict_mask = settings.strict_difference_mask
        self.type_position_embeddings = nn.Embedding(2, width)
        if self.projection:
            self.trans_layernorm = nn.LayerNorm(width, eps=1e-5)
        if self.projection == "sigmoid_selfA":
            self.frame2t_attention = TemporalTransformer(
                width,
                layers=settings.difference_layers,
                legacy_mask_order=settings.legacy_mask_order,
            )
        elif self.projection == "sigmoid_mlp":
            self.frame2t_projection = nn.Parameter(width**-0.5 * torch.randn(width, width))

    def attended(self, frames: Tensor, mask: Tensor, table: nn.Embedding) -> Tensor:
        """attention(d_i + P[i+1]), the differences looking at each other: [B, T-1, D].

        The position of a difference is i + 1 here and i in `sequence`: so are the published
        weights.
        """
        steps = frames[:, 1:] - frames[:, :-1]
        out: Tensor = self.frame2t_attention(
            steps + positions_for(table, frames.shape[1])[1:], mask[:, 1:]
        )
        return out

    def difference(self, frames: Tensor, mask: Tensor, table: nn.Embedding) -> Tensor:
        """d_i from x_i and x_{i+1}: [B, T-1, D].

        g(d) = 2 sigmoid(LN(attention(d + P))) - 1    sigmoid_selfA, the published one
        g(d) = 2 sigmoid(LN(d W)) - 1                 sigmoid_mlp
        g(d) = d                                      none
        """
        steps = frames[:, 1:] - frames[:, :-1]
        if not self.projection or frames.shape[1] == 1:
            return steps
        if self.projection == "sigmoid_selfA":
            steps = self.attended(frames, mask, table)
        else:
            steps = steps @ self.frame2t_projection
        return 2.0 * torch.sigmoid(self.trans_layernorm(steps)) - 1.0

    def sequence(self, frames: Tensor, mask: Tensor, table: nn.Embedding) -> TokenSequence:
        """Frames and differences in turn, with position, type and mask of each token.

        Difference i has the mask of frame i alone, so in a padded clip the last one compares a
        real frame with padding and is still attended to: the published weights were trained so.
        `strict_difference_mask` asks both frames to be real.
        """
        time = frames.shape[1]
        positions = positions_for(table, time)
        between = torch.minimum(mask[:, :-1], mask[:, 1:]) if self.strict_mask else mask[:, :-1]
        kinds = torch.arange(2 * time - 1, device=frames.device) % 2  # 0 frame, 1 difference
        types = torch.where(kinds == 0, FRAME_TYPE, DIFFERENCE_TYPE)
        return TokenSequence(
            tokens=alternate(frames, self.difference(frames, mask, table)),
            positions=alternate(positions[None], positions[None, :-1])[0],
            types=self.type_position_embeddings(types),
            mask=alternate(mask, between),
        )

    def forward(
        self, frames: Tensor, mask: Tensor, table: nn.Embedding, transformer: TemporalTransformer
    ) -> Tensor:
        """Frames [B, T, D], mask [B, T], positions P, transformer -> v [B, T, D]."""
        z = self.sequence(frames, mask, table)
        y = transformer(z.tokens + z.positions + z.types, z.mask)
        out: Tensor = y[:, 0::2] + frames
        return out

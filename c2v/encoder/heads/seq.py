"""seqLSTM and seqTransf, the sequential heads (CLIP4Clip, "sequential type")."""

from __future__ import annotations

import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253

from c2v.encoder.heads.base import HeadModule, positions_for
from c2v.encoder.heads.blocks import TemporalTransformer
from c2v.encoder.heads.settings import HeadSettings


class SeqTransf(HeadModule):
    """v_t = transformer(f + P)_t + f_t, then as meanP."""

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__(settings)
        width = settings.feature_dim
        self.frame_position_embeddings = nn.Embedding(settings.positions, width)
        self.transformerClip = TemporalTransformer(
            width, layers=settings.layers, legacy_mask_order=settings.legacy_mask_order
        )

    def context(self, features: Tensor, mask: Tensor) -> Tensor:
        """The transformer's answer before the residual: [B, T, D]."""
        positions = positions_for(self.frame_position_embeddings, features.shape[1])
        out: Tensor = self.transformerClip(features + positions, mask)
        return out

    def frames(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.context(features, mask) + features


class SeqLSTM(HeadModule):
    """v_t = LSTM(f)_t + f_t, then as meanP; one layer, forward in time.

    A video's real frames come first, so running over the padding as well changes none of their
    states: no packing, and a video without frames is no special case. `frame_position_embeddings`
    is carried because checkpoints have it; the reference never uses it here.
    """

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__(settings)
        width = settings.feature_dim
        self.frame_position_embeddings = nn.Embedding(settings.positions, width)
        self.lstm_visual = nn.LSTM(width, width, batch_first=True)

    def context(self, features: Tensor, mask: Tensor) -> Tensor:
        """States of the LSTM, zero at and after a video's length: [B, T, D]."""
        states: Tensor = self.lstm_visual(features)[0]
        lengths = mask.sum(dim=1, keepdim=True)
        steps = torch.arange(features.shape[1], device=features.device)
        return states * (steps < lengths).unsqueeze(-1)

    def frames(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.context(features, mask) + features

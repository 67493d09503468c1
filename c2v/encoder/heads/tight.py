"""tightTransf, the cross encoder that scores pairs (CLIP4Clip, "tight type")."""

from __future__ import annotations

import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253

from c2v.encoder.heads.base import positions_for
from c2v.encoder.heads.blocks import TEMPORAL_EPS, QuickGELU, TemporalTransformer
from c2v.encoder.heads.meanp import MeanP
from c2v.encoder.heads.settings import HeadSettings


class CrossEmbeddings(nn.Module):
    """Learned positions 0..T over [text, frame, frame, ...]; dropout while training."""

    def __init__(self, settings: HeadSettings, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.position_embeddings = nn.Embedding(settings.positions, settings.feature_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        positions = positions_for(self.position_embeddings, tokens.shape[1])
        out: Tensor = self.dropout(tokens + positions)
        return out


class CrossPooler(nn.Module):
    """QuickGELU(dense(LN(token 0))): [P, N, D] -> [P, D]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_pool = nn.LayerNorm(width, eps=TEMPORAL_EPS)
        self.dense = nn.Linear(width, width)
        self.activation = QuickGELU()

    def forward(self, hidden: Tensor) -> Tensor:
        out: Tensor = self.activation(self.dense(self.ln_pool(hidden[:, 0])))
        return out


class CrossModel(nn.Module):
    """Text and frames in one sequence."""

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        self.embeddings = CrossEmbeddings(settings)
        self.transformer = TemporalTransformer(
            settings.feature_dim,
            layers=settings.layers,
            legacy_mask_order=settings.legacy_mask_order,
        )
        self.pooler = CrossPooler(settings.feature_dim)

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """[P, 1+T, D], [P, 1+T] -> hidden [P, 1+T, D], pooled [P, D]."""
        hidden = self.transformer(self.embeddings(tokens), mask)
        return hidden, self.pooler(hidden)


class TightTransf(MeanP):
    """logit = linear(pool(transformer([t, f_1, ..., f_T]))) for each pair, without a scale.

    Its vectors are meanP's: they make the list whose top `score_pairs` puts in a new order.
    """

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__(settings)
        self.cross = CrossModel(settings)
        self.similarity_dense = nn.Linear(settings.feature_dim, 1)

    def encode_pairs(self, text: Tensor, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """P pairs: text [P, D], frames [P, T, D], mask [P, T] -> hidden [P, 1+T, D], pooled."""
        tokens = torch.cat([text.unsqueeze(1), frames], dim=1)
        whole = torch.cat([torch.ones_like(mask[:, :1]), mask], dim=1).to(frames.dtype)
        hidden, pooled = self.cross(tokens, whole)
        return hidden, pooled

    def score_pairs(self, text_feature: Tensor, frame_features: Tensor, mask: Tensor) -> Tensor:
        """Logits of P pairs: text [P, D], frames [P, T, D], mask [P, T] -> [P].

        Both kinds of features are CLIP's, not normalised.
        """
        pooled = self.encode_pairs(text_feature, frame_features, mask)[1]
        logits: Tensor = self.similarity_dense(pooled)
        return logits.squeeze(-1)

    def score_matrix(self, text_feature: Tensor, frame_features: Tensor, mask: Tensor) -> Tensor:
        """Every text with every video: [N, D], [B, T, D], [B, T] -> [N, B]; a row at a time."""
        rows = [
            self.score_pairs(text.expand(frame_features.shape[0], -1), frame_features, mask)
            for text in text_feature
        ]
        return torch.stack(rows)

"""What all heads share: pooling, unit length, and one vector whose inner product is the score."""

from __future__ import annotations

from collections.abc import Sequence

import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from c2v.encoder.heads.projection import ResidualProjection
from c2v.encoder.heads.settings import HeadSettings
from c2v.errors import ModelError


def unit(x: Tensor) -> Tensor:
    """x / ||x|| over the last axis; a zero vector stays zero instead of becoming NaN."""
    return F.normalize(x, dim=-1, eps=1e-12)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real frames: [B, T, D], [B, T] -> [B, D]; zeros where no frame is real."""
    counts = mask.sum(dim=1, keepdim=True)
    counts = torch.where(counts == 0, torch.ones_like(counts), counts)
    return (x * mask.unsqueeze(-1)).sum(dim=1) / counts


def global_vector(frames: Tensor, mask: Tensor) -> Tensor:
    """Unit frames, their masked mean, unit again: [B, T, D], [B, T] -> [B, D]."""
    return unit(masked_mean(unit(frames), mask))


def last_token(mask: Tensor) -> Tensor:
    """Position of the last real token, EOT: [N, L] -> [N] (0 where no token is real)."""
    positions = torch.arange(mask.shape[1], device=mask.device)
    return (positions * (mask > 0)).amax(dim=1)


def sentence_feature(tokens: Tensor, mask: Tensor, end: Tensor | None = None) -> Tensor:
    """The feature at EOT, not normalised: [N, L, D] -> [N, D]; `end` overrides its position."""
    where = last_token(mask) if end is None else end
    picked = tokens[torch.arange(tokens.shape[0], device=tokens.device), where]
    return picked * (mask > 0).any(dim=1, keepdim=True)


def fuse(parts: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """[sqrt(w_1) part_1, sqrt(w_2) part_2, ...]: inner products add up as sum_i w_i <a_i, b_i>."""
    if len(parts) == 1:
        return parts[0]
    return torch.cat([weight**0.5 * part for part, weight in zip(parts, weights, strict=True)], -1)


class HeadModule(nn.Module):
    """Frame features to a video vector, token features to a text vector, both of unit length.

    A vector is made of parts (one, or global and aligned), each of unit length. The score of a
    text and a video is sum_i w_i <t_i, v_i>, which is the inner product of the fused vectors.

    With `projected` settings a linear layer on the features of each side comes before all else.
    """

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        self.settings = settings
        self.frame_projection: ResidualProjection | None = None
        self.word_projection: ResidualProjection | None = None
        if settings.projected:
            self.frame_projection = ResidualProjection(settings.feature_dim)
            self.word_projection = ResidualProjection(settings.feature_dim)

    @property
    def vector_dim(self) -> int:
        return self.settings.vector_dim

    @property
    def weights(self) -> tuple[float, ...]:
        """w_i of the parts; they add up to one."""
        return self.settings.weights

    def frames(self, features: Tensor, mask: Tensor) -> Tensor:
        """The frames as the global vector pools them, after time was looked at: [B, T, D]."""
        raise NotImplementedError

    def video_parts(self, features: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Features [B, T, D] (not normalised), mask [B, T] of 0/1 -> unit vectors [B, D] each."""
        if self.frame_projection is not None:
            features = self.frame_projection(features)
        return self._video_parts(features, mask.to(features.dtype))

    def _video_parts(self, features: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return (global_vector(self.frames(features, mask), mask),)

    def text_parts(
        self, tokens: Tensor, mask: Tensor, *, end: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Tokens [N, L, D] (not normalised), mask [N, L] -> unit vectors [N, D] each.

        `end` [N] is the position of EOT where it is not the last real token.
        """
        if self.word_projection is not None:
            tokens = self.word_projection(tokens)
        return self._text_parts(tokens, mask, end)

    def _text_parts(self, tokens: Tensor, mask: Tensor, end: Tensor | None) -> tuple[Tensor, ...]:
        return (unit(sentence_feature(tokens, mask, end)),)

    def video(self, features: Tensor, mask: Tensor) -> Tensor:
        """Features [B, T, D], mask [B, T] -> [B, V]; a video without a real frame is all zero."""
        return fuse(self.video_parts(features, mask), self.weights)

    def text(self, tokens: Tensor, mask: Tensor, *, end: Tensor | None = None) -> Tensor:
        """Tokens [N, L, D], mask [N, L] -> [N, V]."""
        return fuse(self.text_parts(tokens, mask, end=end), self.weights)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.video(features, mask)


def positions_for(table: nn.Embedding, count: int) -> Tensor:
    """The first `count` rows of a position table: [count, D]."""
    if count > table.num_embeddings:
        raise ModelError(
            f"a segment of {count} frames does not fit the {table.num_embeddings} positions "
            "of this head",
            hint="use shorter segments: c2v index --segment SECONDS",
        )
    rows: Tensor = table.weight[:count]
    return rows

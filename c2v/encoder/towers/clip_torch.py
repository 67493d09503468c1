"""OpenAI's CLIP with a vision transformer, of any size, with the key names of its checkpoints.

Small and complete on purpose: official checkpoints of CLIP2Video and CLIP4Clip carry their CLIP
inside, token features are needed (the alignment block sums over words) and frames of one clip may
go through a 3-d patch layer, none of which a stock CLIP offers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253

from c2v.encoder.foreign_caches import keep_caches_here
from c2v.encoder.heads.blocks import Transformer, causal_mask
from c2v.errors import ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipShape:
    """Sizes of both towers; heads are width / 64 in each."""

    feature_dim: int  # D, the joint space
    vision_width: int
    vision_layers: int
    patch_size: int
    image_size: int
    text_width: int
    text_layers: int
    context_length: int
    vocab_size: int
    linear_patch: Literal["2d", "3d"] = "2d"


class VisionTransformer(nn.Module):
    """Patches and a class token; f = ln_post(class) . proj, not normalised."""

    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        width, patch = shape.vision_width, shape.patch_size
        grid = shape.image_size // patch
        scale = width**-0.5
        self.conv1 = nn.Conv2d(3, width, kernel_size=patch, stride=patch, bias=False)
        self.conv2: nn.Conv3d | None = None
        if shape.linear_patch == "3d":
            self.conv2 = nn.Conv3d(
                3,
                width,
                kernel_size=(3, patch, patch),
                stride=(1, patch, patch),
                padding=(1, 0, 0),
                bias=False,
            )
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(grid * grid + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, layers=shape.vision_layers)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, shape.feature_dim))

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [B, T, 3, H, W] -> frame features [B, T, D].

        With a 3-d patch layer a frame sees its neighbours in the clip; with a 2-d one every frame
        stands alone.
        """
        batch, time = clips.shape[:2]
        if self.conv2 is None:
            patches = self.conv1(clips.flatten(0, 1))  # [B*T, W, h, w]
        else:
            patches = self.conv2(clips.transpose(1, 2))  # [B, W, T, h, w]
            patches = patches.transpose(1, 2).flatten(0, 1)  # [B*T, W, h, w]
        x = patches.flatten(2).transpose(1, 2)  # [B*T, h*w, W]
        first = self.class_embedding.expand(x.shape[0], 1, -1)
        x = torch.cat([first, x], dim=1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x))
        features: Tensor = self.ln_post(x[:, 0]) @ self.proj
        return features.view(batch, time, features.shape[-1])


class Clip(nn.Module):
    """Both towers and the shared temperature."""

    def __init__(self, shape: ClipShape) -> None:
        keep_caches_here()
        super().__init__()
        self.shape = shape
        width = shape.text_width
        self.visual = VisionTransformer(shape)
        self.transformer = Transformer(width, layers=shape.text_layers)
        self.token_embedding = nn.Embedding(shape.vocab_size, width)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(shape.context_length, width))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(width**-0.5 * torch.randn(width, shape.feature_dim))
        self.logit_scale = nn.Parameter(torch.tensor(100.0).log())

    def encode_clips(self, clips: Tensor) -> Tensor:
        """Normalised pictures [B, T, 3, H, W] -> frame features [B, T, D], not normalised."""
        side = self.shape.image_size
        if tuple(clips.shape[2:]) != (3, side, side):
            raise ModelError(
                f"pictures of shape {tuple(clips.shape[2:])} given to a CLIP that reads "
                f"{(3, side, side)}"
            )
        features: Tensor = self.visual(clips)
        return features

    def encode_tokens(self, ids: Tensor) -> Tensor:
        """Token ids [N, L], L <= context -> token features [N, L, D], not normalised.

        The causal mask makes a token independent of what follows, so any L that holds EOT gives
        the numbers of the full context.
        """
        length = ids.shape[1]
        if length > self.shape.context_length:
            raise ModelError(
                f"{length} tokens given to a text tower of {self.shape.context_length}"
            )
        x = self.token_embedding(ids) + self.positional_embedding[:length]
        x = self.transformer(x, causal_mask(length, device=x.device))
        tokens: Tensor = self.ln_final(x) @ self.text_projection
        return tokens

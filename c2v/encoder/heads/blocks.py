"""The residual attention block of CLIP, and the transformers made of it.

One class serves the towers (LayerNorm eps 1e-5), the temporal transformers of CLIP2Video and
CLIP4Clip and the cross encoder (eps 1e-12); all of them use the same inner names in checkpoints.
"""

from __future__ import annotations

import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from c2v.encoder.heads.settings import attention_heads

CLIP_EPS = 1e-5
TEMPORAL_EPS = 1e-12
MASKED = -1e6


def key_mask(mask: Tensor, *, heads: int, legacy_order: bool = False) -> Tensor:
    """Additive attention mask that hides keys: [B, N] of 0/1 -> [B, 1 or heads, 1, N].

    With `legacy_order` sample b, head h reads the mask of sample (b * heads + h) mod B: the
    released CLIP2Video tiles the masks head-major where its attention expects batch-major, so
    ragged batches see each other's padding. Equal masks and B = 1 are not affected.
    """
    additive = (1.0 - mask) * MASKED
    if not legacy_order:
        return additive[:, None, None, :]
    batch = mask.shape[0]
    source = torch.arange(batch * heads, device=mask.device) % batch
    return additive[source].view(batch, heads, 1, mask.shape[1])


def causal_mask(length: int, *, device: torch.device) -> Tensor:
    """Additive mask under which token i sees tokens 0..i: [length, length]."""
    return torch.full((length, length), float("-inf"), device=device).triu(1)


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), OpenAI's approximation of GELU."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class SelfAttention(nn.Module):
    """softmax(q k' / sqrt(d) + mask) v over `heads` heads; names as in nn.MultiheadAttention."""

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """[B, N, W] -> [B, N, W]; mask is additive and broadcasts to [B, heads, N, N]."""
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # [B, N, 3W]
        split = qkv.view(*x.shape[:2], 3, self.heads, x.shape[2] // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)  # [B, heads, N, d] each
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.out_proj(y.transpose(1, 2).flatten(2))
        return out


class Mlp(nn.Module):
    """Width x 4, QuickGELU, back."""

    def __init__(self, width: int, *, inner_width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, inner_width)
        self.gelu = QuickGELU()
        self.c_proj = nn.Linear(inner_width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.c_proj(self.gelu(self.c_fc(x)))
        return out


class ResidualAttentionBlock(nn.Module):
    """Pre-norm block: x + attention(LN(x)), then x + mlp(LN(x))."""

    def __init__(self, width: int, *, heads: int, eps: float) -> None:
        super().__init__()
        self.attn = SelfAttention(width, heads=heads)
        self.ln_1 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width, inner_width=4 * width)
        self.ln_2 = nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.attn(self.ln_1(x), mask)
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class Transformer(nn.Module):
    """A stack of blocks: [B, N, W] -> [B, N, W]."""

    def __init__(self, width: int, *, layers: int, eps: float = CLIP_EPS) -> None:
        super().__init__()
        self.heads = attention_heads(width)
        blocks = [ResidualAttentionBlock(width, heads=self.heads, eps=eps) for _ in range(layers)]
        self.resblocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class TemporalTransformer(Transformer):
    """The transformer over frames: keys masked by frame, LayerNorm eps 1e-12, no final norm."""

    def __init__(self, width: int, *, layers: int, legacy_mask_order: bool = False) -> None:
        super().__init__(width, layers=layers, eps=TEMPORAL_EPS)
        self.legacy_mask_order = legacy_mask_order

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens [B, N, W] and which of them are real, [B, N] -> [B, N, W]."""
        if mask is None:
            return super().forward(x)
        additive = key_mask(mask, heads=self.heads, legacy_order=self.legacy_mask_order)
        return super().forward(x, additive)

"""What the weights of a vision transformer are called in open_clip's checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightNames:
    """Names without ``visual.``; those of a layer stand behind :meth:`layer`.

    ``leading_ones`` are sizes of 1 that come before those of the class token (and, one fewer, of
    the positions).
    """

    class_token: str
    positions: str
    patches: str
    norm_before: str
    norm_after: str
    layers: str
    norm_1: str
    norm_2: str
    qkv_weight: str
    qkv_bias: str
    out: str
    grow: str
    shrink: str
    scales: tuple[str, ...]
    leading_ones: tuple[int, ...]

    def layer(self, number: int) -> str:
        """What comes before the names of one layer."""
        return f"{self.layers}.{number}."


OPEN_CLIP: Final = WeightNames(
    class_token="class_embedding",
    positions="positional_embedding",
    patches="conv1",
    norm_before="ln_pre",
    norm_after="ln_post",
    layers="transformer.resblocks",
    norm_1="ln_1",
    norm_2="ln_2",
    qkv_weight="attn.in_proj_weight",
    qkv_bias="attn.in_proj_bias",
    out="attn.out_proj",
    grow="mlp.c_fc",
    shrink="mlp.c_proj",
    scales=("ls_1.gamma", "ls_2.gamma"),
    leading_ones=(),
)
TIMM: Final = WeightNames(
    class_token="trunk.cls_token",
    positions="trunk.pos_embed",
    patches="trunk.patch_embed.proj",
    norm_before="trunk.norm_pre",
    norm_after="trunk.norm",
    layers="trunk.blocks",
    norm_1="norm1",
    norm_2="norm2",
    qkv_weight="attn.qkv.weight",
    qkv_bias="attn.qkv.bias",
    out="attn.proj",
    grow="mlp.fc1",
    shrink="mlp.fc2",
    scales=(),
    leading_ones=(1, 1),
)

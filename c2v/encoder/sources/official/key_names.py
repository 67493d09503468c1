"""The key names of official checkpoints, which of them belong together, and what a head reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from c2v.encoder.heads.settings import HeadSettings
from c2v.errors import ModelError


class Shaped(Protocol):
    """A tensor as far as keys are concerned."""

    @property
    def shape(self) -> Any: ...


CLIP_PREFIX: Final = "clip."
# Scalars that some files copied from OpenAI's archive; carried along, never used.
STRAY_SCALARS: Final = frozenset({"input_resolution", "context_length", "vocab_size"})
PATCH_3D: Final = "visual.conv2.weight"

_BLOCK: Final = (
    "attn.in_proj_weight",
    "attn.in_proj_bias",
    "attn.out_proj.weight",
    "attn.out_proj.bias",
    "ln_1.weight",
    "ln_1.bias",
    "mlp.c_fc.weight",
    "mlp.c_fc.bias",
    "mlp.c_proj.weight",
    "mlp.c_proj.bias",
    "ln_2.weight",
    "ln_2.bias",
)
CLIP_SINGLES: Final = (
    "positional_embedding",
    "text_projection",
    "logit_scale",
    "token_embedding.weight",
    "ln_final.weight",
    "ln_final.bias",
    "visual.class_embedding",
    "visual.positional_embedding",
    "visual.proj",
    "visual.conv1.weight",
    "visual.ln_pre.weight",
    "visual.ln_pre.bias",
    "visual.ln_post.weight",
    "visual.ln_post.bias",
)
POSITIONS: Final = "frame_position_embeddings.weight"
NORM: Final = ("trans_layernorm.weight", "trans_layernorm.bias")
CENTERS: Final = ("weight_center", "emb_center")
LSTM: Final = tuple(
    f"lstm_visual.{kind}_l0" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
)
CROSS: Final = (
    "cross.embeddings.position_embeddings.weight",
    "cross.pooler.ln_pool.weight",
    "cross.pooler.ln_pool.bias",
    "cross.pooler.dense.weight",
    "cross.pooler.dense.bias",
)
SIMILARITY: Final = ("similarity_dense.weight", "similarity_dense.bias")
# Tensors that come together or not at all.
GROUPS: Final = (
    (POSITIONS,),
    ("type_position_embeddings.weight",),
    ("frame2t_projection",),
    NORM,
    CENTERS,
    LSTM,
    CROSS,
    SIMILARITY,
)
# A stack `s` holds `s.resblocks.{0..n-1}.` with the twelve tensors of a block each.
STACKS: Final = ("transformerClip", "frame2t_attention", "actionClip", "cross.transformer")
CLIP_STACKS: Final = ("visual.transformer", "transformer")


def stack_depth(keys: Iterable[str], stack: str) -> int:
    """Number of blocks of a stack, 0 if it is absent."""
    start = f"{stack}.resblocks."
    return len({key[len(start) :].partition(".")[0] for key in keys if key.startswith(start)})


def stack_keys(stack: str, layers: int) -> list[str]:
    """All keys of a stack of that depth."""
    return [f"{stack}.resblocks.{layer}.{name}" for layer in range(layers) for name in _BLOCK]


def head_keys(head: HeadSettings) -> list[str]:
    """The keys a head of these settings reads from a file."""
    if head.type == "seqLSTM":
        return [POSITIONS, *LSTM]
    if head.type == "seqTransf":
        return [POSITIONS, *stack_keys("transformerClip", head.layers)]
    if head.type == "tightTransf":
        return [*CROSS, *SIMILARITY, *stack_keys("cross.transformer", head.layers)]
    return _clip2video_keys(head) if head.type == "clip2video" else []


def _clip2video_keys(head: HeadSettings) -> list[str]:
    sequential = head.sim_type == "seqTransf"
    projected = head.aligned and head.center_proj != ""
    keys: list[str] = []
    if sequential or projected:
        keys.append(POSITIONS)
    if sequential:
        keys += stack_keys("transformerClip", head.layers)
    if head.differences or (head.aligned and head.center_proj == "TAB_TDB"):
        keys.append("type_position_embeddings.weight")
        keys += NORM if head.temporal_proj else ()
        if head.temporal_proj == "sigmoid_selfA":
            keys += stack_keys("frame2t_attention", head.difference_layers)
        elif head.temporal_proj == "sigmoid_mlp":
            keys.append("frame2t_projection")
    if head.aligned:
        keys += CENTERS
    if projected:
        keys += stack_keys("actionClip", head.action_layers)
    return keys


def check_known(state: Mapping[str, Shaped]) -> None:
    """No key that no released model has, and no group or block of which a part is absent."""
    stacks = (*STACKS, *(CLIP_PREFIX + stack for stack in CLIP_STACKS))
    whole = [*GROUPS, *(tuple(stack_keys(name, stack_depth(state, name))) for name in stacks)]
    known = {name for group in whole for name in group}
    known |= {CLIP_PREFIX + name for name in (*CLIP_SINGLES, *STRAY_SCALARS, PATCH_3D)}
    unknown = sorted(key for key in state if key not in known)
    if unknown:
        hint = "official CLIP2Video and CLIP4Clip files have clip.* and the head at top level"
        if all(key.startswith("module.") for key in state):
            hint = "the file was saved from DistributedDataParallel: take 'module.' off every key"
        raise ModelError(
            f"unknown key {unknown[0]!r} in the checkpoint{_and_more(unknown)}", hint=hint
        )
    for group in whole:
        there = [key for key in group if key in state]
        if there:
            require_official_keys(state, group, f"it comes with {there[0]}")


def require_official_keys(state: Mapping[str, Shaped], keys: Iterable[str], reason: str) -> None:
    """A ModelError that names the first of `keys` that is not there."""
    absent = [key for key in keys if key not in state]
    if absent:
        raise ModelError(
            f"key {absent[0]!r} is missing from the checkpoint{_and_more(absent)}", hint=reason
        )


def size(state: Mapping[str, Shaped], key: str, axis: int) -> int:
    """One length of a tensor's shape; a ModelError that names it if it has no such axis."""
    shape = tuple(state[key].shape)
    if len(shape) <= axis or shape[axis] < 1:
        raise ModelError(f"{key!r} has shape {shape}: not that of a CLIP")
    return int(shape[axis])


def _and_more(keys: list[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""

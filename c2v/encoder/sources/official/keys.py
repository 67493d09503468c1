"""What the keys of an official checkpoint tell, and the way from its layout to ours and back.

An official file is one flat state dict: `clip.*` (OpenAI's CLIP) and the temporal head under names
of its own. Everything is inferred from key names and shapes; a key that no released model has, or
the absence of one that the model needs, is a ModelError that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar

from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.sources.official.key_names import (
    CENTERS,
    CLIP_PREFIX,
    CLIP_SINGLES,
    CLIP_STACKS,
    CROSS,
    LSTM,
    NORM,
    PATCH_3D,
    POSITIONS,
    SIMILARITY,
    STACKS,
    STRAY_SCALARS,
    Shaped,
    check_known,
    head_keys,
    require_official_keys,
    size,
    stack_depth,
    stack_keys,
)
from c2v.errors import ModelError

__all__ = [
    "CLIP_PREFIX",
    "PATCH_3D",
    "OfficialLayout",
    "infer",
    "join_official",
    "modern_name",
    "rename_old",
    "split_official",
]

Weight = TypeVar("Weight", bound=Shaped)

_OVERRIDES: Final = (
    "sim_type",
    "sim_header",
    "temporal_type",
    "temporal_proj",
    "center_type",
    "center_proj",
    "center_weight",
    "legacy_mask_order",
    "strict_difference_mask",
)
_RELEASED_LAYERS: Final = 4


@dataclass(frozen=True, slots=True)
class OfficialLayout:
    """What a checkpoint is: its CLIP's sizes and the head that its keys spell out."""

    clip: dict[str, Any]  # fields of ClipShape
    head: HeadSettings


def modern_name(key: str) -> str:
    """Names from BERT's early days: `gamma` -> `weight`, `beta` -> `bias`, wherever they stand."""
    return key.replace("gamma", "weight").replace("beta", "bias")


def rename_old(state: Mapping[str, Weight]) -> dict[str, Weight]:
    """A state dict under the names of today (:func:`modern_name`)."""
    renamed: dict[str, Weight] = {}
    for key, value in state.items():
        new = modern_name(key)
        if new in renamed:
            raise ModelError(f"the checkpoint has {new!r} twice (once as {key!r})")
        renamed[new] = value
    return renamed


def infer(state: Mapping[str, Shaped], **settings: Any) -> OfficialLayout:
    """Sizes and head of a checkpoint (keys already renamed), checked to be complete.

    `settings` override what the keys suggest, under the reference's names: `sim_type` (or
    CLIP4Clip's `sim_header`), `temporal_type`, `temporal_proj`, `center_type`, `center_proj`,
    `center_weight`, `linear_patch`, and ours: `legacy_mask_order`, `strict_difference_mask`.
    """
    from c2v.encoder.sources.official.shapes import check_shapes

    check_known(state)
    linear_patch = settings.pop("linear_patch", None)
    head = _infer_head(state, settings)
    clip = _infer_clip(state, linear_patch)
    require_official_keys(state, head_keys(head), f"a {head.type} head needs it")
    check_shapes(state, clip, head)
    return OfficialLayout(clip=clip, head=head)


def split_official(
    state: Mapping[str, Weight], **settings: Any
) -> tuple[dict[str, Weight], dict[str, Weight], OfficialLayout]:
    """An official state dict -> (towers under open_clip's names, head, what the keys tell).

    The towers are all `clip.*` without the prefix: exactly the keys of open_clip's ViT, plus
    `visual.conv2.weight` where the file has a 3-d patch layer (open_clip has none: such towers
    need `towers.clip_torch`). The head keeps its official names; stray scalars ride along in it.
    Values are handed through untouched, in the file's own dtype.
    """
    state = rename_old(state)
    layout = infer(state, **settings)
    towers: dict[str, Weight] = {}
    head: dict[str, Weight] = {}
    for key, value in state.items():
        name = key.removeprefix(CLIP_PREFIX)
        if key.startswith(CLIP_PREFIX) and name not in STRAY_SCALARS:
            towers[name] = value
        else:
            head[key] = value
    return towers, head, layout


def join_official(
    towers: Mapping[str, Weight],
    head: Mapping[str, Weight],
    settings: HeadSettings | Mapping[str, Any],
) -> dict[str, Weight]:
    """The inverse of `split_official`, bitwise; checked to be a file that can be read again."""
    from c2v.encoder.sources.official.shapes import check_shapes

    if not isinstance(settings, HeadSettings):
        settings = HeadSettings.from_dict(settings)
    state = {CLIP_PREFIX + key: value for key, value in towers.items()} | dict(head)
    layout = infer(state)
    require_official_keys(state, head_keys(settings), f"a {settings.type} head needs it")
    check_shapes(state, layout.clip, settings)
    return state


def _infer_clip(
    state: Mapping[str, Shaped], linear_patch: Literal["2d", "3d"] | None
) -> dict[str, Any]:
    layers = {stack: stack_depth(state, CLIP_PREFIX + stack) for stack in CLIP_STACKS}
    needed = [CLIP_PREFIX + name for name in CLIP_SINGLES]
    for stack, depth in layers.items():
        needed += stack_keys(CLIP_PREFIX + stack, max(depth, 1))
    require_official_keys(
        state, needed, "every official checkpoint carries a whole CLIP with a ViT"
    )
    has_3d = CLIP_PREFIX + PATCH_3D in state
    if linear_patch is None:
        linear_patch = "3d" if has_3d else "2d"
    if linear_patch not in ("2d", "3d"):
        raise ModelError(f"linear_patch is {linear_patch!r}; known: '2d', '3d'")
    if linear_patch == "3d":
        require_official_keys(state, [CLIP_PREFIX + PATCH_3D], "linear_patch 3d needs it")

    def of(name: str, axis: int) -> int:
        return size(state, CLIP_PREFIX + name, axis)

    patch = of("visual.conv1.weight", 3)
    grid = round((of("visual.positional_embedding", 0) - 1) ** 0.5)
    return {
        "feature_dim": of("text_projection", 1),
        "vision_width": of("visual.conv1.weight", 0),
        "vision_layers": layers["visual.transformer"],
        "patch_size": patch,
        "image_size": grid * patch,
        "text_width": of("token_embedding.weight", 1),
        "text_layers": layers["transformer"],
        "context_length": of("positional_embedding", 0),
        "vocab_size": of("token_embedding.weight", 0),
        "linear_patch": linear_patch,
    }


def _infer_head(state: Mapping[str, Shaped], settings: dict[str, Any]) -> HeadSettings:
    """The released configuration that owns these keys, with `settings` put over it."""
    require_official_keys(
        state, [CLIP_PREFIX + "text_projection"], "it tells the width of the joint space"
    )
    width = size(state, CLIP_PREFIX + "text_projection", 1)
    changes = {name: value for name, value in settings.items() if value is not None}
    for name in changes:
        if name not in _OVERRIDES:
            known = ", ".join((*_OVERRIDES, "linear_patch"))
            raise ModelError(f"unknown setting {name!r}", hint=f"known: {known}")
    header = changes.pop("sim_header", None) or _family(state)
    if header == "wti":
        raise ModelError("no official checkpoint has a wti head", hint="--head auto")
    if header != "clip2video" and (changes.get("temporal_type") or changes.get("center_type")):
        header = "clip2video"  # asked for, so its keys have to be there
    if header == "clip2video":
        return replace(_infer_clip2video(state, width), **changes)
    header = changes.pop("sim_type", header)
    stack = "cross.transformer" if header == "tightTransf" else "transformerClip"
    table = CROSS[0] if header == "tightTransf" else POSITIONS
    depth = stack_depth(state, stack) or _RELEASED_LAYERS
    head = HeadSettings(
        type=header, feature_dim=width, layers=depth, positions=_rows(state, table, 77)
    )
    return replace(head, **changes)


def _family(state: Mapping[str, Shaped]) -> str:
    """Which head the keys spell; a cross encoder without its last layer is never used."""
    marks = ("type_position_embeddings.weight", "frame2t_projection", *NORM, *CENTERS)
    stacks = ("actionClip", "frame2t_attention")
    if any(mark in state for mark in marks) or any(stack_depth(state, name) for name in stacks):
        return "clip2video"
    if SIMILARITY[0] in state:
        return "tightTransf"
    if LSTM[0] in state:
        return "seqLSTM"
    return "seqTransf" if stack_depth(state, "transformerClip") else "meanP"


def _infer_clip2video(state: Mapping[str, Shaped], width: int) -> HeadSettings:
    depths = {stack: stack_depth(state, stack) for stack in STACKS}
    differences = "type_position_embeddings.weight" in state
    if depths["frame2t_attention"]:
        projection = "sigmoid_selfA"
    else:
        projection = "sigmoid_mlp" if "frame2t_projection" in state else ""
    center_proj = "TAB_TDB" if differences else "TAB"
    return HeadSettings(
        type="clip2video",
        feature_dim=width,
        layers=depths["transformerClip"] or _RELEASED_LAYERS,
        positions=_rows(state, POSITIONS, 77),
        sim_type="seqTransf" if depths["transformerClip"] else "meanP",
        temporal_type="TDB" if differences else "",
        temporal_proj=projection,
        center_type="TAB" if CENTERS[0] in state else "",
        center_proj=center_proj if depths["actionClip"] else "",
        centers=_rows(state, CENTERS[0], 5),
        difference_layers=depths["frame2t_attention"] or 1,
        action_layers=depths["actionClip"] or 1,
    )


def _rows(state: Mapping[str, Shaped], key: str, absent: int) -> int:
    return size(state, key, 0) if key in state else absent

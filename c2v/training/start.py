"""The head a run starts from, and what its temperature is at first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import torch  # noqa: TID253
from numpy.typing import NDArray
from torch import Tensor  # noqa: TID253

from c2v.encoder.bundle import Bundle
from c2v.encoder.clip_bundle import HEAD_NAME, IMAGE_NAME, TEXT_NAME, join_towers
from c2v.encoder.heads.base import HeadModule
from c2v.encoder.heads.build import build_head
from c2v.encoder.heads.initialise import init_from_clip, init_identity
from c2v.encoder.heads.settings import HEAD_TYPES, HeadSettings, HeadType
from c2v.encoder.logits import EXTRA_NAME, read_logits
from c2v.encoder.tensors import read_tensors
from c2v.encoder.towers.clip_text_numpy import TextArchitecture
from c2v.errors import ModelError, UsageError
from c2v.nearest import one_of
from c2v.training.objective import contrast
from c2v.training.recipe import SMALL_LAYERS, WTI_LAYERS, Start

_SCALES = (5.0, 7.0, 10.0, 14.0, 20.0, 28.0, 40.0, 56.0, 80.0, 100.0)
_CLIP_SCALE = 100.0


def choose_start(bundle: Bundle, *, head: str | None, init: str | None, small: bool) -> Start:
    """Which first weights a head gets.

    A bundle whose head was trained goes on from it, unless another head or start is asked for.
    Else few pairs start as meanP, many from CLIP's text tower where there is one.

    Raises:
        UsageError: an unknown start, or one the bundle does not offer.
    """
    trained = HEAD_NAME in bundle.config.files
    same = head is None or head == bundle.config.head.type
    if init is None:
        if trained and same:
            return "model"
        small = small or head == "wti"  # which has a start of its own
        return "identity" if small or not _has_clip_blocks(bundle) else "clip"
    if init not in get_args(Start):
        raise UsageError(f"--init {init}", hint=one_of(init, get_args(Start)))
    if init == "model" and not (trained and same):
        raise UsageError(
            f"--init model: {bundle.name} has no trained {head or bundle.config.head.type} head",
            hint="--init identity",
        )
    if init == "clip" and bundle.config.text.family != "clip":
        raise UsageError(
            f"--init clip: {bundle.name} has no CLIP text tower to copy from",
            hint="--init identity",
        )
    return init  # type: ignore[return-value]


def first_head(
    bundle: Bundle,
    *,
    head: str | None,
    start: Start,
    projected: bool,
    small: bool,
    seed: int,
    layers: int | None = None,
) -> HeadModule:
    """The head with its first weights.

    Raises:
        UsageError: there is no head of that name, or it cannot be trained.
        ModelError: CLIP's text tower does not fit.
    """
    if start == "model":
        return _own_head(bundle, projected=projected)
    kind = head or "clip2video"
    settings = HeadSettings(
        type=head_kind(kind),
        feature_dim=bundle.feature_dim,
        layers=layers or _layers(kind, small=small and start == "identity"),
        # The published mask lets the last difference see padding, so that the vector of a video
        # depends on the longest one beside it. New weights need not be trained so.
        strict_difference_mask=True,
    )
    clip = clip_state(bundle) if start == "clip" or _has_clip_blocks(bundle) else None
    if start == "clip":
        settings, state = init_from_clip(settings, _needed(bundle, clip), seed=seed)
    else:
        settings, state = init_identity(settings, clip, seed=seed)
    return _with_projections(settings, state, projected=projected)


def _layers(kind: str, *, small: bool) -> int:
    if kind == "wti":
        return WTI_LAYERS
    return SMALL_LAYERS if small else 4


def head_kind(name: str) -> HeadType:
    """A head that can be trained, by its name.

    Raises:
        UsageError: there is no head of that name, or it cannot be trained.
    """
    if name == "tightTransf":
        raise UsageError(
            "--head tightTransf scores pairs and cannot be trained on stored features",
            hint="--head clip2video",
        )
    if name not in HEAD_TYPES:
        raise UsageError(f"--head {name}", hint=one_of(name, HEAD_TYPES))
    return name  # type: ignore[return-value]


def _own_head(bundle: Bundle, *, projected: bool) -> HeadModule:
    described = bundle.config.head
    settings = HeadSettings.from_dict(
        {**described.settings, "type": head_kind(described.type), "feature_dim": bundle.feature_dim}
    )
    arrays = read_tensors(bundle.directory / HEAD_NAME)
    state = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    return _with_projections(settings, state, projected=projected or settings.projected)


def _with_projections(
    settings: HeadSettings, state: Mapping[str, Tensor], *, projected: bool
) -> HeadModule:
    settings = replace(settings, projected=projected)
    weights = dict(state)
    if projected:
        dim = settings.feature_dim
        for name in ("frame_projection", "word_projection"):
            weights.setdefault(f"{name}.weight", torch.zeros(dim, dim))
            weights.setdefault(f"{name}.bias", torch.zeros(dim))
    return build_head(settings, weights)


def is_openai_clip(bundle: Bundle) -> bool:
    """Whether both towers are OpenAI's CLIP (ViT, causal text): those that can be trained."""
    if bundle.config.text.family != "clip" or bundle.config.image.family != "open_clip":
        return False
    text = TextArchitecture.from_settings(bundle.config.text.settings)
    vision = bundle.config.image.settings["vision_cfg"]
    known = {"image_size", "layers", "width", "patch_size", "head_width", "mlp_ratio"}
    return (
        bool(bundle.config.image.settings["quick_gelu"])
        and text.causal
        and text.pool == "end"
        and text.activation == "quick_gelu"
        and text.projection
        and not text.projection_bias
        and not text.class_token
        and set(vision) <= known
        and isinstance(vision["layers"], int)
    )


def _has_clip_blocks(bundle: Bundle) -> bool:
    """Whether blocks of the text tower can be copied into a head: it is as wide as the features,
    and has a position for each frame."""
    if bundle.config.text.family != "clip" or bundle.config.image.family != "open_clip":
        return False
    text = TextArchitecture.from_settings(bundle.config.text.settings)
    wide = text.width == bundle.feature_dim and text.mlp_width == 4 * text.width
    return (
        wide
        and text.context >= HeadSettings(type="meanP", feature_dim=bundle.feature_dim).positions
    )


def clip_state(bundle: Bundle) -> dict[str, Tensor] | None:
    """Both towers under CLIP's names, or None where they are no CLIP."""
    if bundle.config.text.family != "clip" or bundle.config.image.family != "open_clip":
        return None
    files = bundle.config.files
    extra = read_tensors(bundle.directory / EXTRA_NAME) if EXTRA_NAME in files else {}
    arrays = join_towers(
        dict(read_tensors(bundle.directory / IMAGE_NAME)),
        dict(read_tensors(bundle.directory / TEXT_NAME)),
        dict(extra),
    )
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


def _needed(bundle: Bundle, clip: dict[str, Tensor] | None) -> dict[str, Tensor]:
    if clip is None:
        raise ModelError(
            f"{bundle.name} has no CLIP text tower to copy from", hint="--init identity"
        )
    return clip


def first_scale(
    bundle: Bundle, head: HeadModule, texts: NDArray[Any], videos: NDArray[Any], owner: NDArray[Any]
) -> float:
    """exp(logit_scale) at first: the bundle's own, or the one that fits its scores best.

    An encoder that does not say how sharp its scores are is asked: the temperature under which
    the contrast of ``texts`` [N, D] (unit) and ``videos`` [M, D] (unit) is smallest.
    """
    logits = read_logits(bundle.directory, bundle.config)
    if logits is not None:
        return min(_CLIP_SCALE, logits.scale)
    similarity = torch.from_numpy(np.ascontiguousarray(texts @ videos.T))
    numbers = torch.from_numpy(owner)
    losses = [float(contrast(scale * similarity, numbers)) for scale in _SCALES]
    return _SCALES[int(np.argmin(losses))]

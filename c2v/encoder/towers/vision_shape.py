"""Vision transformers of open_clip: their sizes and variants, and every weight by its name.

Two libraries lend open_clip their layers. Its own vision transformer (OpenAI's ViT, LAION's, CLIPA,
CoCa) has a class token, and differs in what becomes the feature of a picture. timm's carry their
sizes in their names: SigLIP's and SigLIP2's, and the Perception Encoder's (PE-Core), which turns
queries and keys by the place of their patch (rotary positions). Whatever is understood here runs
without torch (:mod:`c2v.encoder.towers.vision_graph`).

Sources: Radford et al. 2021 (CLIP), Li et al. 2023 (CLIPA), Yu et al. 2022 (CoCa), Zhai et al. 2023
(SigLIP), Bolya et al. 2025 (Perception Encoder), Su et al. 2021 (rotary positions).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from c2v.encoder.bundle_config import ImageConfig
from c2v.encoder.towers.vision_names import OPEN_CLIP, TIMM, WeightNames

Activation = Literal["gelu", "gelu_tanh", "quick_gelu"]
Pool = Literal["class", "average", "latent", "query"]

# What open_clip's own transformer may be told, and what a transformer of timm's.
_UNDERSTOOD: Final = frozenset(
    {
        *("image_size", "patch_size", "width", "layers", "head_width", "mlp_ratio"),
        *("ls_init_value", "no_ln_pre", "pool_type", "final_ln_after_pool"),
        *("attentional_pool", "attn_pooler_heads", "attn_pooler_queries", "output_tokens"),
    }
)
_UNDERSTOOD_OF_TIMM: Final = frozenset(
    {
        *("image_size", "timm_model_name", "timm_model_pretrained", "timm_pool", "timm_proj"),
        *("timm_drop", "timm_drop_path"),  # in training alone
    }
)
_SIGLIP: Final = re.compile(r"vit_(base|large|so400m|giantopt)_patch(\d+)_siglip_(\d+)")
_PE_CORE: Final = re.compile(r"vit_pe_core_(tiny|small|base|large|gigantic)_patch(\d+)_(\d+)")
_SIGLIP_SIZES: Final[Mapping[str, tuple[int, int, int, float]]] = {  # width, layers, heads, MLP
    "base": (768, 12, 12, 4.0),
    "large": (1024, 24, 16, 4.0),
    "so400m": (1152, 27, 16, 3.7362),
    "giantopt": (1536, 40, 16, 4.0),
}
_PE_CORE_SIZES: Final[Mapping[str, tuple[int, int, int, float]]] = {
    "tiny": (192, 12, 3, 4.0),
    "small": (384, 12, 6, 4.0),
    "base": (768, 12, 12, 4.0),
    "large": (1024, 24, 16, 4.0),
    "gigantic": (1536, 50, 16, 8960 / 1536),
}
_PE_CORE_POOL_HEADS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionShape:
    """The sizes of a vision transformer, and its variants.

    Attributes:
        side: of the pictures; what is left over of it by whole patches is not looked at.
        patch: side of a patch.
        width: of a token.
        layers: how many there are.
        heads: of each layer's attention.
        mlp_width: the hidden layer of each MLP.
        output_dim: the joint space.
        activation: of each MLP; ``gelu_tanh`` is the approximation by a hyperbolic tangent.
        names: what its weights are called.
        has_class: a class token stands before the patches.
        norm_before: tokens are normed before the first layer.
        layer_scale: what a layer adds has a scale for each channel.
        epsilon: of each norm.
        rotary: the number of the first patch of a row or column where queries and keys are turned
            by their place; None where they are not.
        pool: what becomes the feature: the ``class`` token, the ``average`` of the patches, what a
            trained ``latent`` finds in all tokens (SigLIP, PE), or the first ``query`` (CoCa).
        pool_heads: of the attention of a latent or query.
        pool_mlp_width: the hidden layer of a latent's MLP.
        queries: how many CoCa has; a feature takes one.
        norm_last: the last norm is of the feature and not of the tokens it is made of.
        projection: to the joint space: open_clip's matrix, timm's linear layer, or none.
    """

    side: int
    patch: int
    width: int
    layers: int
    heads: int
    mlp_width: int
    output_dim: int
    activation: Activation
    names: WeightNames = OPEN_CLIP
    has_class: bool = True
    norm_before: bool = True
    layer_scale: bool = False
    epsilon: float = 1e-5
    rotary: float | None = None
    pool: Pool = "class"
    pool_heads: int = 0
    pool_mlp_width: int = 0
    queries: int = 0
    norm_last: bool = False
    projection: Literal["matrix", "linear", "none"] = "matrix"

    @classmethod
    def of(cls, image: ImageConfig) -> VisionShape | None:
        """None when the tower is no vision transformer that is understood: torch runs it then."""
        vision = image.settings.get("vision_cfg", {})
        if "timm_model_name" in vision:
            return _of_timm(image, vision)
        return _of_open_clip(image, vision)

    @property
    def grid(self) -> int:
        """Patches in a row."""
        return self.side // self.patch

    @property
    def tokens(self) -> int:
        """Patches, and the class token if there is one."""
        return self.grid**2 + self.has_class

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Every weight with its shape, by open_clip's names without ``visual.``."""
        names, width, mlp = self.names, self.width, self.mlp_width
        one = names.leading_ones
        found: dict[str, tuple[int, ...]] = {
            names.positions: (*one[:1], self.tokens, width),
            f"{names.patches}.weight": (width, 3, self.patch, self.patch),
        }
        if self.has_class:
            found[names.class_token] = (*one, width)
        if names is TIMM and not self.norm_before:
            found[f"{names.patches}.bias"] = (width,)
        if self.norm_before:
            found |= _norm(names.norm_before, width)
        for number in range(self.layers):
            layer = names.layer(number)
            found |= _norm(f"{layer}{names.norm_1}", width) | _norm(f"{layer}{names.norm_2}", width)
            found[f"{layer}{names.qkv_weight}"] = (3 * width, width)
            found[f"{layer}{names.qkv_bias}"] = (3 * width,)
            found |= _linear(f"{layer}{names.out}", width, width)
            found |= _linear(f"{layer}{names.grow}", mlp, width)
            found |= _linear(f"{layer}{names.shrink}", width, mlp)
            if self.layer_scale:
                found |= {f"{layer}{name}": (width,) for name in names.scales}
        return found | self._pool_tensors() | self._last_tensors()

    def _pool_tensors(self) -> dict[str, tuple[int, ...]]:
        """Those of the attention that makes a feature of all tokens."""
        width, made = self.width, self.output_dim
        if self.pool == "latent":
            pool = "trunk.attn_pool."
            found: dict[str, tuple[int, ...]] = {f"{pool}latent": (1, 1, width)}
            found |= _linear(f"{pool}q", width, width) | _linear(f"{pool}kv", 2 * width, width)
            found |= _linear(f"{pool}proj", width, width) | _norm(f"{pool}norm", width)
            found |= _linear(f"{pool}mlp.fc1", self.pool_mlp_width, width)
            return found | _linear(f"{pool}mlp.fc2", width, self.pool_mlp_width)
        if self.pool == "query":
            pool = "attn_pool."
            found = {f"{pool}query": (self.queries, made), f"{pool}attn.in_proj_bias": (3 * made,)}
            found |= _linear(f"{pool}attn.out_proj", made, made)
            found |= _norm(f"{pool}ln_q", made) | _norm(f"{pool}ln_k", width)
            if made == width:  # torch keeps the three matrices in one where they fit
                return found | {f"{pool}attn.in_proj_weight": (3 * made, made)}
            ends = {"q": made, "k": width, "v": width}
            return found | {
                f"{pool}attn.{end}_proj_weight": (made, inside) for end, inside in ends.items()
            }
        return {}

    def _last_tensors(self) -> dict[str, tuple[int, ...]]:
        """Those of the last norm and the projection."""
        inside = self.output_dim if self.pool == "query" else self.width
        found = _norm(self.names.norm_after, inside)
        if self.projection == "matrix":
            found["proj"] = (inside, self.output_dim)
        elif self.projection == "linear":
            found |= _linear("trunk.head", self.output_dim, inside)
        return found


def _of_open_clip(image: ImageConfig, vision: Mapping[str, Any]) -> VisionShape | None:
    """open_clip's own transformer."""
    pool = vision.get("pool_type", "tok")
    attends = vision.get("attentional_pool", False)
    if set(vision) - _UNDERSTOOD or not isinstance(vision.get("layers"), int):
        return None  # a ResNet has a list of them
    if pool not in ("tok", "avg") or attends not in (True, False) or (attends and pool != "tok"):
        return None
    width, head = int(vision.get("width", 768)), int(vision.get("head_width", 64))
    patch = int(vision.get("patch_size", 16))
    if width % head or image.side < patch:
        return None
    made: Pool = "average" if pool == "avg" else "class"
    return VisionShape(
        side=image.side,
        patch=patch,
        width=width,
        layers=int(vision["layers"]),
        heads=width // head,
        mlp_width=int(width * float(vision.get("mlp_ratio", 4.0))),
        output_dim=int(image.settings["embed_dim"]),
        activation="quick_gelu" if image.settings.get("quick_gelu", False) else "gelu",
        norm_before=not vision.get("no_ln_pre", False),
        layer_scale=vision.get("ls_init_value") is not None,
        pool="query" if attends else made,
        pool_heads=int(vision.get("attn_pooler_heads", 8)) if attends else 0,
        queries=int(vision.get("attn_pooler_queries", 256)) if attends else 0,
        norm_last=bool(attends or vision.get("final_ln_after_pool", False)),
    )


def _of_timm(image: ImageConfig, vision: Mapping[str, Any]) -> VisionShape | None:
    """A transformer of timm's that pools by a trained latent: SigLIP's or PE-Core's."""
    if set(vision) - _UNDERSTOOD_OF_TIMM or vision.get("timm_pool") != "map":
        return None
    projection = vision.get("timm_proj")
    if projection not in (None, "none"):
        return None
    name = str(vision["timm_model_name"])
    siglip, pe_core = _SIGLIP.fullmatch(name), _PE_CORE.fullmatch(name)
    match = siglip or pe_core
    if match is None:
        return None
    size, patch, side = match[1], int(match[2]), int(match[3])
    width, layers, heads, ratio = (_SIGLIP_SIZES if siglip else _PE_CORE_SIZES)[size]
    output = int(image.settings["embed_dim"])
    if image.side != side or side < patch or (projection == "none" and output != width):
        return None
    variant: dict[str, Any] = _siglip(size, patch, side) if siglip else _pe_core(size)
    return VisionShape(
        side=side,
        patch=patch,
        width=width,
        layers=layers,
        heads=heads,
        mlp_width=int(width * ratio),
        output_dim=output,
        names=TIMM,
        pool="latent",
        pool_mlp_width=int(width * (ratio if siglip else 4.0)),
        projection="none" if projection == "none" else "linear",
        **{"pool_heads": heads} | variant,
    )


def _siglip(size: str, patch: int, side: int) -> dict[str, Any]:
    """What sets the transformers of SigLIP and SigLIP2 apart; some of them approximate GELU."""
    approximates = size == "giantopt" or (size, patch) in (("base", 32), ("so400m", 16))
    approximates = approximates or (size, side) == ("large", 512)
    return {
        "activation": "gelu_tanh" if approximates else "gelu",
        "has_class": False,
        "norm_before": False,
        "epsilon": 1e-6,
    }


def _pe_core(size: str) -> dict[str, Any]:
    """What sets those of the Perception Encoder apart; the largest has no class token."""
    has_class = size != "gigantic"
    return {
        "activation": "gelu",
        "has_class": has_class,
        "rotary": 1.0 if has_class else 0.0,
        "pool_heads": _PE_CORE_POOL_HEADS,
    }


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _linear(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}

"""What a temporal head is made of: plain data, no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

from c2v.errors import ModelError

HeadType = Literal["meanP", "seqLSTM", "seqTransf", "tightTransf", "clip2video", "wti"]

HEAD_TYPES: Final[tuple[str, ...]] = get_args(HeadType)
_OF_SENTENCES: Final = ("meanP", "seqLSTM", "seqTransf", "tightTransf", "clip2video")
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "type": HEAD_TYPES,
    "sim_type": ("meanP", "seqTransf"),
    "temporal_type": ("TDB", ""),
    "temporal_proj": ("sigmoid_selfA", "sigmoid_mlp", ""),
    "center_type": ("TAB", ""),
    "center_proj": ("TAB_TDB", "TAB", ""),
}
_LEAST: Final[dict[str, int]] = {
    "feature_dim": 1,
    "layers": 0,
    "positions": 1,
    "centers": 1,
    "difference_layers": 1,
    "action_layers": 1,
    "bottleneck": 1,
}
_HEAD_WIDTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSettings:
    """The shape and the switches of one head; names of switches are the reference's own.

    `type` says which family: the four heads of CLIP4Clip, `clip2video`, whose global branch is
    chosen by `sim_type`, `temporal_type` and `temporal_proj`, and whose alignment branch by
    `center_type` and `center_proj`, or `wti`. Fields that a head does not use are ignored by it.

    >>> HeadSettings(type="clip2video", feature_dim=512).vector_dim
    1024
    >>> HeadSettings.from_dict({"type": "meanP", "feature_dim": 512}).as_dict()
    {'type': 'meanP', 'feature_dim': 512}
    """

    type: HeadType
    feature_dim: int
    layers: int = 4  # blocks of the temporal (or, for tightTransf, cross) transformer
    positions: int = 77  # rows of the position table = the most frames a head can order
    sim_type: str = "seqTransf"
    temporal_type: str = "TDB"
    temporal_proj: str = "sigmoid_selfA"
    center_type: str = "TAB"
    center_proj: str = "TAB_TDB"
    centers: int = 5  # K
    center_weight: float = 0.5  # w of  w * S_global + (1 - w) * S_aligned (wti: its own score)
    difference_layers: int = 1  # blocks of frame2t_attention
    action_layers: int = 1  # blocks of actionClip
    legacy_mask_order: bool = False  # the released code's mask bug, for bit-reproduction only
    strict_difference_mask: bool = False  # a difference counts only if both of its frames do
    projected: bool = (
        False  # a linear layer on the features comes first: of both sides (wti: words)
    )
    bottleneck: int = 64  # width of the transformer over frames of wti

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                known = ", ".join(repr(choice) for choice in choices)
                raise ModelError(f"head setting {name} is {getattr(self, name)!r}; known: {known}")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ModelError(f"head setting {name} is {getattr(self, name)}, least is {least}")
        if not 0.0 <= self.center_weight <= 1.0:
            raise ModelError(f"head setting center_weight is {self.center_weight}, not in [0, 1]")

    @property
    def aligned(self) -> bool:
        """Whether the head has the alignment branch (TAB)."""
        return self.type == "clip2video" and self.center_type == "TAB"

    @property
    def interacts(self) -> bool:
        """Whether words are compared with frames: the vectors only propose what is to be scored."""
        return self.type == "wti"

    @property
    def mixing(self) -> tuple[float, ...]:
        """The values of `center_weight` that are worth trying, the first of equals to be taken."""
        if self.interacts:
            return (0.0, 0.5)
        return (1.0, 0.9, 0.75, 0.5) if self.aligned else (1.0,)

    @property
    def reads_words(self) -> bool:
        """Whether the text side looks at more than the one feature of the whole sentence."""
        return self.aligned or self.type not in _OF_SENTENCES

    @property
    def differences(self) -> bool:
        """Whether the global branch is the Temporal Difference Block."""
        return (
            self.type == "clip2video"
            and self.sim_type == "seqTransf"
            and self.temporal_type == "TDB"
        )

    @property
    def vector_dim(self) -> int:
        """Length of a vector: 2D with the alignment branch, D without."""
        return 2 * self.feature_dim if self.aligned else self.feature_dim

    @property
    def weights(self) -> tuple[float, ...]:
        """Weights of the parts of a vector: (w, 1 - w), or (1,) for a head of one part."""
        return (self.center_weight, 1.0 - self.center_weight) if self.aligned else (1.0,)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: the type, the width and whatever differs from the default."""
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HeadSettings:
        """Read `as_dict` back; an unknown or absent name is a ModelError that says which."""
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                raise ModelError(f"unknown head setting {name!r}")
        for name in ("type", "feature_dim"):
            if name not in values:
                raise ModelError(f"head setting {name!r} is missing")
        return cls(**values)


def attention_heads(width: int) -> int:
    """Number of heads: width / 64 as in CLIP; else the nearest smaller number that divides it."""
    heads = max(1, width // _HEAD_WIDTH)
    while width % heads:
        heads -= 1
    return heads

"""Temporal heads: frame features to one vector of a video, token features to one of a text.

`settings`, `numpy_heads` and `adapters` cost NumPy alone; `build` and what is behind it, torch.
"""

from c2v.encoder.heads.adapters import (
    Head,
    SplitHead,
    TorchHead,
    check_video_side,
    head_settings,
    load_head,
    open_head,
)
from c2v.encoder.heads.numpy_heads import NumpyMeanP, NumpyTextSide
from c2v.encoder.heads.numpy_wti import Interaction, NumpyWti, Words
from c2v.encoder.heads.settings import HEAD_TYPES, HeadSettings

__all__ = [
    "HEAD_TYPES",
    "Head",
    "HeadSettings",
    "Interaction",
    "NumpyMeanP",
    "NumpyTextSide",
    "NumpyWti",
    "SplitHead",
    "TorchHead",
    "Words",
    "check_video_side",
    "head_settings",
    "load_head",
    "open_head",
]

"""Which models c2v chooses by itself, and what has to be known of them to fetch and run them where
open_clip is not installed.

The facts are open_clip's own; a test compares them wherever open_clip is there. CLIP's table of
merges, the same for every model with CLIP's vocabulary, stands in
``weights/clip_merges.safetensors``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from c2v.encoder.registry import DEFAULT_NAME, DEFAULT_SOURCE

DEFAULT_ARCHITECTURE: Final = DEFAULT_SOURCE.partition("/")[0]
DEFAULT_REPOSITORY: Final = "timm/vit_base_patch32_clip_224.openai"
MERGES_FILE: Final = Path(__file__).parent / "weights" / "clip_merges.safetensors"
MERGES_TENSOR: Final = "merges"  # [48894, 2] uint16: the ids that each merge joins, best first

BEST_FIRST: Final = ("PE-Core-B-16", DEFAULT_NAME)
"""What ``auto`` takes of the models on this machine; of none of them it fetches the default, or
takes ``mini`` where there is no network. Whoever pulled the better one wants it used; the other is
what is fetched unasked, because a picture costs it a fourth of the arithmetic (4.4 and 17.6
billion multiplications: patches of 32 and of 16)."""

_KNOWN: Final[Mapping[str, Mapping[str, Any]]] = {
    DEFAULT_ARCHITECTURE: {
        "embed_dim": 512,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 512,
            "heads": 8,
            "layers": 12,
        },
    },
    "PE-Core-B-16": {
        "embed_dim": 1024,
        "vision_cfg": {
            "image_size": 224,
            "timm_model_name": "vit_pe_core_base_patch16_224",
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": None,
        },
        "text_cfg": {
            "context_length": 32,
            "vocab_size": 49408,
            "width": 1024,
            "heads": 16,
            "layers": 24,
        },
        "custom_text": True,
    },
}
_PREPROCESS: Final[Mapping[str, Mapping[str, Any]]] = {
    "PE-Core-B-16/meta": {
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "interpolation": "bilinear",
        "resize": "squash",
    }
}
"""Where it is not OpenAI's."""


def known_config(architecture: str) -> dict[str, Any] | None:
    """The model config of an architecture, as open_clip writes one; None of one not known here."""
    found = _KNOWN.get(architecture)
    return copy.deepcopy(dict(found)) if found is not None else None


def known_preprocess(source: str) -> dict[str, Any] | None:
    """How the weights ``ARCHITECTURE/TAG`` want to see a picture, if that is known here: the
    fields of :class:`c2v.encoder.architecture.Preprocess` that are not OpenAI's."""
    if source == DEFAULT_SOURCE:
        return {}
    found = _PREPROCESS.get(source)
    return dict(found) if found is not None else None


def default_config() -> dict[str, Any]:
    """The model config of the default architecture."""
    return copy.deepcopy(dict(_KNOWN[DEFAULT_ARCHITECTURE]))

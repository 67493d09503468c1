"""What has to be known of ``ViT-B-32`` to fetch and run it where open_clip is not installed.

The facts are open_clip's own, of ``ViT-B-32-quickgelu`` with OpenAI's weights; a test compares them
wherever open_clip is there. CLIP's table of merges, the same for every model with CLIP's
vocabulary, stands in ``weights/clip_merges.safetensors``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from c2v.encoder.registry import DEFAULT_SOURCE

DEFAULT_ARCHITECTURE: Final = DEFAULT_SOURCE.partition("/")[0]
DEFAULT_REPOSITORY: Final = "timm/vit_base_patch32_clip_224.openai"
MERGES_FILE: Final = Path(__file__).parent / "weights" / "clip_merges.safetensors"
MERGES_TENSOR: Final = "merges"  # [48894, 2] uint16: the ids that each merge joins, best first


def default_config() -> dict[str, Any]:
    """The model config of the default architecture, as open_clip writes one."""
    return {
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
    }

"""Which models c2v chooses by itself.

CLIP's table of merges, the same for every model with CLIP's vocabulary, stands in
``weights/clip_merges.safetensors``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from c2v.encoder.registry import DEFAULT_NAME, DEFAULT_SOURCE

DEFAULT_ARCHITECTURE: Final = DEFAULT_SOURCE.partition("/")[0]
DEFAULT_REPOSITORY: Final = "timm/vit_base_patch32_clip_224.openai"
MERGES_FILE: Final = Path(__file__).parent / "weights" / "clip_merges.safetensors"
MERGES_TENSOR: Final = "merges"  # [48894, 2] uint16: the ids that each merge joins, best first

BEST_FIRST: Final = ("PE-Core-B-16", DEFAULT_NAME)
"""What ``auto`` takes of the models on this machine; of none of them it fetches the default, or
takes ``mini`` where there is no network. Whoever pulled the better one (R@1 of 47.6 on MSR-VTT,
zero-shot, where the default has 31.2) wants it used. The other is what is fetched unasked: it is a
third of the download, a picture costs it a fifth (55 and 254 ms of a core in 8 bits), and a
question an eighth (30 and 246 ms; 0.2 and 1.2 GB). ``python -m tests.benchmarks --only
encoder-costs`` measures it."""

"""From a cosine to the logit a model was trained with: its temperature, and SigLIP's bias."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from c2v.encoder.bundle_config import BundleConfig
from c2v.encoder.tensors import read_tensors

EXTRA_NAME: Final = "extra.safetensors"
"""What a model learnt beside its towers: ``logit_scale`` (a logarithm) and ``logit_bias``."""


@dataclass(frozen=True, slots=True)
class Logits:
    """logit = scale * cosine + bias; ``bias`` is None where the model was trained without one."""

    scale: float
    bias: float | None


def read_logits(directory: Path, config: BundleConfig) -> Logits | None:
    """What a bundle's model learnt of its scores; None of one that does not say.

    Raises:
        ModelError: the file is damaged.
    """
    if EXTRA_NAME not in config.files:
        return None
    extra = read_tensors(directory / EXTRA_NAME)
    if "logit_scale" not in extra:
        return None
    bias = float(extra["logit_bias"].reshape(-1)[0]) if "logit_bias" in extra else None
    return Logits(math.exp(float(extra["logit_scale"].reshape(-1)[0])), bias)


def pair_probability(directory: Path, config: BundleConfig) -> Logits | None:
    """The logit of the probability that a text and a picture belong together, if there is one.

    A model trained with a sigmoid, pair by pair, gives that probability itself: sigmoid(scale *
    cosine + bias). One trained by contrast has no bias, and only ranks. Neither says anything of
    vectors that a trained head makes, or of scores with the bias of a hub in them.

    Raises:
        ModelError: the file is damaged.
    """
    trained = config.head.type != "meanP" or any(f.part == "head" for f in config.files.values())
    if trained or config.hubs is not None:
        return None
    logits = read_logits(directory, config)
    return logits if logits is not None and logits.bias is not None else None

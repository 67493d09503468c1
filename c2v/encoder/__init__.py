"""Frames and texts to vectors: encoder bundles, their towers and their temporal heads.

A bundle is a folder that holds a whole encoder. ``load_bundle`` opens one by name or by path; here
the one that ships with c2v:

>>> import numpy as np
>>> from c2v.encoder import load_bundle
>>> bundle = load_bundle("mini", device="cpu")
>>> side = bundle.config.image.side
>>> images = np.zeros((12, side, side, 3), np.uint8)  # twelve black frames, RGB
>>> features = bundle.encode_frames(images)
>>> features.shape == (12, bundle.feature_dim)
True
>>> mask = np.ones((1, 12), bool)
>>> video = bundle.embed_video(features[None], mask)  # one vector for the clip
>>> texts = bundle.embed_text(["a dog catching a frisbee", "nothing to see"])
>>> scores = texts @ video.T  # cosine in [-1, 1], [texts, videos]
>>> scores.shape
(2, 1)
>>> bool(abs(np.linalg.norm(video) - 1) < 1e-5)
True

The road of a bundle to this machine: the ``catalogue`` asks a source (``sources.hub`` for a model
of open_clip, ``sources.importing`` for a checkpoint file) for a ``ClipSource``; ``clip_bundle``
checks it and writes its parts. A fine-tuned one is written by ``trained_bundle`` beside its parent.
Both end in ``sealing``: hashed, and moved in one step to where the ``registry`` finds it by name.
``sources.exporting`` leads back to a checkpoint.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle, load_bundle
    from c2v.encoder.catalogue import choose_default
    from c2v.encoder.sources.official.reference import from_official
    from c2v.encoder.towers import TextFeatures

__all__ = ["Bundle", "TextFeatures", "choose_default", "from_official", "load_bundle"]

_HOMES = {
    "Bundle": "c2v.encoder.bundle",
    "TextFeatures": "c2v.encoder.towers",
    "choose_default": "c2v.encoder.catalogue",
    "from_official": "c2v.encoder.sources.official.reference",
    "load_bundle": "c2v.encoder.bundle",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "from_official":
        from c2v.optional import require

        require("c2v.encoder.from_official", "torch")
    return getattr(importlib.import_module(_HOMES[name]), name)

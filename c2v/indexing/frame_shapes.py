"""What an encoder wants to see, as those who decode are asked for it."""

from __future__ import annotations

from c2v.encoder.bundle_config import ImageConfig
from c2v.media.picture import ClipLayout, FrameShape


def frame_shape(image: ImageConfig) -> FrameShape:
    """The pictures that an image tower takes, alone or as many as make a clip."""
    clip = ClipLayout(*image.clip) if image.clip is not None else None
    return FrameShape(image.side, image.resize, clip)

"""Pictures made small as the papers do it: PIL's bicubic of the short side, then the centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2v.errors import MediaError
from c2v.optional import require


def resize_and_crop(picture: NDArray[np.uint8], side: int = 224) -> NDArray[np.uint8]:
    """An upright picture [H, W, 3] uint8 RGB to [side, side, 3], pixel for pixel as torchvision's
    Resize (bicubic, which smooths when it shrinks) and CenterCrop make it of a PIL picture.

    The long side is cut down to a whole number of pixels, and an odd margin is split with Python's
    rounding to even.

    Raises:
        MediaError: it is no such picture.
        MissingPartError: pillow is not installed.
    """
    require("evaluate --protocol", "PIL")
    from PIL import Image

    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise MediaError(f"a picture is uint8 [H, W, 3], not {picture.dtype} {picture.shape}")
    image = Image.fromarray(picture)
    width, height = image.size
    short = min(width, height)
    if short != side:
        scaled = (side * width // short, side * height // short)
        image = image.resize(scaled, Image.Resampling.BICUBIC)
    left = round((image.width - side) / 2)
    top = round((image.height - side) / 2)
    return np.asarray(image.crop((left, top, left + side, top + side)))

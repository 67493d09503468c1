"""From a picture to what CLIP's image tower reads.

`preprocess` is the papers' own way, value for value: PIL's bicubic (which smooths when it shrinks)
of the short side, centre crop, /255, CLIP's mean and standard deviation. `normalise` is the last
half alone, for frames that a decoder has already brought to size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from c2v.errors import MediaError
from c2v.optional import require

if TYPE_CHECKING:
    from PIL import Image

CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)


def resize_and_crop(picture: Image.Image | NDArray[np.uint8], size: int = 224) -> NDArray[np.uint8]:
    """Short side to `size` by PIL bicubic, then the centre: [size, size, 3] uint8.

    The long side is cut down to a whole number of pixels, and an odd margin is split with Python's
    rounding to even, as torchvision's Resize and CenterCrop do.
    """
    require("c2v.encoder.preprocess", "PIL")
    from PIL import Image

    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise MediaError(f"a picture is uint8 [H, W, 3], not {picture.dtype} {picture.shape}")
        picture = Image.fromarray(picture)
    picture = picture.convert("RGB")
    width, height = picture.size
    short = min(width, height)
    if short != size:
        scaled = (size * width // short, size * height // short)
        picture = picture.resize(scaled, Image.Resampling.BICUBIC)
    left = round((picture.width - size) / 2)
    top = round((picture.height - size) / 2)
    return np.asarray(picture.crop((left, top, left + size, top + size)))


def normalise(
    pixels: NDArray[np.uint8],
    *,
    mean: Sequence[float] = CLIP_MEAN,
    std: Sequence[float] = CLIP_STD,
) -> NDArray[np.float32]:
    """uint8 [..., H, W, 3] -> float32 [..., 3, H, W]: (x / 255 - mean) / std per channel."""
    scaled: NDArray[Any] = np.moveaxis(pixels, -1, -3).astype(np.float32)
    scaled /= np.float32(255)
    scaled -= np.asarray(mean, np.float32)[:, None, None]
    scaled /= np.asarray(std, np.float32)[:, None, None]
    return np.ascontiguousarray(scaled)


def preprocess(picture: Image.Image | NDArray[np.uint8], size: int = 224) -> NDArray[np.float32]:
    """One upright RGB picture of any size -> [3, size, size] as CLIP reads it."""
    return normalise(resize_and_crop(picture, size))

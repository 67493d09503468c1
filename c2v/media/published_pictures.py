"""Videos as the papers' loaders see them: their frames, made small by PIL's bicubic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.errors import MediaError
from c2v.media.numbered_frames import frame_clock, numbered_frames
from c2v.media.probe import probe
from c2v.media.published_positions import PublishedSampling
from c2v.optional import require


def sample_published(
    path: Path,
    sampling: PublishedSampling,
    sides: Iterable[int],
    *,
    on_problem: Callable[[str], None],
) -> dict[int, NDArray[np.uint8]]:
    """The frames of a video that a paper takes, as pictures [T, side, side, 3] of each size.

    A frame that cannot be read is left out and told to ``on_problem``.

    Raises:
        MediaError: not one of them can be read.
        MissingPartError: pillow is not installed.
    """
    small: dict[int, list[NDArray[np.uint8]]] = {side: [] for side in sides}
    info = probe(path)
    clock = frame_clock(info)
    numbers = sampling.positions(clock)
    for picture in numbered_frames(info, clock, numbers, on_problem=on_problem):
        for side, pictures in small.items():
            pictures.append(resize_and_crop(picture, side))
    return {side: np.stack(pictures) for side, pictures in small.items()}


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

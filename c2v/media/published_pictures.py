"""Videos as the papers' loaders see them: their frames, made small by PIL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from c2v.errors import MediaError
from c2v.media.numbered_frames import frame_clock, numbered_frames
from c2v.media.probe import probe
from c2v.media.published_positions import PublishedSampling
from c2v.optional import require


@dataclass(frozen=True, slots=True)
class PillowShape:
    """The square that an encoder was trained on: `side` pixels, made by PIL.

    `shortest` scales the short side and crops the centre, `squash` scales both sides (SigLIP,
    CLIPA, PE-Core).
    """

    side: int
    resize: Literal["shortest", "squash"] = "shortest"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"


def sample_published(
    path: Path,
    sampling: PublishedSampling,
    shapes: Iterable[PillowShape],
    *,
    on_problem: Callable[[str], None],
) -> dict[PillowShape, NDArray[np.uint8]]:
    """The frames of a video that a paper takes, as pictures [T, side, side, 3] of each shape.

    A frame that cannot be read is left out and told to ``on_problem``.

    Raises:
        MediaError: not one of them can be read.
        MissingPartError: pillow is not installed.
    """
    small: dict[PillowShape, list[NDArray[np.uint8]]] = {shape: [] for shape in shapes}
    info = probe(path)
    clock = frame_clock(info)
    numbers = sampling.positions(clock)
    for picture in numbered_frames(info, clock, numbers, on_problem=on_problem):
        for shape, pictures in small.items():
            pictures.append(made_small(picture, shape))
    return {shape: np.stack(pictures) for shape, pictures in small.items()}


def resize_and_crop(picture: NDArray[np.uint8], side: int = 224) -> NDArray[np.uint8]:
    """:func:`made_small` as CLIP, and with it the papers, do it."""
    return made_small(picture, PillowShape(side))


def made_small(picture: NDArray[np.uint8], shape: PillowShape) -> NDArray[np.uint8]:
    """An upright picture [H, W, 3] uint8 RGB to [side, side, 3], pixel for pixel as torchvision's
    Resize (which smooths when it shrinks) and CenterCrop make it of a PIL picture.

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
    side, (width, height) = shape.side, image.size
    short = min(width, height)
    scaled = (side, side)
    if shape.resize == "shortest":
        scaled = (side * width // short, side * height // short)
    if scaled != image.size:
        image = image.resize(scaled, Image.Resampling[shape.interpolation.upper()])
    left = round((image.width - side) / 2)
    top = round((image.height - side) / 2)
    return np.asarray(image.crop((left, top, left + side, top + side)))

"""Flickr8k on disk: ``images/``, ``captions.csv`` and the three lists of the official split.

Source: Hodosh, Young and Hockenmaier 2013; 6000 / 1000 / 1000 photos with five captions each.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from c2v.errors import DataError
from tests.mini.lite0 import SIDE

CAPTIONS = 5  # of each photo

Split = Literal["train", "dev", "test"]


@dataclass(frozen=True, slots=True)
class Photos:
    """One part of the split: paths of N photos, and five captions of each in the same order."""

    paths: tuple[Path, ...]
    captions: tuple[tuple[str, ...], ...]

    def texts(self) -> list[str]:
        """All captions, those of one photo side by side: [N * 5]."""
        return [caption for captions in self.captions for caption in captions]


def read_split(data: Path, split: Split) -> Photos:
    """Read one part of the split.

    Raises:
        DataError: a file is absent, or a photo does not have five captions.
    """
    names = _read(data / f"Flickr_8k.{split}Images.txt").split()
    captions: dict[str, list[str]] = {}
    for row in csv.DictReader(_read(data / "captions.csv").splitlines()):
        captions.setdefault(row["image_id"], []).append(row["Caption"])
    for name in names:
        if len(captions.get(name, [])) != CAPTIONS:
            raise DataError(
                f"{data / 'captions.csv'}: {name} has {len(captions.get(name, []))} captions, "
                f"not {CAPTIONS}"
            )
        if not (data / "images" / name).is_file():
            raise DataError(f"{data / 'images' / name} is missing")
    return Photos(
        tuple(data / "images" / name for name in names),
        tuple(tuple(captions[name]) for name in names),
    )


def read_picture(path: Path) -> NDArray[np.uint8]:
    """[224, 224, 3] RGB: short side to 224, then the centre, as frames of a video are read."""
    from PIL import Image, ImageOps

    with Image.open(path) as picture:
        fitted = ImageOps.fit(picture.convert("RGB"), (SIDE, SIDE), Image.Resampling.BICUBIC)
        return np.asarray(fitted)


def random_view(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """A part of the picture (45 to 100 % of its area, 3:4 to 4:3), mirrored every other time."""
    from PIL import Image

    area = SIDE * SIDE * random.uniform(0.45, 1.0)
    ratio = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))
    width = min(SIDE, round(np.sqrt(area * ratio)))
    height = min(SIDE, round(np.sqrt(area / ratio)))
    left = int(random.integers(0, SIDE - width + 1))
    top = int(random.integers(0, SIDE - height + 1))
    view = Image.fromarray(picture).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + width, top + height)
    )
    pixels = np.asarray(view)
    return pixels[:, ::-1] if random.random() < 0.5 else pixels


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}",
            hint="--data must be a folder with images/, captions.csv and Flickr_8k.*Images.txt",
        ) from error

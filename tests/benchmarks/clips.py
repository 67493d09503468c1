"""Videos to index in benchmarks: a textured scene that pans, with things that move and grain.

Flat test pictures decode several times faster than films do. Here each picture is a window on a
large texture with the spectrum of photographs, two patches of another texture cross it, and grain
changes from picture to picture, so that motion vectors and residuals cost what they cost in films.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

_MARGIN = 1.4  # the texture is this much larger than the picture


@dataclass(frozen=True)
class Recipe:
    """How a clip is made."""

    seconds: float = 60.0
    rate: int = 30
    width: int = 1920
    height: int = 1080
    group: int = 250  # pictures between keyframes; also what x264 does when nothing is said
    codec: str = "libx264"
    preset: str = "veryfast"
    crf: int = 23
    grain: float = 2.0


HD = Recipe()
SD = Recipe(width=854, height=480)


def make_clips(folder: Path, count: int, recipe: Recipe) -> list[Path]:
    """Write ``count`` different clips; those that are there already are taken as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{recipe.height}p-{number:03}.mp4" for number in range(count)]
    for number, path in enumerate(paths):
        if not path.exists():
            make_clip(path.with_suffix(".part"), recipe, seed=number)
            path.with_suffix(".part").rename(path)
    return paths


def make_clip(path: Path, recipe: Recipe, *, seed: int) -> None:
    """Encode one clip as MP4; another seed shows another scene."""
    scene = _Scene(recipe, np.random.default_rng(seed))
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream(recipe.codec, rate=recipe.rate)
        stream.width, stream.height, stream.pix_fmt = recipe.width, recipe.height, "yuv420p"
        stream.codec_context.gop_size = recipe.group
        stream.options = {"preset": recipe.preset, "crf": str(recipe.crf), "scenecut": "0"}
        for number in range(round(recipe.seconds * recipe.rate)):
            frame = av.VideoFrame.from_ndarray(scene.picture(number), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, recipe.rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


class _Scene:
    def __init__(self, recipe: Recipe, random: np.random.Generator) -> None:
        self._recipe = recipe
        self._random = random
        shape = [2 * int(size * _MARGIN / 2) for size in (recipe.height, recipe.width)]
        self._planes = [
            _texture(shape[0], shape[1], random, mean=120, spread=45),
            _texture(shape[0] // 2, shape[1] // 2, random, mean=128, spread=18),
            _texture(shape[0] // 2, shape[1] // 2, random, mean=128, spread=18),
        ]
        side = 2 * (recipe.height // 8)
        self._patches = [
            _texture(side, side, random, mean=mean, spread=40).astype(np.uint8)
            for mean in (60, 190)
        ]
        self._grain = (random.standard_normal(shape) * recipe.grain).astype(np.float32)
        self._speed = random.uniform(0.05, 0.12, 4)  # turns a second

    def picture(self, number: int) -> NDArray[np.uint8]:
        """YUV 4:2:0 as PyAV takes it: [height * 3 / 2, width]."""
        recipe, seconds = self._recipe, number / self._recipe.rate
        rows, columns = self._planes[0].shape
        top = self._place(rows - recipe.height, seconds * self._speed[0])
        left = self._place(columns - recipe.width, seconds * self._speed[1])
        luma = self._window(self._planes[0], top, left, recipe.height, recipe.width)
        y0 = int(self._random.integers(0, rows - recipe.height + 1))
        x0 = int(self._random.integers(0, columns - recipe.width + 1))
        luma = luma + self._grain[y0 : y0 + recipe.height, x0 : x0 + recipe.width]
        pixels = np.clip(luma, 16, 235).astype(np.uint8)
        for index, patch in enumerate(self._patches):
            side = len(patch)
            y = self._place(recipe.height - side, seconds * self._speed[2] * (index + 1) + 0.3)
            x = self._place(recipe.width - side, seconds * self._speed[3] * (2 - index) + 0.1)
            pixels[y : y + side, x : x + side] = patch
        chroma = [
            self._window(plane, top // 2, left // 2, recipe.height // 2, recipe.width // 2)
            for plane in self._planes[1:]
        ]
        packed = np.concatenate([plane.astype(np.uint8).ravel() for plane in chroma])
        return np.concatenate([pixels, packed.reshape(-1, recipe.width)])

    @staticmethod
    def _place(room: int, turns: float) -> int:
        return 2 * int(room * (0.5 + 0.5 * math.sin(2 * math.pi * turns)) / 2)

    @staticmethod
    def _window(
        plane: NDArray[np.float32], top: int, left: int, height: int, width: int
    ) -> NDArray[np.float32]:
        return plane[top : top + height, left : left + width]


def _texture(
    height: int, width: int, random: np.random.Generator, *, mean: float, spread: float
) -> NDArray[np.float32]:
    """Noise with the spectrum of photographs (1/f): float32 [height, width] within 16 to 235."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1 / max(height, width)
    spectrum = np.fft.rfft2(random.standard_normal((height, width))) / frequency
    smooth = np.fft.irfft2(spectrum, s=(height, width))
    smooth = (smooth - smooth.mean()) / smooth.std()
    return np.clip(mean + spread * smooth, 16, 235).astype(np.float32)

"""The eight ways a picture can be stored, and how to turn each one upright."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MATRIX = struct.Struct("<9i" if np.little_endian else ">9i")


@dataclass(frozen=True, slots=True)
class Orientation:
    """Turn clockwise by `degrees` (0, 90, 180, 270) after mirroring left to right if `mirrored`."""

    degrees: int = 0
    mirrored: bool = False

    @property
    def is_sideways(self) -> bool:
        """True when width and height change places."""
        return self.degrees % 180 != 0

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn [height, width, 3] upright; a view where possible."""
        if self.mirrored:
            pixels = pixels[:, ::-1]
        return np.rot90(pixels, k=-(self.degrees // 90)) if self.degrees else pixels


UPRIGHT = Orientation()


def orientation_of_matrix(data: bytes) -> Orientation:
    """Read a display matrix: nine native 32-bit numbers, as FFmpeg's libavutil/display.h has them.

    A stored point (x, y) is shown at (a x + c y, b x + d y), y downwards, with a, b, c, d the
    numbers 0, 1, 3, 4. Angles between the quarter turns go to the nearest one.
    """
    if len(data) < _MATRIX.size:
        return UPRIGHT
    a, b, _, c, d, *_ = _MATRIX.unpack(data[: _MATRIX.size])
    determinant = a * d - b * c
    if determinant == 0:
        return UPRIGHT
    mirrored = determinant < 0
    # Mirroring left to right first negates the first column.
    x, y = (-a, -b) if mirrored else (a, b)
    degrees = round(np.degrees(np.arctan2(y, x)) / 90) * 90 % 360
    return Orientation(degrees=int(degrees), mirrored=mirrored)

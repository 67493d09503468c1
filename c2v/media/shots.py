"""Where a film cuts from one shot to the next, from tiny pictures of it.

Four pictures a second are decoded to 32 x 32 pixels. A cut is where two neighbours differ much in
colour: half the summed absolute difference of their colour histograms (4 x 4 x 4 bins, in each of
2 x 2 quarters of the picture), from 0 for equal to 1 for nothing in common, is above `CUT_LEVEL`
and stands out from the differences around it, which fast movement does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.media.frames import Decoder
from c2v.media.picture import FrameShape

if TYPE_CHECKING:
    from c2v.media.probe import VideoInfo

LOOKS_A_SECOND = 4.0
SIDE = 32
CUT_LEVEL = 0.45
STANDS_OUT = 2.0
"""A cut differs at least this many times as much as the median of the eight steps around it."""

_NEIGHBOURS = 4


def find_cuts(
    info: VideoInfo, decoder: Decoder, *, on_problem: Callable[[str], None]
) -> tuple[float, ...]:
    """Times of the cuts, in seconds, ascending, right to about an eighth of a second.

    Raises MediaError when nothing of the video can be read.
    """
    count = int(info.duration_seconds * LOOKS_A_SECOND)
    times = [(i + 0.5) / LOOKS_A_SECOND for i in range(count)]
    shape = FrameShape(SIDE, "squash")
    seconds: list[float] = []
    descriptions: list[NDArray[np.float32]] = []
    for frame in decoder.frames(info, times, shape=shape, on_problem=on_problem):
        seconds.append(times[frame.index])
        descriptions.append(_histogram(frame.pixels))
    return cuts_between(seconds, descriptions)


def cuts_between(
    seconds: list[float], descriptions: Iterable[NDArray[np.float32]]
) -> tuple[float, ...]:
    """Cuts half-way between the pictures they separate; `descriptions` each sum to 1."""
    rows = list(descriptions)
    steps = np.array(
        [np.abs(one - other).sum() / 2 for one, other in zip(rows, rows[1:], strict=False)]
    )  # [count - 1], each in [0, 1]
    cuts: list[float] = []
    for i in np.flatnonzero(steps > CUT_LEVEL):
        before, after = steps[max(0, i - _NEIGHBOURS) : i], steps[i + 1 : i + 1 + _NEIGHBOURS]
        around = np.concatenate([before, after])
        if not len(around) or steps[i] >= STANDS_OUT * np.median(around):
            cuts.append((seconds[i] + seconds[i + 1]) / 2)
    return tuple(cuts)


def _histogram(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Colour histogram of each quarter of a picture [32, 32, 3]: float32 [256], sums to 1."""
    levels = pixels.astype(np.intp) >> 6  # [32, 32, 3], 0..3
    bins = levels[..., 0] * 16 + levels[..., 1] * 4 + levels[..., 2]
    half = SIDE // 2
    quarter = np.repeat([0, 1], half)
    bins += 64 * (quarter[:, None] * 2 + quarter[None, :])
    counts = np.bincount(bins.ravel(), minlength=256).astype(np.float32)
    counts /= counts.sum()
    return counts

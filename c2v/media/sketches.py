"""A video as a sequence of tiny grey pictures: enough to tell a copy from another take.

What a copy keeps, whatever its size, codec and container, is what brightens and darkens where and
when. Black bars are cut off first, so that a copy with them is sketched like one without.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.errors import only_this_file
from c2v.media.containers import open_video
from c2v.media.decode import choose_decoder
from c2v.media.picture import FrameShape
from c2v.media.probe import look

PICTURES_A_SECOND = 16.0
"""With 8 a second what moves fast is 0.06 s apart in a copy that was cut, and agrees less."""
SIDE = 16
_DECODED_SIDE = 64
_BLACK = 24.0
"""A row or column that is never brighter than this (of 255) is part of a bar."""
_MOST_BAR = 0.35
"""Of the height or width, on each side: what is darker than that is a dark film."""


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """Grey pictures [T, SIDE, SIDE], 0 to 255, at times [T] in seconds, ascending.

    The times are multiples of 1 / PICTURES_A_SECOND; pictures that cannot be read are missing.
    """

    times: NDArray[np.float32]
    pictures: NDArray[np.float16]


def sketch(path: Path, *, start: float = 0.0, end: float = float("inf")) -> Sketch:
    """Sketch the part of a file between two times in seconds.

    Raises:
        MediaError: nothing of it can be read.
    """
    with only_this_file(), open_video(path) as video:
        info = look(video)
        last = min(end, info.duration_seconds)
        first = int(np.ceil(start * PICTURES_A_SECOND - 1e-6))
        numbers = np.arange(first, max(first + 1, int(last * PICTURES_A_SECOND + 1e-6)))
        times = numbers / PICTURES_A_SECOND
        frames = choose_decoder("auto").frames(
            info,
            times.tolist(),
            shape=FrameShape(_DECODED_SIDE, "squash"),
            on_problem=_is_nothing,
            video=video,
        )
        seen, grey = [], []
        for frame in frames:
            seen.append(times[frame.index])
            grey.append(frame.pixels.mean(axis=2, dtype=np.float32))
    small = _small(np.stack(grey))
    return Sketch(np.asarray(seen, np.float32), small.astype(np.float16))


def _is_nothing(_problem: str) -> None:
    """What cannot be read is missing in the sketch; the library knows of it."""


def _small(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pictures [T, H, W] as means over cells of the part inside of the bars: [T, SIDE, SIDE]."""
    brightest = np.quantile(pictures, 0.98, axis=0)  # [H, W]
    rows, columns = (_cells(*_inside(brightest.max(axis=axis))) for axis in (1, 0))
    small = np.einsum("ih,thw,jw->tij", rows, pictures, columns, optimize=True)
    return np.asarray(small, np.float32)


def _inside(brightest: NDArray[np.floating]) -> tuple[float, float, int]:
    """Where the picture begins and ends among so many rows or columns, to a part of one."""
    count = len(brightest)
    bright = np.flatnonzero(brightest > _BLACK)
    most = int(count * _MOST_BAR)
    if not len(bright) or bright[0] > most or count - 1 - bright[-1] > most:
        return 0.0, float(count), count
    first, last = int(bright[0]), int(bright[-1])
    # A row that is partly bar is as much darker than the next one.
    start = first + (_darkness(brightest[first], brightest[first + 1]) if first else 0.0)
    end = last + 1 - (_darkness(brightest[last], brightest[last - 1]) if last < count - 1 else 0.0)
    return start, end, count


def _darkness(outer: float, inner: float) -> float:
    return min(1.0, max(0.0, 1.0 - float(outer) / float(inner)))


def _cells(start: float, end: float, count: int) -> NDArray[np.float64]:
    """Weights [SIDE, count] that take the mean over equal parts of a line from start to end."""
    edges = np.linspace(start, end, SIDE + 1)
    places = np.arange(count)
    overlap = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    weights = np.clip(overlap, 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))

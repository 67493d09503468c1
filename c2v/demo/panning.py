"""Still pictures put in motion: a slow pan and zoom over a photograph, written as a real video."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class View:
    """A window on a picture: centre and width as shares of the largest window that fits."""

    x: float = 0.5
    y: float = 0.5
    size: float = 1.0

    def towards(self, other: View, share: float) -> View:
        """The window that lies ``share`` of the way to ``other``."""
        return View(
            self.x + (other.x - self.x) * share,
            self.y + (other.y - self.y) * share,
            self.size + (other.size - self.size) * share,
        )


def read_picture(path: Path) -> NDArray[np.uint8]:
    """The pixels of a picture file, RGB [H, W, 3]."""
    import av

    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return np.ascontiguousarray(frame.to_ndarray(format="rgb24"))


def write_panned_clip(
    picture: NDArray[np.uint8],
    path: Path,
    *,
    start: View,
    end: View,
    seconds: float = 4.0,
    frame_rate: int = 12,
    width: int = 480,
    height: int = 360,
) -> None:
    """Write an H.264 video that travels over ``picture`` [H, W, 3] from one view to another."""
    import av

    count = max(2, round(seconds * frame_rate))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=frame_rate, options={"crf": "24", "threads": "1"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            view = start.towards(end, number / (count - 1))
            window = _window(picture, view, aspect=width / height)
            frame = av.VideoFrame.from_ndarray(window, format="rgb24").reformat(
                width=width, height=height, format="yuv420p", interpolation="BICUBIC"
            )
            frame.pts, frame.time_base = number, Fraction(1, frame_rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _window(picture: NDArray[np.uint8], view: View, *, aspect: float) -> NDArray[np.uint8]:
    """The part of ``picture`` seen through ``view``, of the wanted width to height."""
    rows, columns = picture.shape[:2]
    full_width = min(columns, rows * aspect)
    width, height = full_width * view.size, full_width * view.size / aspect
    left = round((columns - width) * view.x)
    top = round((rows - height) * view.y)
    return np.ascontiguousarray(picture[top : top + round(height), left : left + round(width)])

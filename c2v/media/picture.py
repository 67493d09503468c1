"""From a decoded picture to the square an encoder wants: scaled, upright, cropped, RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from c2v.media.orientation import UPRIGHT, Orientation, orientation_of_matrix

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_HD_LINES = 720
"""Untagged video of at least this height is BT.709, below it BT.601 (what players assume)."""

_UNSPECIFIED_COLORSPACE = 2

_SIDE_DATA_NUMBERS = 64
"""Kinds of side data have numbers from 0 to 31 in FFmpeg 8; a few are added every year."""


@dataclass(frozen=True, slots=True)
class ClipLayout:
    """Of an encoder that takes clips: how many pictures one has, and how many seconds it shows."""

    frames: int
    seconds: float


@dataclass(frozen=True, slots=True)
class FrameShape:
    """The square an encoder wants: `side` pixels; and how many of them at once, if it takes clips.

    `shortest` scales the short side to `side` and crops the centre, without distortion; `squash`
    scales both sides to `side`.
    """

    side: int
    resize: Literal["shortest", "squash"] = "shortest"
    clip: ClipLayout | None = None

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"a frame needs at least one pixel, got side={self.side}")


def orientation_of(frame: VideoFrame) -> Orientation:
    """How the picture must be turned to stand upright, from its display matrix.

    PyAV's side data and their picture refer to each other from then on: only the garbage collector
    frees them, and it counts objects, not the megabytes of a 4K picture. So ask once a file.
    """
    try:
        side_data: Any = frame.side_data  # PyAV's stub knows one key only
    except ValueError:
        side_data = _with_named_side_data(frame).side_data
    try:
        return orientation_of_matrix(bytes(side_data["DISPLAYMATRIX"]))
    except KeyError:
        return UPRIGHT


def _with_named_side_data(frame: VideoFrame) -> VideoFrame:
    """The same picture without the side data of which PyAV knows no name.

    FFmpeg grows kinds of it (EXIF, the views of spatial video), and of a picture with one that it
    does not know PyAV (17, 18) shows none at all. Its own `rotation` needs no names, but is the
    same for a mirrored picture and one that is not. FFmpeg's filter drops kinds by number, without
    touching the picture.
    """
    from fractions import Fraction

    from av.filter import Graph
    from av.sidedata.sidedata import Type

    kinds: Any = Type  # PyAV's stub has its values wrong
    named = {kind.value for kind in kinds}
    graph = Graph()
    chain = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 1000),
        )
    ]
    for number in range(_SIDE_DATA_NUMBERS):
        if number not in named:
            chain.append(graph.add("sidedata", f"mode=delete:type={number}"))
    chain.append(graph.add("buffersink"))
    graph.link_nodes(*chain).configure()
    graph.vpush(frame)
    return graph.vpull()


def upright_size(
    width: int, height: int, *, pixel_aspect: float, orientation: Orientation
) -> tuple[int, int]:
    """Size in square pixels as a viewer sees it, the longer of the two scalings never used.

    >>> upright_size(720, 576, pixel_aspect=64 / 45, orientation=UPRIGHT)
    (1024, 576)
    """
    if pixel_aspect > 1:
        width = max(1, round(width * pixel_aspect))
    elif pixel_aspect < 1:
        height = max(1, round(height / pixel_aspect))
    return (height, width) if orientation.is_sideways else (width, height)


def square_picture(
    frame: VideoFrame, *, shape: FrameShape, pixel_aspect: float, orientation: Orientation
) -> NDArray[np.uint8]:
    """Scale, turn and crop one picture: uint8 RGB [side, side, 3].

    swscale goes from the codec's own format straight to the small RGB picture (full-size RGB costs
    16 times more, measured). The short side becomes `side` and the long one int(side * long /
    short), cropped at round((long - side) / 2): the rounding of CLIP's own Resize and CenterCrop.
    """
    side = shape.side
    if shape.resize == "squash":
        scaled = (side, side)
    else:
        seen = upright_size(
            frame.width, frame.height, pixel_aspect=pixel_aspect, orientation=orientation
        )
        scaled = _short_side(*seen, side=side)
    width, height = scaled[::-1] if orientation.is_sideways else scaled
    pixels = _scale(frame, width=width, height=height)  # [height, width, 3], as stored
    upright = orientation.apply(pixels)
    top = round((upright.shape[0] - side) / 2)
    left = round((upright.shape[1] - side) / 2)
    return np.ascontiguousarray(upright[top : top + side, left : left + side])


def _short_side(width: int, height: int, *, side: int) -> tuple[int, int]:
    if width <= height:
        return side, max(side, int(side * height / width))
    return max(side, int(side * width / height)), side


def _scale(frame: VideoFrame, *, width: int, height: int) -> NDArray[np.uint8]:
    import av

    # Area averaging is the cheapest filter without aliasing when both sides shrink; bicubic
    # otherwise (area would become nearest neighbour).
    shrinks = width <= frame.width and height <= frame.height
    interpolation: Literal["AREA", "BICUBIC"] = "AREA" if shrinks else "BICUBIC"
    assumed = "ITU709" if frame.height >= _HD_LINES else "ITU601"

    def scaled(colorspace: str | None) -> VideoFrame:
        return frame.reformat(
            width=width,
            height=height,
            format="rgb24",
            interpolation=interpolation,
            src_colorspace=colorspace,
            threads=1,
        )

    untagged = frame.colorspace == _UNSPECIFIED_COLORSPACE
    try:
        small = scaled("ITU709" if untagged and assumed == "ITU709" else None)
    except av.FFmpegError:
        # swscale refuses some matrices (YCgCo, ICtCp, BT.2020 with constant luminance, numbers
        # that are reserved): as the wrong tag that this nearly always is, as players do.
        small = scaled(assumed)
    return small.to_ndarray().astype(np.uint8, copy=False)

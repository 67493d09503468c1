"""One small picture of a video, for people to look at."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.errors import only_this_file
from c2v.media.containers import open_video
from c2v.media.decode import choose_decoder
from c2v.media.picture import FrameShape
from c2v.media.probe import look


def thumbnail(path: Path, seconds: float | None, side: int) -> NDArray[np.uint8]:
    """The picture near a time of a video, its middle square: uint8 RGB [side, side, 3].

    Args:
        path: the file.
        seconds: the time; a keyframe within five seconds is taken for it. None is the middle.
        side: of the picture, in pixels.

    Raises:
        MediaError: there is no such picture, or none that can be read.
    """
    with only_this_file(), open_video(path) as video:
        info = look(video)
        time = info.duration_seconds / 2 if seconds is None else seconds
        decoder = choose_decoder("auto", exactness="fast")
        frames = decoder.frames(
            info, [time], shape=FrameShape(side), on_problem=_is_raised, video=video
        )
        return next(frames).pixels


def _is_raised(_problem: str) -> None:
    """Of one picture nothing can be left out: that it cannot be read is the error."""


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A picture [H, W, 3] RGB as a PNG file."""
    from fractions import Fraction

    import av

    height, width = pixels.shape[:2]
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "rgb24"
    encoder.time_base = Fraction(1, 1)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """A picture [H, W, 3] RGB as a JPEG file."""
    import av

    height, width = pixels.shape[:2]
    out = BytesIO()
    with av.open(out, "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()

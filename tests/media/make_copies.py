"""Copies of a video as they lie about: encoded again, made smaller, cut, wrapped anew, joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
_TICKS = 90_000


@dataclass(frozen=True, slots=True)
class Change:
    """How a copy differs from its original."""

    start: float = 0.0
    end: float = float("inf")
    scale: float = 1.0
    codec: str = "libx264"
    crf: int = 26
    rate: int | None = None
    """Pictures a second at most; None for all."""
    picture: Callable[[Picture], Picture] | None = None
    """What is done with every picture [H, W, 3]."""


def rewrap(source: Path, target: Path) -> Path:
    """The same packets in the container that the name of ``target`` asks for."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        for packet in old.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                new.mux(packet)
    return target


def encode_again(source: Path, target: Path, change: Change | None = None) -> Path:
    """A copy with a change; in the container that the name of ``target`` asks for."""
    return join([(source, change or Change())], target, change or Change())


def join(parts: Sequence[tuple[Path, Change]], target: Path, change: Change | None = None) -> Path:
    """Parts of videos one after the other, in the size of the first."""
    how = change or Change()
    with av.open(str(target), "w") as out:
        stream, size, began = None, (0, 0), 0.0
        for source, part in parts:
            last = 0.0
            for seconds, picture in _pictures(source, part):
                if stream is None:
                    size = picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2
                    stream = out.add_stream(how.codec, rate=30)
                    stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
                    if how.codec == "libx264":
                        stream.codec_context.time_base = Fraction(1, _TICKS)
                        stream.options = {"crf": str(how.crf), "preset": "veryfast"}
                    else:
                        stream.bit_rate = 600_000
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = frame.reformat(*size, format="yuv420p")
                ticks = 30 if how.codec != "libx264" else _TICKS
                frame.pts, frame.time_base = round((began + seconds) * ticks), Fraction(1, ticks)
                out.mux(stream.encode(frame))
                last = seconds + 1 / 30
            began += last
        assert stream is not None, f"nothing of {[path for path, _ in parts]} is in the copy"
        out.mux(stream.encode(None))
    return target


def _pictures(source: Path, change: Change) -> Iterator[tuple[float, Picture]]:
    """Seconds from the start of the part, and the changed picture."""
    gap = 1 / (change.rate or 30) - 1e-3 if change.rate or change.codec != "libx264" else 0.0
    due = 0.0
    with av.open(str(source)) as old:
        first = None
        for frame in old.decode(video=0):
            first = frame.time if first is None else first
            seconds = frame.time - first - change.start
            if seconds >= change.end - change.start:
                return
            if seconds < max(0.0, due):
                continue
            due = seconds + gap
            width, height = (
                max(2, round(x * change.scale / 2) * 2) for x in (frame.width, frame.height)
            )
            picture = frame.to_ndarray(width=width, height=height, format="rgb24")
            yield seconds, picture if change.picture is None else change.picture(picture)


def pictures_to_video(
    pictures: Sequence[Picture], target: Path, *, rate: int = 25, crf: int = 26
) -> Path:
    """Pictures [H, W, 3] of one size as a video."""
    with av.open(str(target), "w") as out:
        stream = out.add_stream(
            "libx264", rate=rate, options={"crf": str(crf), "preset": "veryfast"}
        )
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target

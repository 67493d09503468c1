"""PyAV behind the decoder protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2v.errors import MediaError
from c2v.media.containers import MOST_MEGAPIXELS, OpenVideo, check_size, open_video
from c2v.media.frames import Frame
from c2v.media.lost_times import LostTimes
from c2v.media.orientation import Orientation
from c2v.media.picture import FrameShape, orientation_of, square_picture
from c2v.media.picture_reader import Picture, PictureReader, Why
from c2v.media.probe import VideoInfo
from c2v.media.sampling import Exactness

FAST_REACH_SECONDS = 5.0
"""How far `fast` goes for a keyframe. Encoders set one every 250 pictures unless told otherwise,
so with 25 pictures a second the nearest is never further than this."""


@dataclass(frozen=True, slots=True)
class PyAVDecoder:
    """Exact pictures from any file FFmpeg reads, with one codec thread a file.

    The pipeline runs as many files as there are cores, which is faster than many threads on one.
    """

    exactness: Exactness = "exact"
    reach_seconds: float = FAST_REACH_SECONDS
    max_megapixels: float = MOST_MEGAPIXELS

    @property
    def name(self) -> str:
        return "pyav"

    def frames(
        self,
        info: VideoInfo,
        times: Sequence[float],
        *,
        shape: FrameShape,
        on_problem: Callable[[str], None],
        video: OpenVideo | None = None,
    ) -> Iterator[Frame]:
        """See `Decoder.frames`."""
        if any(later < earlier for earlier, later in zip(times, times[1:], strict=False)):
            raise ValueError("times must be ascending")
        lost = LostTimes()
        read = 0
        squares = _Squares(info, shape)
        # A file that began with errors is read afresh, so that they are met, and told, again.
        usable = video if info.begins_readable else None
        opening = (
            nullcontext(usable)
            if usable
            else open_video(info.path, max_megapixels=self.max_megapixels)
        )
        with opening as source:
            reader = PictureReader(source, info, times=times)
            for index, tick in enumerate(reader.ticks):
                picture = self._picture(reader, tick)
                if not isinstance(picture, Picture):
                    lost.add(times[index], picture)
                    continue
                frame = picture.frame
                check_size(frame.width, frame.height, max_megapixels=self.max_megapixels)
                read += 1
                yield Frame(index, reader.seconds(picture.tick), squares.of(picture))
        if times and not read:
            raise MediaError("not one picture of it can be read: the file is damaged or cut off")
        for sentence in lost.sentences(total=len(times)):
            on_problem(sentence)

    def _picture(self, reader: PictureReader, tick: int) -> Picture | Why:
        if self.exactness == "fast":
            picture = reader.keyframe_near(tick, reach_seconds=self.reach_seconds)
            if picture is not None:
                return picture
        return reader.picture_at(tick)


class _Squares:
    """Pictures of one file as squares; one that is asked for twice in a row is made once."""

    def __init__(self, info: VideoInfo, shape: FrameShape) -> None:
        self._shape = shape
        self._pixel_aspect = info.pixel_aspect
        known = info.begins_readable
        self._orientation = Orientation(info.rotation, info.mirrored) if known else None
        self._last: tuple[int, NDArray[np.uint8]] | None = None

    def of(self, picture: Picture) -> NDArray[np.uint8]:
        if self._last is not None and self._last[0] == picture.tick:
            return self._last[1]
        if self._orientation is None:
            self._orientation = orientation_of(picture.frame)
        pixels = square_picture(
            picture.frame,
            shape=self._shape,
            pixel_aspect=self._pixel_aspect,
            orientation=self._orientation,
        )
        self._last = (picture.tick, pixels)
        return pixels

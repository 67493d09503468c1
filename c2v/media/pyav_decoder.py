"""PyAV behind the decoder protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from c2v.errors import MediaError
from c2v.media.decode import Frame, FrameShape, Sampling
from c2v.media.lost_times import LostTimes
from c2v.media.opening import open_video
from c2v.media.orientation import Orientation
from c2v.media.picture import orientation_of, square_picture
from c2v.media.picture_reader import Picture, PictureReader, Why
from c2v.media.probe import VideoInfo

FAST_REACH_SECONDS = 5.0
"""How far `fast` goes for a keyframe. Encoders set one every 250 pictures unless told otherwise,
so with 25 pictures a second the nearest is never further than this."""


@dataclass(frozen=True, slots=True)
class PyAVDecoder:
    """Exact pictures from any file FFmpeg reads; one codec thread a file unless told otherwise.

    The pipeline runs as many files as there are cores, which is faster than many threads on one.
    """

    sampling: Sampling = "exact"
    threads: int = 1
    reach_seconds: float = FAST_REACH_SECONDS

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
    ) -> Iterator[Frame]:
        """See `Decoder.frames`."""
        if any(later < earlier for earlier, later in zip(times, times[1:], strict=False)):
            raise ValueError("times must be ascending")
        lost = LostTimes()
        read = 0
        orientation = Orientation(info.rotation, info.mirrored) if info.begins_readable else None
        with open_video(info.path, threads=self.threads) as video:
            reader = PictureReader(video, info, times=times)
            last: tuple[Picture, Frame] | None = None
            for index, tick in enumerate(reader.ticks):
                picture = self._picture(reader, tick)
                if not isinstance(picture, Picture):
                    lost.add(times[index], picture)
                    continue
                if last is not None and last[0].tick == picture.tick:
                    pixels = last[1].pixels
                else:
                    if orientation is None:
                        orientation = orientation_of(picture.frame)
                    pixels = square_picture(
                        picture.frame,
                        shape=shape,
                        pixel_aspect=info.pixel_aspect,
                        orientation=orientation,
                    )
                frame = Frame(index, reader.seconds(picture.tick), pixels)
                last = (picture, frame)
                read += 1
                yield frame
        if times and not read:
            raise MediaError("not one picture of it can be read: the file is damaged or cut off")
        for sentence in lost.sentences(total=len(times)):
            on_problem(sentence)

    def _picture(self, reader: PictureReader, tick: int) -> Picture | Why:
        if self.sampling == "fast":
            picture = reader.keyframe_near(tick, reach_seconds=self.reach_seconds)
            if picture is not None:
                return picture
        return reader.picture_at(tick)

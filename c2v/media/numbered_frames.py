"""The frames of a video by number, at their full size: what a protocol of a paper asks for.

A number counts pictures in the order in which they are shown, as OpenCV does when it is told to go
to a frame. Only the wanted ones are decoded, as far as the file allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from c2v.errors import MediaError
from c2v.media.containers import OpenVideo, open_video
from c2v.media.lost_times import LostTimes
from c2v.media.orientation import Orientation
from c2v.media.picture import orientation_of
from c2v.media.picture_reader import Picture, PictureReader
from c2v.media.probe import VideoInfo
from c2v.media.published_positions import FrameClock

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


def frame_clock(info: VideoInfo) -> FrameClock:
    """When every frame is shown, from the packets; nothing is decoded.

    Raises:
        MediaError: the file cannot be opened, or has no pictures.
    """
    with open_video(info.path) as video:
        packets = list(_packets(video))
        time_base = float(video.stream.time_base or 1)
        is_avi = video.container.format.name == "avi"
        delay = video.stream.codec_context.reorder_depth
    if not packets:
        raise MediaError("has no pictures in it: the file is damaged or cut off")
    # An AVI file says when pictures are decoded: the same times, in another order.
    by_decoding = is_avi and delay > 0
    shown = sorted((packet.decoded if by_decoding else packet.shown, packet) for packet in packets)
    usual = 1 / (info.frame_rate or 25.0)
    shift = 0.0
    if is_avi:
        # ffmpeg goes by the time at which the decoder hands a picture out: so many packets later.
        decoded = sorted(packet.decoded for packet in packets)
        shift = (decoded[min(delay, len(decoded) - 1)] - shown[0][0]) * time_base
    return FrameClock(
        seconds=tuple(stamp * time_base - info.start_seconds for stamp, _ in shown),
        durations=tuple(packet.duration * time_base or usual for _, packet in shown),
        frame_rate=info.frame_rate,
        ffmpeg_shift=shift,
    )


class _Packet(NamedTuple):
    """When its picture is shown and decoded, and how long it stays, in ticks."""

    shown: int
    decoded: int
    duration: int


def _packets(video: OpenVideo) -> Iterator[_Packet]:
    """Every packet with a picture, in the order of the file."""
    import av

    stream = video.stream
    rate, time_base = float(stream.average_rate or 25), float(stream.time_base or 1)
    try:
        for number, packet in enumerate(video.container.demux(stream)):
            if not packet.size or packet.is_discard:
                continue
            known = packet.pts if packet.dts is None else packet.dts
            # A raw stream has no clock.
            decoded = round(number / rate / time_base) if known is None else known
            shown = decoded if packet.pts is None else packet.pts
            yield _Packet(shown, decoded, packet.duration or 0)
    except (av.FFmpegError, ValueError):
        return  # a damaged end: what stands before it is what can be read


def numbered_frames(
    info: VideoInfo, clock: FrameClock, numbers: Sequence[int], *, on_problem: Callable[[str], None]
) -> Iterator[NDArray[np.uint8]]:
    """The frames of these numbers (ascending), upright: uint8 RGB [height, width, 3] each.

    One that cannot be read is left out and told to ``on_problem``.

    Raises:
        MediaError: the file cannot be opened, or not one of them can be read.
    """
    times = [clock.seconds[number] for number in numbers]
    lost, read = LostTimes(), 0
    orientation: Orientation | None = None
    last: tuple[int, NDArray[np.uint8]] | None = None
    with open_video(info.path) as video:
        reader = PictureReader(video, info, times=times)
        for seconds, tick in zip(times, reader.ticks, strict=True):
            picture = reader.picture_at(tick)
            if not isinstance(picture, Picture):
                lost.add(seconds, picture)
                continue
            if orientation is None:
                orientation = orientation_of(picture.frame)
            if last is None or last[0] != picture.tick:
                last = picture.tick, orientation.apply(_rgb(picture.frame))
            read += 1
            yield last[1]
    if numbers and not read:
        raise MediaError("not one picture of it can be read: the file is damaged or cut off")
    for sentence in lost.sentences(total=len(times)):
        on_problem(sentence)


def _rgb(frame: VideoFrame) -> NDArray[np.uint8]:
    """Stored pixels in RGB by BT.601, whatever the file says: as JPEG files are, and as OpenCV
    converted (compared with 4.5: the same to the bit)."""
    converted = frame.reformat(
        format="rgb24",
        src_colorspace="ITU601",
        dst_colorspace="ITU601",
        interpolation="BICUBIC",
        threads=1,
    )
    return converted.to_ndarray().astype(np.uint8, copy=False)

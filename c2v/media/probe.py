"""What a video is: length, upright size, rate, codec, and whether its seeking can be trusted."""

from __future__ import annotations

import gc
import math
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from c2v.errors import MediaError
from c2v.media.orientation import UPRIGHT, Orientation
from c2v.media.recorded import recording_time

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from c2v.media.containers import OpenVideo

_SEEKABLE_FORMATS = frozenset({"mov", "mp4", "matroska", "webm"})
"""Containers with an index of presentation times. The rest guess (MPEG-TS and PS by bytes, AVI by
decoding order), so their packets are read from the start; whole groups are still skipped."""

_LONGEST_CREDIBLE_SECONDS = 48 * 3600.0
_FEWEST_CREDIBLE_BYTES_A_SECOND = 40.0
_PACKETS_TO_FIRST_PICTURE = 300
_DURATION_TAG = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """One video file. Times count from the start of playback, whatever the file's own clock says.

    `width` and `height` are what a viewer sees: upright, square pixels. `rotation` is the
    clockwise turn, in degrees, from the stored picture to the upright one. `frame_rate` is 0.0
    when unknown. `start_seconds` is what the file's clock shows at the start of playback.
    """

    path: Path
    duration_seconds: float
    width: int
    height: int
    rotation: int
    frame_rate: float
    codec: str
    container: str
    stream_index: int = 0
    start_seconds: float = 0.0
    pixel_aspect: float = 1.0
    seekable: bool = False
    has_edit_list: bool = False
    mirrored: bool = False
    pixel_format: str = ""
    begins_readable: bool = True
    """False: no picture of the beginning could be decoded, and `rotation` is a guess."""
    recorded_at: float | None = None
    """When it was recorded, in seconds since 1970-01-01 UTC, if the file says so credibly."""


def probe(path: Path) -> VideoInfo:
    """Look at a video: opens it and decodes its first picture.

    Raises MediaError with the reason for the user when it is empty, text, a folder, a still
    picture, only sound, a recording that was never finished, or cannot be opened or decoded.
    """
    from c2v.media.containers import open_video

    with open_video(path) as video:
        return look(video)


def look(video: OpenVideo) -> VideoInfo:
    """What :func:`probe` finds, of a file that is open; whoever decodes it reads on from there.

    Raises MediaError like :func:`probe`.
    """
    info = _look(video)
    # The first picture is held by its own side data (see orientation_of). It is young: this is
    # quick, and a thousand 4K files do not leave a thousand pictures in memory.
    gc.collect(1)
    return info


def _look(video: OpenVideo) -> VideoInfo:
    from c2v.media.containers import check_size

    path, stream = video.path, video.stream
    _refuse_lone_cover(video, path)
    picture, discarded = _first_picture(video)
    if picture is not None:  # its size may be another than the file's header said
        check_size(picture.width, picture.height, max_megapixels=video.max_megapixels)
    orientation = _orientation(picture)
    pixel_aspect = float(stream.sample_aspect_ratio or 1) or 1.0
    width, height = _upright_size(video, picture, orientation, pixel_aspect)
    start_seconds = _start_seconds(video)
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    container = video.container.format.name.split(",")[0]
    return VideoInfo(
        path=path,
        duration_seconds=_duration_seconds(video, start_seconds, rate),
        width=width,
        height=height,
        rotation=orientation.degrees,
        frame_rate=rate if 0 < rate <= 1000 else 0.0,
        codec=stream.codec_context.name,
        container=container,
        stream_index=stream.index,
        start_seconds=start_seconds,
        pixel_aspect=pixel_aspect,
        seekable=container in _SEEKABLE_FORMATS,
        has_edit_list=discarded,
        mirrored=orientation.mirrored,
        pixel_format=stream.codec_context.pix_fmt or "",
        begins_readable=picture is not None,
        recorded_at=recording_time(video.container.metadata, stream.metadata),
    )


def _first_picture(video: OpenVideo) -> tuple[VideoFrame | None, bool]:
    """The first picture that decodes, and whether packets before the start are to be dropped.

    None when there is none among the first packets: a later part may still be readable. The
    packets are kept in ``video.read``.
    """
    import av

    discarded = False
    try:
        for packet in video.container.demux(video.stream):
            video.read.append(packet)
            discarded = discarded or packet.is_discard
            try:
                pictures = packet.decode()
            except (av.FFmpegError, ValueError):
                continue  # damaged; the decoder reports it with its time when it is asked for
            if pictures:
                video.stream.codec_context.flush_buffers()
                return pictures[0], discarded
            if len(video.read) >= _PACKETS_TO_FIRST_PICTURE:
                break
    except av.FFmpegError:
        # The data ends or breaks here. Whether anything else is readable is for the decoder.
        pass
    if len(video.read) <= 1:
        # One packet is the end marker alone.
        raise MediaError("has no pictures in it: the file is damaged or cut off")
    return None, discarded


def _refuse_lone_cover(video: OpenVideo, path: Path) -> None:
    """A sound file's cover that is stored as a film of one picture."""
    from c2v.media.containers import PICTURE_CODECS, open_video

    is_picture_codec = video.stream.codec_context.name in PICTURE_CODECS
    if not (is_picture_codec and video.container.streams.audio):
        return
    with open_video(path, max_megapixels=video.max_megapixels) as again:
        packets = (packet for packet in again.container.demux(again.stream) if packet.size)
        if len(list(islice(packets, 2))) < 2:
            raise MediaError("has only sound and a cover picture, no video")


def _orientation(picture: VideoFrame | None) -> Orientation:
    from c2v.media.picture import orientation_of

    return UPRIGHT if picture is None else orientation_of(picture)


def _upright_size(
    video: OpenVideo,
    picture: VideoFrame | None,
    orientation: Orientation,
    pixel_aspect: float,
) -> tuple[int, int]:
    from c2v.media.picture import upright_size

    context = video.stream.codec_context
    width, height = (picture.width, picture.height) if picture else (context.width, context.height)
    if width <= 0 or height <= 0:
        raise MediaError("no picture in it can be decoded")
    return upright_size(width, height, pixel_aspect=pixel_aspect, orientation=orientation)


def _start_seconds(video: OpenVideo) -> float:
    """The file's clock when playback starts: the earliest stream, as players count."""
    import av

    start: int | None = video.container.start_time  # PyAV's stub forgets None
    if start is not None:
        return float(start / av.time_base)
    if video.stream.start_time is not None and video.stream.time_base:
        return float(video.stream.start_time * video.stream.time_base)
    return 0.0


def _duration_seconds(video: OpenVideo, start_seconds: float, rate: float) -> float:
    """Until when there are pictures, in seconds of playback.

    The stream's own length is believed first (sound may go on longer), then Matroska's tag, then
    the container's. A missing or absurd length is counted from the packets.
    """
    import av

    stream, container = video.stream, video.container
    time_base = float(stream.time_base or 0)
    claims: list[float] = []
    if stream.duration and time_base:
        begins = start_seconds if stream.start_time is None else stream.start_time * time_base
        claims.append(begins - start_seconds + stream.duration * time_base)
    tag = _DURATION_TAG.match(stream.metadata.get("DURATION", ""))
    if tag:
        claims.append(int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3]) - start_seconds)
    if container.duration:
        claims.append(container.duration / av.time_base)
    for claim in claims:
        if _is_credible(claim, size_bytes=container.size):
            return claim
    counted = _counted_seconds(video, start_seconds, rate)
    return counted if counted > 0 else 1.0 / (rate or 25.0)


def _is_credible(seconds: float, *, size_bytes: int) -> bool:
    if not math.isfinite(seconds) or seconds <= 0:
        return False
    # A still screen can be tiny, but not for days, and hours of it are not a few bytes a second.
    sparse = size_bytes < seconds * _FEWEST_CREDIBLE_BYTES_A_SECOND
    return seconds <= _LONGEST_CREDIBLE_SECONDS and not (sparse and seconds > 600)


def _counted_seconds(opened: OpenVideo, start_seconds: float, rate: float) -> float:
    """Read every packet (no decoding) for the end of the last one."""
    import av

    from c2v.media.containers import open_video

    last, packets = 0.0, 0
    # Opened afresh: a file without a length can rarely be wound back.
    with open_video(opened.path, max_megapixels=opened.max_megapixels) as video:
        time_base = float(video.stream.time_base or 0)
        try:
            for packet in video.container.demux(video.stream):
                packets += packet.size > 0
                stamp = packet.pts if packet.pts is not None else packet.dts
                if stamp is not None:
                    ends = (stamp + (packet.duration or 0)) * time_base - start_seconds
                    last = max(last, ends)
        except av.FFmpegError:
            pass  # a damaged end: what was counted so far is what can be read
    return last if last > 0 else packets / (rate or 25.0)

"""Open a file with PyAV, choose its video stream, and say in plain words why that failed."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from c2v.errors import MediaError
from c2v.media.pyav_versions import open_options

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_NOT_VIDEO_FORMATS = {
    # FFmpeg "plays" these, and none is a video; playlists would also open other files.
    "tty": "is a text file, not a video",
    "hls": "is a playlist, not a video",
    "concat": "is a playlist, not a video",
    "dash": "is a playlist, not a video",
    "sdp": "is a stream description, not a video",
    "rtsp": "is a stream description, not a video",
}
_STILL_BRANDS = frozenset({"avif", "heic", "heix", "heim", "heis", "mif1"})
PICTURE_CODECS = frozenset({"mjpeg", "png", "bmp", "webp", "tiff"})
MOST_MEGAPIXELS = 200.0
"""A picture may be this large: four times the largest of any video camera (12K, 80 megapixels).
A file of a megabyte can hold pictures of gigabytes."""
_LARGE_PIXELS = 40_000_000
"""Of pictures above this (8K has 33 million), one file at a time: a decoder holds several."""
_large_pictures = threading.RLock()

_ROOM_FOR_BLOCKS, _SPARE_PIXELS = 1.1, 50_000
"""A codec counts whole blocks, of up to 64 x 64, where a picture ends inside one."""

_BOX_HEADER_BYTES = 16
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class OpenVideo:
    """An open container and the video stream that is read; all other streams are discarded.

    `read` are the packets read so far, for whoever reads on: nothing has to be opened twice.
    """

    path: Path
    container: InputContainer
    stream: VideoStream
    read: list[Packet[VideoStream]] = field(default_factory=list)
    max_megapixels: float = MOST_MEGAPIXELS


@contextmanager
def open_video(path: Path, *, max_megapixels: float = MOST_MEGAPIXELS) -> Iterator[OpenVideo]:
    """Open `path` for reading pictures with one codec thread; always closed at the end.

    No picture of more than `max_megapixels` is decoded, neither here nor later from this stream.
    Who opens a file of very large pictures waits until no other thread has one open.

    Raises MediaError with a reason a user understands.
    """
    import av

    _check_file(path)
    # FFmpeg decodes the first pictures itself when it opens a file: it must know the limit.
    limit = {"max_pixels": str(int(max_megapixels * 1e6 * _ROOM_FOR_BLOCKS) + _SPARE_PIXELS)}
    with _container(path, limit) as container:
        stream = _video_stream(container)
        width, height = _size(path, stream)
        check_size(width, height, max_megapixels=max_megapixels)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = av.stream.Discard.all
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        stream.codec_context.options = limit
        with _large_pictures if width * height > _LARGE_PIXELS else nullcontext():
            yield OpenVideo(path, container, stream, max_megapixels=max_megapixels)


def check_size(width: int, height: int, *, max_megapixels: float) -> None:
    """Raises MediaError when a picture of this size is over the limit."""
    megapixels = width * height / 1e6
    if megapixels > max_megapixels:
        raise MediaError(
            f"its pictures are too large: {width} x {height} are {megapixels:.4g} megapixels, "
            f"the limit is {max_megapixels:g} (index --max-megapixels)"
        )


def _container(path: Path, options: dict[str, str]) -> InputContainer:
    import av

    try:
        # Only the file itself may be read: a crafted playlist must not reach the network.
        container: InputContainer = av.open(
            str(path),
            mode="r",
            options={"protocol_whitelist": "file", **options},
            **open_options(),
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(_why_not_opened(path, error)) from error
    return container


def _size(path: Path, stream: VideoStream) -> tuple[int, int]:
    """Width and height of the stored pictures; 0 where nobody knows yet."""
    context = stream.codec_context
    if context.width and context.height:
        return context.width, context.height
    # Refused as too large, perhaps. Without the limit FFmpeg tells the size; it decodes nothing
    # for that where the codec can do without, and at most one picture where it cannot.
    with _large_pictures, _container(path, {"skip_frame": "all"}) as container:
        context = container.streams[stream.index].codec_context
        return context.width or 0, context.height or 0


def plain_reason(error: BaseException) -> str:
    """FFmpeg's own short text of an error, without numbers, paths and prefixes."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.strip().rstrip(".")


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise MediaError("is a folder, not a video")
        if not stat.S_ISREG(status.st_mode):
            # Opening a pipe would wait forever.
            raise MediaError("is not a regular file")
        if status.st_size == 0:
            raise MediaError("the file is empty")
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise MediaError("there is no such file") from error
    except PermissionError as error:
        raise MediaError("permission denied", hint="check the rights of the file") from error
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror or error}") from error


def _video_stream(container: InputContainer) -> VideoStream:
    """The first stream of moving pictures; covers, thumbnails and stills do not count."""
    import av.stream

    family = container.format.name
    if family in _NOT_VIDEO_FORMATS:
        raise MediaError(_NOT_VIDEO_FORMATS[family])
    if family == "image2" or family.endswith("_pipe"):
        kind = family.removesuffix("_pipe") if family.endswith("_pipe") else "image"
        raise MediaError(f"is a still picture ({kind}), not a video")
    if container.metadata.get("major_brand", "") in _STILL_BRANDS:
        raise MediaError(f"is a still picture ({container.metadata['major_brand']}), not a video")
    side_pictures = (
        av.stream.Disposition.attached_pic
        | av.stream.Disposition.timed_thumbnails
        | av.stream.Disposition.still_image
    )
    streams = list(container.streams.video)
    moving = [stream for stream in streams if not stream.disposition & side_pictures]
    readable = [stream for stream in moving if stream.codec_context is not None]
    if readable:
        # A cover that nobody marked as one is a picture codec beside a film's.
        films = [stream for stream in readable if stream.codec_context.name not in PICTURE_CODECS]
        return (films or readable)[0]
    if moving:
        raise MediaError("its video codec is not one that FFmpeg can decode here")
    if streams and container.streams.audio:
        raise MediaError("has only sound and a cover picture, no video")
    if container.streams.audio:
        raise MediaError("has only sound, no video")
    raise MediaError("has no video in it")


def _why_not_opened(path: Path, error: BaseException) -> str:
    """A sentence for a file that FFmpeg refuses, from a look at its first bytes."""
    if isinstance(error, PermissionError):
        return "permission denied"
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[4:8] in (b"ftyp", b"mdat", b"moov", b"wide", b"free", b"skip") and not _has_moov(path):
        return "the recording was never finished: its index (moov) is missing"
    if not head.strip(b"\0"):
        return "is full of zeros, not a video"
    if _is_text(head):
        return "is a text file, not a video"
    return f"is not a video FFmpeg can read ({plain_reason(error)})"


def _has_moov(path: Path) -> bool:
    """Walk the top-level boxes of an MP4 or QuickTime file."""
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        offset = 0
        while offset < size_bytes:
            file.seek(offset)
            header = file.read(_BOX_HEADER_BYTES)
            box_bytes = int.from_bytes(header[:4], "big")
            if header[4:8] == b"moov":
                return True
            if box_bytes == 1:
                box_bytes = int.from_bytes(header[8:16], "big")
            if box_bytes < 8:  # 0 means "to the end of the file"; anything else is damage
                return False
            offset += box_bytes
    return False


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    # The last character may be cut in the middle.
    text = head.decode("utf-8", errors="ignore")
    lost = len(head) - len(text.encode("utf-8"))
    readable = sum(character.isprintable() or character.isspace() for character in text)
    return lost < 4 and readable >= 0.98 * len(text)

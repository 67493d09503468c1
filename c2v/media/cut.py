"""A part of a video as a file of its own: copied as it is, or encoded again to the very picture.

A copy loses nothing and takes no time, but can only begin at a picture that needs no other: it
begins at the last such picture before the moment. Sound and subtitles come along. The kind of file
stays where it can be written; else it is Matroska, which holds everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2v.errors import C2VError, MediaError, only_this_file
from c2v.files.drafts import file_draft
from c2v.media.containers import OpenVideo, open_video
from c2v.media.probe import VideoInfo, look
from c2v.media.seeking import INTERLEAVED_SECONDS, Stream, seconds_of, seek_before

if TYPE_CHECKING:
    from av.container import OutputContainer

_CARRIED = ("video", "audio", "subtitle")
_MATROSKA = ".mkv"
_WRITABLE = frozenset(
    (
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".ts",
        ".mts",
        ".m2ts",
        ".mpg",
        ".flv",
        ".3gp",
    )
)
_LONGEST_NAME_BYTES = 200


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is cut out of a file: seconds from the start of playback."""

    path: Path
    start: float
    end: float


def cut(part: Excerpt, folder: Path, number: int, *, exact: bool = False) -> Path:
    """Write a part of a video to a new file in ``folder`` (which is made), and return its path.

    The name is ``NN NAME 00m12s-00m20s.EXT``; where there is such a file, a number is added.

    Args:
        part: the file and the times.
        folder: where to.
        number: NN.
        exact: encode again (H.264 and AAC), so that it begins and ends at the times exactly.

    Raises:
        MediaError: the file cannot be read, or the part of it not be written as a video.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    suffixes = _suffixes(part.path, exact=exact)
    reason = ""
    for suffix in suffixes:
        for kinds in (_CARRIED, _CARRIED[:2]):  # not every container has room for every subtitle
            try:
                return _written(part, folder, number, suffix, kinds, exact=exact)
            except _NotThisKindError as error:
                reason = reason or error.message
    raise MediaError(f"no file of a part of it can be written ({reason})")


def file_name(part: Excerpt, number: int, suffix: str) -> str:
    """What a part of a file is called.

    >>> file_name(Excerpt(Path("/v/a dog.mp4"), 12.3, 3720.0), 3, ".mp4")
    '03 a dog 00m12s-1h02m00s.mp4'
    """
    stem = part.path.stem
    while len(stem.encode("utf-8", "surrogateescape")) > _LONGEST_NAME_BYTES:
        stem = stem[:-1]
    return f"{number:02d} {stem} {_clock(part.start)}-{_clock(part.end)}{suffix}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + f"{minutes:02d}m{rest:02d}s"


class _NotThisKindError(C2VError):
    """A container that does not take these streams. Never leaves this module."""


def _suffixes(path: Path, *, exact: bool) -> tuple[str, ...]:
    own = path.suffix.lower()
    if exact and own not in (".mp4", ".m4v", ".mov"):
        return (_MATROSKA,)
    return (own, _MATROSKA) if own in _WRITABLE and own != _MATROSKA else (_MATROSKA,)


def _written(
    part: Excerpt, folder: Path, number: int, suffix: str, kinds: tuple[str, ...], *, exact: bool
) -> Path:
    target = _unused(folder / file_name(part, number, suffix))
    with file_draft(target) as draft, only_this_file(), open_video(part.path) as video:
        info = look(video)
        span = _clipped(part, info)
        streams = _streams(video, kinds)
        if exact:
            from c2v.media.exact_cut import encode_part

            with _writing(draft) as out:
                encode_part(video, info, out, streams, span)
        else:
            with _writing(draft) as out:
                _copy_part(video, info, out, streams, span)
    return target


def _unused(path: Path) -> Path:
    target, count = path, 1
    while target.exists():
        count += 1
        target = path.with_name(f"{path.stem} ({count}){path.suffix}")
    return target


def _clipped(part: Excerpt, info: VideoInfo) -> tuple[float, float]:
    """The times inside the file, at least a picture long."""
    shortest = 1.0 / (info.frame_rate or 25.0)
    start = max(0.0, min(part.start, info.duration_seconds - shortest))
    return start, max(start + shortest, min(part.end, info.duration_seconds))


def _streams(video: OpenVideo, kinds: tuple[str, ...]) -> list[Stream]:
    """The film first, then sound and subtitles; covers, data and other films stay behind."""
    from av.stream import Discard

    others: list[Stream] = [
        stream
        for stream in video.container.streams
        if stream.type in kinds and stream.type != "video" and stream.codec_context is not None
    ]
    for stream in others:
        stream.discard = Discard.default
    return [video.stream, *others]


@contextmanager
def _writing(draft: Path) -> Iterator[OutputContainer]:
    """A file to write to; what its kind does not take is a _NotThisKindError."""
    import av

    with av.open(str(draft), "w") as out:
        try:
            yield out
        except (av.FFmpegError, ValueError) as error:
            raise _NotThisKindError(str(error)) from error


def _copy_part(
    video: OpenVideo,
    info: VideoInfo,
    out: OutputContainer,
    streams: list[Stream],
    span: tuple[float, float],
) -> None:
    start, end = (info.start_seconds + seconds for seconds in span)
    copies = {stream.index: out.add_stream_from_template(stream) for stream in streams}
    begins = seek_before(video, start)
    zero: float | None = None
    """The file's clock at the first picture."""
    held: list[Any] = []
    for packet in video.container.demux(streams):
        if packet.pts is None:
            continue
        is_picture = packet.stream.index == video.stream.index
        decoded = float((packet.pts if packet.dts is None else packet.dts) * packet.time_base)
        if decoded >= end:
            if is_picture and decoded >= end + INTERLEAVED_SECONDS:
                break
        elif zero is not None:
            if seconds_of(packet) >= zero:  # a picture before the first needs one that is not here
                _put(out, packet, copies, zero)
        elif not is_picture:
            held.append(packet)
        elif packet.is_keyframe and seconds_of(packet) >= begins:
            zero = seconds_of(packet)
            for early in held:
                if seconds_of(early) >= zero:
                    _put(out, early, copies, zero)
            _put(out, packet, copies, zero)
    if zero is None:
        raise MediaError("no picture near it can be read")


def _put(out: OutputContainer, packet: Any, copies: dict[int, Stream], zero: float) -> None:
    shift = round(zero / packet.time_base)
    packet.pts -= shift
    if packet.dts is not None:
        packet.dts -= shift
    packet.stream = copies[packet.stream.index]
    out.mux(packet)

"""Read subtitles: files beside a video, and text streams in it.

FFmpeg parses the formats, so that nothing else has to be installed; encodings are found here.
Subtitles that are pictures (DVD, Blu-ray, DVB) have no text: they are counted and left out.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2v.errors import MediaError
from c2v.media.subtitle_text import Cue, RawCue, lines_of, rows_of

if TYPE_CHECKING:
    from av.container import InputContainer

    from c2v.media.containers import OpenVideo

_MOST_BYTES = 32 * 1024 * 1024
"""Of a whole season there are two megabytes; a file larger than this is something else."""
_TEXT_CODECS = frozenset(
    {"subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text", "microdvd", "subviewer", "sami"}
)
_ASS = frozenset({"ass", "ssa"})
_FORMATS = {"srt": "srt", "vtt": "webvtt", "ass": "ass", "ssa": "ass", "smi": "sami", "sub": ""}
_BEGINNINGS = (
    (re.compile(r"WEBVTT"), "webvtt"),
    (re.compile(r"\[Script Info\]", re.IGNORECASE), "ass"),
    (re.compile(r"\{\d+\}\{\d*\}"), "microdvd"),
    (re.compile(r"<SAMI", re.IGNORECASE), "sami"),
    (re.compile(r"\[INFORMATION\]|\[SUBTITLE\]", re.IGNORECASE), "subviewer"),
    (re.compile(r"(\d+\s+)?-?\d+:\d+:\d+[,.]\d+\s*-->"), "srt"),
)
_VOBSUB = b"\0\0\1\xba"
_PICTURES = frozenset({"idx", "sup"})
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENCODINGS = {
    **dict.fromkeys(("ru", "rus", "uk", "ukr", "bg", "bul", "sr"), "cp1251"),
    **dict.fromkeys(("pl", "pol", "cs", "cze", "sk", "hu", "hun", "hr", "sl", "ro"), "cp1250"),
    **dict.fromkeys(("el", "gre"), "cp1253"),
    **dict.fromkeys(("tr", "tur"), "cp1254"),
    **dict.fromkeys(("he", "heb"), "cp1255"),
    **dict.fromkeys(("ar", "ara", "fa", "per"), "cp1256"),
    **dict.fromkeys(("ja", "jpn", "jp"), "cp932"),
    **dict.fromkeys(("ko", "kor"), "cp949"),
    **dict.fromkeys(("zh", "chi", "chs", "zh-cn", "zh-hans"), "gb18030"),
    **dict.fromkeys(("cht", "zh-tw", "zh-hant"), "big5"),
}
"""Of files that are no UTF-8 and say their language in their name: what was usual before."""


@dataclass(frozen=True, slots=True)
class ReadSubtitles:
    """What was found in one place."""

    cues: tuple[Cue, ...] = ()
    """In the order of time; all of them begin while the video lasts."""
    without_text: int = 0
    """Subtitles that are pictures."""
    remarks: tuple[str, ...] = ()
    """What is good to know of how it was read."""


def read_sidecar(
    path: Path, *, duration_seconds: float, frame_rate: Callable[[], float]
) -> ReadSubtitles:
    """Read a subtitle file beside a video of that length.

    ``frame_rate`` is asked for the video's only where the file counts pictures and does not say
    how many there are in a second.

    Raises:
        MediaError: nothing of it can be read.
    """
    data = _bytes_of(path)
    extension = path.suffix.lower().lstrip(".")
    if extension in _PICTURES:
        return ReadSubtitles(without_text=1)
    if data.startswith(_VOBSUB):
        # The .idx beside it stands for both.
        return ReadSubtitles(without_text=0 if path.with_suffix(".idx").exists() else 1)
    text, remarks = _decoded(data, path.name)
    kind = _kind(text, extension)
    if not kind:
        raise MediaError("is not a subtitle file of a kind that can be read")
    raw = list(_parsed(text, kind, frame_rate))
    if not raw and text.strip() and not _begins_as(text):
        raise MediaError("has no line with a time in it")
    return _within(lines_of(raw), duration_seconds, remarks)


def text_streams(video: OpenVideo) -> tuple[int, int]:
    """How many subtitle streams of an open video are text, and how many are not."""
    return _streams(video.container)


def read_embedded(
    path: Path, *, start_seconds: float | None, duration_seconds: float
) -> ReadSubtitles:
    """Read the text streams of a video.

    Packets of pictures and sound are passed over, but a file in which they lie between the
    subtitles is read from end to end; one without text streams is only opened.

    Args:
        path: the video.
        start_seconds: what its clock shows at the start; None for what the container says.
        duration_seconds: how long it lasts.

    Raises:
        MediaError: it cannot be opened.
    """
    import av

    from c2v.media.containers import plain_reason
    from c2v.media.pyav_versions import open_options

    try:
        with av.open(
            str(path), mode="r", options={"protocol_whitelist": "file"}, **open_options()
        ) as container:
            texts, others = _streams(container)
            if not texts:
                return ReadSubtitles(without_text=others)
            begins = start_seconds
            if begins is None:
                begins = (container.start_time or 0) / av.time_base
            lines: list[Cue] = []
            cues, remarks = _demuxed(container)
            for some in cues.values():
                lines += lines_of(_later(cue, -begins) for cue in some)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"its subtitles cannot be read: {plain_reason(error)}") from error
    lines.sort(key=lambda cue: cue.start_seconds)
    found = _within(lines, duration_seconds, remarks)
    return ReadSubtitles(found.cues, others, found.remarks)


def _streams(container: InputContainer) -> tuple[int, int]:
    all_of_them = container.streams.subtitles
    texts = sum(_is_text(stream) for stream in all_of_them)
    return texts, len(all_of_them) - texts


def _is_text(stream: Any) -> bool:
    context = stream.codec_context
    return context is not None and context.name in _TEXT_CODECS


def _demuxed(container: InputContainer) -> tuple[dict[int, list[RawCue]], tuple[str, ...]]:
    """The cues of each text stream; of a damaged file those before the damage."""
    import av

    wanted = [stream for stream in container.streams.subtitles if _is_text(stream)]
    for stream in container.streams:
        if stream not in wanted:
            stream.discard = av.stream.Discard.all
    cues: dict[int, list[RawCue]] = {}
    try:
        for packet in container.demux(wanted):
            if packet.size and packet.pts is not None:
                stream = packet.stream
                cue = _cue(packet, stream.codec_context.name)
                cues.setdefault(stream.index, []).append(cue)
    except av.FFmpegError:
        return cues, ("the file is damaged: subtitles were read up to there",)
    return cues, ()


def _parsed(text: str, kind: str, frame_rate: Callable[[], float]) -> Iterator[RawCue]:
    import av

    options = {}
    if kind == "microdvd" and not re.match(r"\{[01]\}\{[01]?\}\s*\d", text):
        options["subfps"] = f"{frame_rate() or 25.0:.6f}"
    try:
        with av.open(io.BytesIO(text.encode()), mode="r", format=kind, options=options) as file:
            for stream in file.streams.subtitles[:1]:
                for packet in file.demux(stream):
                    if packet.size and packet.pts is not None:
                        yield _cue(packet, kind)
    except (av.FFmpegError, ValueError) as error:
        from c2v.media.containers import plain_reason

        raise MediaError(f"is not a subtitle file ({plain_reason(error)})") from error


def _cue(packet: Any, codec: str) -> RawCue:
    """What a packet shows, by the file's own clock."""
    data = bytes(packet)
    if codec == "mov_text":
        data = data[2 : 2 + int.from_bytes(data[:2], "big")]
        is_wide = data[:2] in (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)
        text = data.decode("utf-16" if is_wide else "utf-8", "replace")
    else:
        text = data.decode("utf-8", "replace")
    if codec in _ASS:
        text = text.split(",", 8)[-1]
    elif codec == "microdvd":
        text = text.replace("|", "\n")
    elif codec == "subviewer":
        text = text.replace("[br]", "\n")
    base = float(packet.time_base or 0)
    duration = packet.duration
    start = round(packet.pts * base, 3)
    end = round(start + duration * base, 3) if duration and duration > 0 else None
    return RawCue(start, end, rows_of(text, is_ass=codec in _ASS))


def _later(cue: RawCue, seconds: float) -> RawCue:
    if not seconds:
        return cue
    end = None if cue.end_seconds is None else round(cue.end_seconds + seconds, 3)
    return RawCue(round(cue.start_seconds + seconds, 3), end, cue.rows)


def _within(lines: list[Cue], duration_seconds: float, remarks: tuple[str, ...]) -> ReadSubtitles:
    """The lines that begin while the video lasts."""
    kept = [
        Cue(line.start_seconds, min(line.end_seconds, duration_seconds), line.text)
        for line in lines
        if line.start_seconds < duration_seconds
    ]
    late = len(lines) - len(kept)
    if late:
        what = "line begins" if late == 1 else "lines begin"
        remarks = (*remarks, f"{late:,} {what} after the end of the video, left out")
    return ReadSubtitles(tuple(kept), remarks=remarks)


# -- files ----------------------------------------------------------------------------------------


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror or error}") from error
    if len(data) > _MOST_BYTES and not data.startswith(_VOBSUB):
        raise MediaError(f"is larger than {_MOST_BYTES >> 20} MB: no file of subtitles is")
    return data


def _decoded(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and a remark where its encoding is a guess.

    Raises:
        MediaError: it is no text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace"), ()
    try:
        return _without_nul(data.decode("utf-8")), ()
    except UnicodeDecodeError:
        pass
    zeros = data.count(0)
    if zeros > len(data) // 4:
        encoding = "utf-16-le" if data[1::2].count(0) > zeros // 2 else "utf-16-be"
    elif zeros:
        raise MediaError("is not text")
    else:
        encoding = _ENCODINGS.get(_language(name), "cp1252")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"
        text = data.decode(encoding)
    return _without_nul(text), (f"is not UTF-8, read as {encoding}",)


def _without_nul(text: str) -> str:
    if text.count("\0") > len(text) // 100:
        raise MediaError("is not text")
    return text.replace("\0", "")


def _language(name: str) -> str:
    """``ru`` of ``film.ru.srt``."""
    parts = name.lower().split(".")
    return parts[-2] if len(parts) > 2 else ""


def _kind(text: str, extension: str) -> str:
    """FFmpeg's name for the format: by how it begins, else by the name of the file."""
    return _begins_as(text) or _FORMATS.get(extension, "")


def _begins_as(text: str) -> str:
    beginning = text.lstrip("\ufeff \t\r\n")[:200]
    return next((kind for pattern, kind in _BEGINNINGS if pattern.match(beginning)), "")

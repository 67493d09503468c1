"""Videos for tests, encoded by PyAV: every picture carries its number and says which way is up.

The central square of each picture is a grid of four by four cells::

    red    green  blue   white      which way is up
    bit 7  bit 6  bit 5  bit 4      the number of the picture, modulo 256,
    bit 3  bit 2  bit 1  bit 0      white for 1 and black for 0
    grey   grey   grey   grey

so a test can read the number back from the square that a decoder gives, whatever the codec, the
scaling and the rotation, and fails when the picture lies on its side, is mirrored or distorted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

MARKS = ((220, 30, 30), (30, 200, 30), (30, 30, 220), (235, 235, 235))
TICKS_A_SECOND = 90_000


@dataclass(frozen=True)
class Recipe:
    """How to encode a test video; `stamp` gives the time of picture n in seconds."""

    count: int = 50
    rate: int = 25
    size: tuple[int, int] = (160, 120)  # upright, square pixels: width, height
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    group: int = 12
    b_frames: int = 2
    rotation: int = 0  # clockwise degrees a player must turn the stored picture
    pixel_aspect: Fraction = Fraction(1)
    interlaced: bool = False
    sound: bool = False
    stamp: Callable[[int], float] | None = None
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)

    def seconds(self, number: int) -> float:
        """When picture `number` is shown, by the file's own clock."""
        return self.stamp(number) if self.stamp else number / self.rate


def draw(number: int, *, width: int, height: int) -> NDArray[np.uint8]:
    """The upright picture of one number: [height, width, 3]."""
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[:, :, 1] = np.linspace(60, 120, width, dtype=np.uint8)
    side = min(width, height)
    top, left = (height - side) // 2, (width - side) // 2
    edges = [round(i * side / 4) for i in range(5)]
    for row in range(3):
        for column in range(4):
            cell = picture[
                top + edges[row] : top + edges[row + 1],
                left + edges[column] : left + edges[column + 1],
            ]
            if row == 0:
                cell[:] = MARKS[column]
            else:
                bit = 7 - ((row - 1) * 4 + column)
                cell[:] = 235 if number >> bit & 1 else 16
    return picture


def read_number(pixels: NDArray[np.uint8]) -> int:
    """The number in a square picture; AssertionError when it is not upright or cannot be read."""
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[0] == pixels.shape[1]
    side = pixels.shape[0]
    cells = np.zeros((4, 4, 3))
    for row in range(4):
        for column in range(4):
            middle = [round((k + 0.5) * side / 4) for k in (row, column)]
            reach = max(1, side // 20)
            patch = pixels[
                middle[0] - reach : middle[0] + reach + 1, middle[1] - reach : middle[1] + reach + 1
            ]
            cells[row, column] = patch.reshape(-1, 3).mean(axis=0)
    for column, mark in enumerate(MARKS):
        distance = np.abs(cells[0, column] - mark).max()
        assert distance < 75, f"not upright: mark {column} is {cells[0, column]}, not {mark}"
    number = 0
    for bit, level in enumerate(cells[1:3].mean(axis=2).reshape(8)):
        assert level < 90 or level > 150, f"bit {7 - bit} is unclear: {level:.0f}"
        number |= int(level > 128) << (7 - bit)
    return number


def make_video(path: Path, recipe: Recipe | None = None, **changes: Any) -> Path:
    """Encode a video as the recipe says; `changes` are fields of Recipe."""
    from dataclasses import replace

    recipe = replace(recipe or Recipe(), **changes)
    with av.open(
        str(path), "w", format=recipe.format, container_options=recipe.container_options
    ) as out:
        stream = _add_video(out, recipe)
        sound = out.add_stream("aac", rate=8000) if recipe.sound else None
        for number in range(recipe.count):
            frame = av.VideoFrame.from_ndarray(_stored(recipe, number), format="rgb24")
            frame = frame.reformat(format=recipe.pixel_format)
            frame.time_base = Fraction(1, TICKS_A_SECOND)
            frame.pts = round(recipe.seconds(number) * TICKS_A_SECOND)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            _add_silence(out, sound, seconds=recipe.count / recipe.rate)
    return path


def _add_video(out: Any, recipe: Recipe) -> Any:
    stored = _stored(recipe, 0)
    stream = out.add_stream(recipe.codec, rate=recipe.rate, options=dict(recipe.options))
    stream.width, stream.height = stored.shape[1], stored.shape[0]
    stream.pix_fmt = recipe.pixel_format
    if recipe.codec not in ("mpeg4", "mpeg2video"):
        stream.codec_context.time_base = Fraction(1, TICKS_A_SECOND)
    stream.codec_context.gop_size = recipe.group
    stream.codec_context.max_b_frames = recipe.b_frames
    if recipe.pixel_aspect != 1:
        stream.codec_context.sample_aspect_ratio = recipe.pixel_aspect
    if recipe.rotation:
        # libavutil counts anticlockwise.
        stream.set_display_rotation(-recipe.rotation)
    if recipe.codec == "libx264":
        stream.options = {
            "preset": "veryfast",
            "crf": "16",
            "bf": str(recipe.b_frames),
            **({"x264-params": "tff=1"} if recipe.interlaced else {}),
            **recipe.options,
        }
    return stream


def _stored(recipe: Recipe, number: int) -> NDArray[np.uint8]:
    """The picture as it lies in the file: turned back and squeezed."""
    width, height = recipe.size
    picture = draw(number, width=width, height=height)
    picture = np.rot90(picture, k=recipe.rotation // 90)
    if recipe.pixel_aspect != 1:
        wide = round(picture.shape[1] / float(recipe.pixel_aspect) / 2) * 2
        columns = (np.arange(wide) + 0.5) * picture.shape[1] / wide
        picture = picture[:, columns.astype(int)]
    return np.ascontiguousarray(picture)


def _add_silence(out: Any, stream: Any, *, seconds: float) -> None:
    samples = 1024
    for block in range(int(seconds * 8000 / samples)):
        silence = np.zeros((1, samples), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 8000
        frame.pts = block * samples
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def make_sound(path: Path, *, seconds: float = 2.0, cover: bool = False) -> Path:
    """A sound file, with a cover picture if asked for."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        if cover:
            picture = _cover_stream(out)
            _write_cover(out, picture)
        _add_silence(out, stream, seconds=seconds)
    return path


def _cover_stream(out: Any) -> Any:
    stream = out.add_stream("mjpeg", rate=1)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
    stream.codec_context.color_range = 2
    stream.disposition = av.stream.Disposition.attached_pic
    return stream


def _write_cover(out: Any, stream: Any) -> None:
    frame = av.VideoFrame.from_ndarray(draw(0, width=64, height=64), format="rgb24")
    frame = frame.reformat(format="yuvj420p")
    frame.pts, frame.time_base = 0, Fraction(1, 1)
    out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def make_video_with_cover(path: Path) -> Path:
    """A cover picture as the first stream, the film as the second."""
    with av.open(str(path), "w") as out:
        recipe = Recipe()
        cover = _cover_stream(out)
        film = _add_video(out, recipe)
        _write_cover(out, cover)
        for number in range(recipe.count):
            frame = av.VideoFrame.from_ndarray(_stored(recipe, number), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.time_base = Fraction(1, TICKS_A_SECOND)
            frame.pts = round(recipe.seconds(number) * TICKS_A_SECOND)
            out.mux(film.encode(frame))
        out.mux(film.encode(None))
    return path


def make_subtitled(
    path: Path,
    lines: Iterable[tuple[float, float, str]],
    *,
    codecs: Iterable[str] = ("subrip",),
    seconds: int = 8,
    **changes: Any,
) -> Path:
    """A video with a subtitle stream of each codec; lines are start, end and text as it is coded.

    A stream whose codec is one of pictures (``dvdsub``) has the same bytes: nobody decodes them.
    """
    from dataclasses import replace

    video_codec = "libvpx" if path.suffix == ".webm" else "libx264"
    recipe = replace(Recipe(count=5 * seconds, rate=5, size=(96, 64), codec=video_codec), **changes)
    with av.open(str(path), "w") as out:
        film = _add_video(out, recipe)
        waiting = []
        for codec in codecs:
            stream = out.add_mux_stream(codec)
            stream.time_base = Fraction(1, 1000)
            for start, end, text in lines:
                packet = av.Packet(_coded(text, codec))
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                packet.pts = packet.dts = round(start * 1000)
                packet.duration = round((end - start) * 1000)
                waiting.append(packet)
        waiting.sort(key=lambda packet: packet.pts)
        for number in range(recipe.count):
            frame = av.VideoFrame.from_ndarray(_stored(recipe, number), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.time_base = Fraction(1, TICKS_A_SECOND)
            frame.pts = round(recipe.seconds(number) * TICKS_A_SECOND)
            out.mux(film.encode(frame))
            while waiting and waiting[0].pts <= number * 200:
                out.mux(waiting.pop(0))
        out.mux(film.encode(None))
        for packet in waiting:
            out.mux(packet)
    return path


def _coded(text: str, codec: str) -> bytes:
    if codec == "mov_text":
        data = text.encode()
        return len(data).to_bytes(2, "big") + data
    return (f"0,0,Default,,0,0,0,,{text}" if codec in ("ass", "ssa") else text).encode()


def make_picture(path: Path) -> Path:
    """A still picture of the kind that its name's ending says (png, jpg, bmp)."""
    from PIL import Image

    picture = Image.fromarray(draw(0, width=64, height=64))
    picture.save(path, {"jpg": "jpeg"}.get(path.suffix.lstrip("."), path.suffix.lstrip(".")))
    return path


def overwrite(path: Path, *, first: float, last: float, seed: int = 0) -> Path:
    """Put random bytes over a part of a file; first and last are shares of its size."""
    data = bytearray(path.read_bytes())
    start, end = round(first * len(data)), round(last * len(data))
    data[start:end] = np.random.default_rng(seed).bytes(end - start)
    path.write_bytes(bytes(data))
    return path


def cut_off(path: Path, *, share: float) -> Path:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: round(share * len(data))])
    return path


def numbers(pictures: Iterable[NDArray[np.uint8]]) -> list[int]:
    """The numbers of some pictures."""
    return [read_number(pixels) for pixels in pictures]


def repeat(path: Path, target: Path, *, times: int) -> Path:
    """The same pictures over and over, nothing of them encoded again: a long video at once."""
    with av.open(str(path)) as source, av.open(str(target), "w") as made:
        stream = source.streams.video[0]
        assert stream.time_base is not None
        copy = made.add_stream_from_template(stream)
        packets = [
            (bytes(packet), packet.pts, packet.dts, packet.duration, packet.is_keyframe)
            for packet in source.demux(stream)
            if packet.pts is not None and packet.dts is not None
        ]
        length = sum(duration or 0 for _, _, _, duration, _ in packets)
        for turn in range(times):
            for data, pts, dts, duration, is_keyframe in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base = copy, stream.time_base
                packet.pts, packet.dts = pts + turn * length, dts + turn * length
                packet.duration, packet.is_keyframe = duration, is_keyframe
                made.mux(packet)
    return target

"""Every kind of file: the right upright picture for each time, or a clear reason; never a hang."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c2v.errors import MediaError
from c2v.media import FrameShape, VideoInfo, probe
from c2v.media.containers import OpenVideo, open_video
from c2v.media.probe import look
from c2v.media.pyav_decoder import PyAVDecoder

pytestmark = pytest.mark.timeout(60)
SHAPE = FrameShape(112)
X265 = {"x265-params": "log-level=none"}
RICH = {"b": "4000000"}


def uneven(number: int) -> float:
    """Times of a variable-rate recording: bursts and pauses, two seconds for six pictures."""
    return (0, 0.5, 0.55, 0.6, 0.9, 1.7)[number % 6] + number // 6 * 2.0


def late(number: int) -> float:
    return 10 + number / 25


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "h264": ("a.mp4", {}),
    "sound": ("a.mp4", {"sound": True}),
    "one long group": ("a.mp4", {"group": 250}),
    "turned 90": ("a.mp4", {"rotation": 90}),
    "turned 180": ("a.mp4", {"rotation": 180}),
    "turned 270": ("a.mov", {"rotation": 270}),
    "wide pixels": ("a.mp4", {"pixel_aspect": Fraction(4, 3), "size": (256, 144)}),
    "tall pixels": ("a.mp4", {"pixel_aspect": Fraction(3, 4), "size": (144, 256)}),
    "wide pixels, turned": (
        "a.mp4",
        {"pixel_aspect": Fraction(4, 3), "size": (144, 256), "rotation": 90},
    ),
    "variable rate": ("a.mp4", {"stamp": uneven}),
    "variable rate mkv": ("a.mkv", {"stamp": uneven}),
    "late start mp4": ("a.mp4", {"stamp": late}),
    "late start mkv": ("a.mkv", {"stamp": late}),
    "late start ts": ("a.ts", {"stamp": late}),
    "interlaced": ("a.mp4", {"interlaced": True, "options": {"flags": "+ildct+ilme"}}),
    "interlaced ts": ("a.ts", {"interlaced": True, "options": {"flags": "+ildct+ilme"}}),
    "ten bits": ("a.mp4", {"pixel_format": "yuv420p10le"}),
    "hevc ten bits": (
        "a.mp4",
        {"codec": "libx265", "pixel_format": "yuv420p10le", "options": X265},
    ),
    "hevc mkv": ("a.mkv", {"codec": "libx265", "options": X265}),
    "odd size": ("a.mp4", {"size": (161, 121), "pixel_format": "yuv444p"}),
    "transport stream": ("a.ts", {}),
    "mpeg2 ts": ("a.ts", {"codec": "mpeg2video", "options": RICH}),
    "mpeg2 ps": ("a.mpg", {"codec": "mpeg2video", "options": RICH}),
    "open groups": ("a.mp4", {"options": {"x264-params": "open-gop=1:keyint=12:b-adapt=0"}}),
    "open groups ts": ("a.ts", {"options": {"x264-params": "open-gop=1:keyint=12:b-adapt=0"}}),
    "avi with B-frames": ("a.avi", {"codec": "mpeg4", "options": RICH}),
    "avi with h264": ("a.avi", {}),
    "avi without B-frames": ("a.avi", {"codec": "mpeg4", "b_frames": 0, "options": RICH}),
    "gif": ("a.gif", {"codec": "gif", "pixel_format": "rgb8", "b_frames": 0}),
    "vp9": ("a.webm", {"codec": "libvpx-vp9", "options": {"b": "2M", "cpu-used": "8"}}),
    "vp9 mp4": ("a.mp4", {"codec": "libvpx-vp9", "options": {"b": "2M", "cpu-used": "8"}}),
    "vp8": ("a.webm", {"codec": "libvpx", "options": {"b": "2M"}}),
    "flv": ("a.flv", {}),
    "wmv": ("a.wmv", {"codec": "wmv2", "b_frames": 0, "options": RICH}),
    "raw stream": ("a.h264", {"format": "h264"}),
    "fragmented": ("a.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
}


def decoded(
    videos: Any,
    info: VideoInfo,
    times: list[float],
    *,
    video: OpenVideo | None = None,
    **settings: Any,
) -> tuple[dict[int, int], list[str]]:
    """{index of the time: number in the picture} and the problems told."""
    problems: list[str] = []
    frames = PyAVDecoder(**settings).frames(
        info, times, shape=SHAPE, on_problem=problems.append, video=video
    )
    return {frame.index: videos.read_number(frame.pixels) for frame in frames}, problems


@pytest.mark.parametrize("kind", KINDS)
def test_right_upright_picture_for_each_time(kind: str, videos: Any, tmp_path: Path) -> None:
    name, changes = KINDS[kind]
    recipe = videos.Recipe(**changes)
    info = probe(videos.make_video(tmp_path / name, recipe))
    assert info.rotation == recipe.rotation
    assert abs(info.width / info.height - recipe.size[0] / recipe.size[1]) < 0.02
    times = [recipe.seconds(n) - recipe.seconds(0) + 0.001 for n in range(recipe.count)]
    assert abs(info.duration_seconds - times[-1]) < 0.9
    for wanted in (range(50), range(0, 50, 7), [49], [30, 31], [12, 12, 12, 40]):
        numbers, problems = decoded(videos, info, [times[n] for n in wanted])
        assert problems == []
        assert numbers == dict(enumerate(wanted))
        with open_video(info.path) as video:  # as the pipeline does: looked at, then read on
            assert look(video) == info
            assert decoded(videos, info, [times[n] for n in wanted], video=video) == (numbers, [])


def test_times_between_pictures_and_around_the_ends(videos: Any, tmp_path: Path) -> None:
    info = probe(videos.make_video(tmp_path / "a.mp4"))
    times = [-1.0, 0.0, 0.039, 0.04, 0.9999, 1.0, 1.99, 2.0, 2.5]
    numbers, problems = decoded(videos, info, times)
    assert list(numbers.values()) == [0, 0, 0, 1, 24, 25, 49, 49, 49]
    assert problems == []


def test_edit_list_hides_the_pictures_before_the_start(videos: Any, tmp_path: Path) -> None:
    path = videos.make_video(
        tmp_path / "a.mp4",
        stamp=lambda number: (number - 10) / 25,
        container_options={"avoid_negative_ts": "disabled"},
    )
    info = probe(path)
    assert info.has_edit_list
    assert abs(info.duration_seconds - 1.6) < 0.05
    assert decoded(videos, info, [0.0, 0.5, 1.59])[0] == {0: 10, 1: 22, 2: 49}


def test_single_picture(videos: Any, tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.webm", "a.ts"):
        codec = "libvpx-vp9" if name == "a.webm" else "libx264"
        info = probe(videos.make_video(tmp_path / name, count=1, codec=codec))
        assert 0 < info.duration_seconds < 1
        assert decoded(videos, info, [0.0, info.duration_seconds / 2])[0] == {0: 0, 1: 0}


def test_cover_pictures_are_passed_over(videos: Any, tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv"):
        info = probe(videos.make_video_with_cover(tmp_path / name))
        assert info.codec == "h264"
        assert decoded(videos, info, [1.0])[0] == {0: 25}


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_damaged_middle_costs_only_the_middle(name: str, videos: Any, tmp_path: Path) -> None:
    path = videos.make_video(tmp_path / name, count=250)
    info = probe(videos.overwrite(path, first=0.4, last=0.45))
    numbers, problems = decoded(videos, info, [n / 25 + 0.001 for n in range(250)])
    assert all(index == number for index, number in numbers.items())
    assert 200 < len(numbers) < 250
    assert len(problems) == 1
    assert f"{250 - len(numbers)} of 250 pictures cannot be read" in problems[0]


@pytest.mark.parametrize(
    ("name", "options"), [("a.mp4", {"movflags": "faststart"}), ("a.mkv", {}), ("a.ts", {})]
)
def test_cut_off_file_gives_what_is_there(
    name: str, options: dict[str, str], videos: Any, tmp_path: Path
) -> None:
    path = videos.make_video(tmp_path / name, count=250, container_options=options)
    whole = probe(path).duration_seconds
    info = probe(videos.cut_off(path, share=0.5))
    times = [n / 25 + 0.001 for n in range(250)]
    numbers, problems = decoded(videos, info, times)
    right = [index for index, number in numbers.items() if index == number]
    # The last picture may stay for a second; after that nothing is made up.
    assert 100 < len(right) < 150
    assert len(numbers) - len(right) <= 25 + 2
    if info.duration_seconds == whole:
        assert "the file was cut off" in " ".join(problems)
    with pytest.raises(MediaError, match="not one picture"):
        decoded(videos, info, [9.0, 9.5])


def _bytes(data: bytes) -> Callable[[Any, Path], Path]:
    def write(_: Any, path: Path) -> Path:
        path.write_bytes(data)
        return path

    return write


def _folder(_: Any, path: Path) -> Path:
    path.mkdir()
    return path


def _picture(kind: str) -> Callable[[Any, Path], Path]:
    def write(videos: Any, path: Path) -> Path:
        picture: Path = videos.make_picture(path.with_suffix(f".{kind}"))
        return picture.rename(path)

    return write


def _pipe(_: Any, path: Path) -> Path:
    os.mkfifo(path)
    return path


UNUSABLE: dict[str, tuple[str, str, Callable[[Any, Path], Path]]] = {
    "absent": ("a.mp4", "there is no such file", lambda _, path: path),
    "empty": ("a.mp4", "the file is empty", _bytes(b"")),
    "text": ("a.mp4", "is a text file", _bytes("héllo, wörld\n".encode() * 900)),
    "random": ("a.mp4", "not a video", _bytes(np.random.default_rng(0).bytes(99_999))),
    "zeros": ("a.mp4", "full of zeros", _bytes(bytes(9_999))),
    "folder": ("a.mp4", "is a folder", _folder),
    "pipe": ("a.mp4", "not a regular file", _pipe),
    "png": ("a.mp4", "still picture", _picture("png")),
    "jpg": ("a.mp4", "still picture", _picture("jpg")),
    "sound": ("a.m4a", "only sound, no video", lambda v, path: v.make_sound(path)),
    "cover": ("a.mkv", "sound", lambda v, path: v.make_sound(path, cover=True)),
    "cover mp4": ("a.mp4", "cover", lambda v, path: v.make_sound(path, cover=True)),
    "playlist": ("a.mp4", "playlist|text", _bytes(b"#EXTM3U\n#EXT-X-VERSION:3\nfile.ts\n")),
    "no moov": (
        "a.mp4",
        "never finished",
        lambda v, path: v.cut_off(v.make_video(path), share=0.6),
    ),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_unusable_file_says_why(kind: str, videos: Any, tmp_path: Path) -> None:
    name, reason, write = UNUSABLE[kind]
    path = write(videos, tmp_path / name)
    with pytest.raises(MediaError, match=reason):
        probe(path)


def test_refused_permission_says_so(
    videos: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = videos.make_video(tmp_path / "a.mp4")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # tests may run as root, whom no rights stop
    with pytest.raises(MediaError, match="permission denied"):
        probe(path)


@pytest.mark.parametrize("name", ["new\nline.mp4", "%03d.mp4", "-x.mp4", os.fsdecode(b"\xe9.mp4")])
def test_odd_names_are_read(name: str, videos: Any, tmp_path: Path) -> None:
    made = videos.make_video(tmp_path / "a.mp4").rename(tmp_path / name)
    assert decoded(videos, probe(made), [1.0])[0] == {0: 25}


def test_false_keyframe_marks_are_noticed(videos: Any, tmp_path: Path) -> None:
    """Some encoders mark pictures as keyframes that lean on earlier ones: a jump gives garbage."""
    options = {"x264-params": "keyint=250:scenecut=0"}
    whole = videos.make_video(tmp_path / "whole.mp4", count=100, b_frames=0, options=options)
    data = bytearray(whole.read_bytes())
    # The table of keyframes (stss): with no entry but the first, every picture counts as one
    # when the table is renamed away.
    position = data.index(b"stss")
    data[position : position + 4] = b"free"
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(data))
    info = probe(path)
    for exactness in ("exact", "fast"):
        settings = {"exactness": exactness, "reach_seconds": 0.1}
        numbers, problems = decoded(videos, info, [2.601, 3.501], **settings)
        assert problems == []
        assert numbers == {0: 65, 1: 87}

"""Frames by number: the one that is meant, at its full size, upright."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from c2v.errors import MediaError
from c2v.media.numbered_frames import frame_clock, numbered_frames
from c2v.media.probe import probe
from c2v.media.published_positions import PublishedSampling, extracted_pictures

KINDS: dict[str, dict[str, Any]] = {
    "h264.mp4": {},
    "open.mkv": {"group": 30, "b_frames": 3},
    "rate.mp4": {"rate": 30, "stamp": lambda number: number * 1001 / 30000},
    "holes.mp4": {"stamp": lambda number: number / 25 + (2.0 if number > 20 else 0.0)},
    "late.mp4": {"stamp": lambda number: number / 25 + 0.9, "sound": True},
    "mpeg4.avi": {"codec": "mpeg4"},
    "h264.avi": {"b_frames": 0},
    "stream.ts": {},
    "turned.mp4": {"rotation": 90, "size": (120, 160)},
    "anamorphic.mp4": {"pixel_aspect": Fraction(4, 3)},
}


def centre(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


@pytest.mark.parametrize("name", KINDS)
def test_every_number_is_the_frame_that_is_meant(
    tmp_path: Path, videos: ModuleType, name: str
) -> None:
    path = videos.make_video(tmp_path / name, count=50, **KINDS[name])
    info = probe(path)
    clock = frame_clock(info)
    assert len(clock.seconds) == len(clock.durations) == 50
    assert list(clock.seconds) == sorted(clock.seconds)
    wanted = [0, 1, 1, 13, 24, 25, 37, 49]
    problems: list[str] = []
    pictures = list(numbered_frames(info, clock, wanted, on_problem=problems.append))
    assert not problems
    if name == "anamorphic.mp4":  # stored pixels, as OpenCV and ffmpeg give them
        assert pictures[0].shape[:2] == (120, 120)
        assert len(pictures) == len(wanted)
        return
    size = KINDS[name].get("size", (160, 120))
    assert {picture.shape for picture in pictures} == {(size[1], size[0], 3)}
    assert [videos.read_number(centre(picture)) for picture in pictures] == wanted


@pytest.mark.parametrize(
    ("codec", "b_frames", "rate", "wanted"),
    [
        # what ffmpeg 9.0 wrote for `-r 5` out of such files
        ("libx264", 2, 24, [0, 1, 3, 8, 12, 17, 22, 27]),
        ("libx264", 3, 30, [0, 1, 4, 10, 16, 22, 28, 34]),
        ("libx264", 0, 24, [0, 1, 5, 10, 14, 19, 24, 29]),
        ("mpeg4", 2, 24, [0, 1, 3, 8, 12, 17, 22, 27]),
        ("mpeg4", 0, 24, [0, 1, 4, 9, 13, 18, 23, 28]),
        ("mpeg4", 1, 30, [0, 1, 4, 10, 16, 22, 28, 34]),
    ],
)
def test_the_clock_of_an_avi_file_is_that_of_ffmpeg(
    tmp_path: Path, videos: ModuleType, codec: str, b_frames: int, rate: int, wanted: list[int]
) -> None:
    path = videos.make_video(
        tmp_path / "a.avi", count=100, rate=rate, codec=codec, b_frames=b_frames
    )
    clock = frame_clock(probe(path))
    seconds = [second + clock.ffmpeg_shift for second in clock.seconds]
    pictures = extracted_pictures(seconds, clock.durations)
    assert list(pictures[:8]) == wanted
    assert set(PublishedSampling("clip2video").positions(clock)) <= set(pictures)


def test_what_is_damaged_is_told(tmp_path: Path, videos: ModuleType) -> None:
    path = videos.make_video(tmp_path / "a.mp4", count=200, group=10, b_frames=0)
    videos.overwrite(path, first=0.4, last=0.5)
    info = probe(path)
    clock = frame_clock(info)
    problems: list[str] = []
    pictures = list(numbered_frames(info, clock, range(0, 200, 5), on_problem=problems.append))
    assert 10 < len(pictures) < 40
    assert problems
    assert "of 40 pictures cannot be read" in problems[0]


def test_no_number_and_no_video(tmp_path: Path, videos: ModuleType) -> None:
    path = videos.make_video(tmp_path / "a.mp4")
    info = probe(path)
    clock = frame_clock(info)
    assert list(numbered_frames(info, clock, [], on_problem=print)) == []
    path.write_bytes(b"no video")
    with pytest.raises(MediaError):
        frame_clock(info)

"""Sampling, shapes, choosing a decoder, and decord in its own process."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from c2v.errors import MediaError, MissingPartError
from c2v.media import FrameShape, choose_decoder, decoder_names_available, probe
from c2v.media.pyav_decoder import PyAVDecoder

pytestmark = pytest.mark.timeout(60)
needs_decord = pytest.mark.skipif(
    "decord" not in decoder_names_available(), reason="decord has no wheel here"
)


RESIZES: tuple[Literal["shortest", "squash"], ...] = ("shortest", "squash")


def stop(problem: str) -> None:
    pytest.fail(problem)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_fast_takes_keyframes_within_reach_and_says_their_time(
    name: str, videos: Any, tmp_path: Path
) -> None:
    info = probe(videos.make_video(tmp_path / name, count=100, group=25))
    times = [n * 0.13 for n in range(30)]
    decoder = PyAVDecoder(exactness="fast", reach_seconds=0.3)
    frames = list(decoder.frames(info, times, shape=FrameShape(64), on_problem=stop))
    assert [frame.index for frame in frames] == list(range(30))
    keyframes = 0
    for frame in frames:
        assert videos.read_number(frame.pixels) == round(frame.seconds * 25)
        distance = abs(frame.seconds - times[frame.index])
        if round(frame.seconds * 25) % 25 == 0:
            keyframes += 1
            assert distance <= 0.3 + 0.2
        else:
            assert distance <= 0.041
    assert keyframes >= 8


def test_exact_and_fast_agree_with_a_full_decode_whatever_the_subset(
    videos: Any, tmp_path: Path
) -> None:
    info = probe(videos.make_video(tmp_path / "a.mp4", count=200, group=30, b_frames=3))
    rng = np.random.default_rng(5)
    for _ in range(30):
        times = sorted(rng.uniform(0, 8, size=rng.integers(1, 20)).tolist())
        frames = list(PyAVDecoder().frames(info, times, shape=FrameShape(64), on_problem=stop))
        assert [videos.read_number(frame.pixels) for frame in frames] == [
            int(time * 25 + 1e-6) for time in times
        ]


def test_shapes(videos: Any, tmp_path: Path) -> None:
    info = probe(videos.make_video(tmp_path / "a.mp4", size=(320, 120)))
    for side in (1, 7, 64, 224):
        for resize in RESIZES:
            shape = FrameShape(side, resize)
            (frame,) = PyAVDecoder().frames(info, [0.5], shape=shape, on_problem=stop)
            assert frame.pixels.shape == (side, side, 3)
            assert frame.pixels.flags.c_contiguous
    with pytest.raises(ValueError, match="at least one pixel"):
        FrameShape(0)


def test_times_must_ascend(videos: Any, tmp_path: Path) -> None:
    info = probe(videos.make_video(tmp_path / "a.mp4"))
    with pytest.raises(ValueError, match="ascending"):
        list(PyAVDecoder().frames(info, [1.0, 0.5], shape=FrameShape(8), on_problem=stop))


def test_decord_asked_for_and_absent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)  # as if it were not installed
    with pytest.raises(MissingPartError, match="--decoder decord needs decord, which is not"):
        choose_decoder("decord")
    assert choose_decoder("auto").name == "pyav"


@needs_decord
def test_decord_gives_the_same_pictures(videos: Any, tmp_path: Path) -> None:
    info = probe(videos.make_video(tmp_path / "a.mp4"))
    decoder = choose_decoder("decord")
    assert decoder.name == "decord"
    times = [n / 25 + 0.001 for n in range(0, 50, 7)]
    frames = list(decoder.frames(info, times, shape=FrameShape(112), on_problem=stop))
    assert [videos.read_number(frame.pixels) for frame in frames] == list(range(0, 50, 7))
    assert [frame.index for frame in frames] == list(range(8))


@needs_decord
def test_decord_that_hangs_is_killed(videos: Any, tmp_path: Path) -> None:
    from c2v.media.decord_decoder import DecordDecoder

    info = probe(videos.make_video(tmp_path / "a.ts"))
    with pytest.raises(MediaError, match="hangs on MPEG"):
        list(DecordDecoder().frames(info, [0.5], shape=FrameShape(8), on_problem=stop))
    os.mkfifo(tmp_path / "pipe.mp4")  # nobody ever writes to it: opening it never returns
    stuck = replace(info, container="mov", path=tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match="hung for 2 s"):
        list(
            DecordDecoder(hang_seconds=2).frames(stuck, [0.5], shape=FrameShape(8), on_problem=stop)
        )
    good = probe(videos.make_video(tmp_path / "b.mp4"))
    (frame,) = DecordDecoder().frames(good, [0.5], shape=FrameShape(64), on_problem=stop)
    assert videos.read_number(frame.pixels) == 12


@needs_decord
def test_decord_failure_is_a_media_error(videos: Any, tmp_path: Path) -> None:
    info = probe(videos.make_video(tmp_path / "a.mp4"))
    (tmp_path / "a.mp4").write_bytes(b"no longer a video")
    decoder = choose_decoder("decord")
    with pytest.raises(MediaError, match="decord cannot read it"):
        list(decoder.frames(info, [0.5], shape=FrameShape(8), on_problem=stop))


def test_nothing_reaches_stderr_and_damage_never_escapes(videos: Any, tmp_path: Path) -> None:
    """Random damage in a process of its own: only MediaError, no noise from FFmpeg, no hang."""
    for name in ("a.mp4", "a.mkv", "a.ts", "a.avi"):
        videos.make_video(tmp_path / name, count=60)
    fuzz = Path(__file__).with_name("fuzz.py")
    done = subprocess.run(
        [sys.executable, str(fuzz), str(tmp_path), "20"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert "80 damaged files" in done.stdout


def test_importing_media_is_light() -> None:
    heavy = ["av", "decord", "torch", "PIL", "open_clip", "onnxruntime"]
    code = f"import sys, c2v.media; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("rotation", [0, 90])
def test_no_picture_outlives_its_turn(videos: Any, tmp_path: Path, rotation: int) -> None:
    """Without the garbage collector, which counts objects and not the megabytes they hold."""
    from av.video.frame import VideoFrame

    path = videos.make_video(tmp_path / "a.mp4", count=100, rate=10, rotation=rotation)
    info = probe(path)
    gc.collect()
    gc.disable()
    gc.freeze()  # what was there before is not looked through once for each picture
    try:
        alive: list[int] = []
        times = [index / 10 for index in range(100)]
        frames = choose_decoder("pyav").frames(info, times, shape=FrameShape(32), on_problem=stop)
        for _ in frames:
            alive.append(sum(type(known) is VideoFrame for known in gc.get_objects()))
    finally:
        gc.unfreeze()
        gc.enable()
    assert len(alive) == 100
    assert 0 < max(alive) <= 8

"""The real command in processes of its own, and libraries of real pictures and clips."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from c2v.demo.clips import make_demo_videos
from c2v.demo.panning import View, read_picture, write_panned_clip

Run = Callable[..., subprocess.CompletedProcess[str]]


def run_process(
    command: list[str], *arguments: str | Path, code: int | None = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert code is None or done.returncode == code, (done.args, done.stdout, done.stderr)
    return done


@pytest.fixture(scope="session")
def c2v() -> Run:
    """Run ``c2v ARGUMENTS`` and check its exit code (``code=None`` takes any)."""
    return lambda *arguments, **options: run_process(["-m", "c2v"], *arguments, **options)


@pytest.fixture(scope="session")
def run_python() -> Run:
    """Run this Python with arguments."""
    return lambda *arguments, **options: run_process([], *arguments, **options)


@pytest.fixture(scope="session")
def demo_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The videos of ``c2v demo``: photographs in motion, and real clips."""
    folder = tmp_path_factory.mktemp("demo") / "videos"
    make_demo_videos(folder)
    return folder


@pytest.fixture(scope="session")
def demo_library(c2v: Run, demo_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those videos in a library of their own, by the shipped encoder."""
    library = tmp_path_factory.mktemp("demo-library") / "library"
    home = str(tmp_path_factory.mktemp("home"))
    c2v("index", demo_videos, "-L", library, "--model", "mini", C2V_HOME=home)
    return library


@pytest.fixture(scope="session")
def many_videos(demo_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty different videos: enough work to be interrupted in."""
    folder = tmp_path_factory.mktemp("many")
    picture = read_picture(next(iter(sorted(demo_videos.glob("*.mp4")))))
    for number in range(30):
        write_panned_clip(
            picture,
            folder / f"{number:02d}.mp4",
            start=View(number / 30, 0.5, 0.6),
            end=View(1 - number / 30, 0.5, 0.6),
            seconds=6,
        )
    return folder

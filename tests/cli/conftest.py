"""The real command in processes of its own, and libraries of real pictures and clips."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.demo.clips import make_demo_videos
from c2v.demo.panning import View, read_picture, write_panned_clip

Run = Callable[..., subprocess.CompletedProcess[str]]


def run_process(
    command: list[str],
    *arguments: str | Path,
    code: int | None = 0,
    forks: Any = None,
    cwd: str | Path | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """A process of this Python: a fork of one that has imported everything, where that will do."""
    words, variables = [*command, *map(str, arguments)], os.environ | environment
    if forks is not None and forks.can_run(variables):
        done = forks.run(words, environment=variables, cwd=cwd)
    else:
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            timeout=600,
            env=variables,
            stdin=subprocess.DEVNULL,
            check=False,
            cwd=cwd,
        )
    assert code is None or done.returncode == code, (done.args, done.stdout, done.stderr)
    return done


@pytest.fixture(scope="session")
def light_forks(load_helper: Callable[[str], ModuleType]) -> Iterator[Any]:
    """A server of processes that have imported what a command with the shipped encoder does."""
    forks = load_helper("forked.py").Forks()
    yield forks
    forks.close()


@pytest.fixture(scope="session")
def heavy_forks(load_helper: Callable[[str], ModuleType]) -> Iterator[Any]:
    """The same with torch and open_clip."""
    helper = load_helper("forked.py")
    forks = helper.Forks(helper.HEAVY)
    yield forks
    forks.close()


@pytest.fixture(scope="session")
def c2v(light_forks: Any) -> Run:
    """Run ``c2v ARGUMENTS`` and check its exit code (``code=None`` takes any)."""
    return functools.partial(run_process, ["-m", "c2v"], forks=light_forks)


@pytest.fixture(scope="session")
def c2v_with_torch(heavy_forks: Any) -> Run:
    """The same for commands that would import torch: that alone takes seconds."""
    return functools.partial(run_process, ["-m", "c2v"], forks=heavy_forks)


@pytest.fixture(scope="session")
def run_python() -> Run:
    """Run this Python from its start, with arguments."""
    return functools.partial(run_process, [])


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

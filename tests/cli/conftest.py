"""The real command in processes of its own, and libraries of real pictures and clips."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.errors import EXIT_NO_MATCH, EXIT_OK

Run = Callable[..., subprocess.CompletedProcess[str]]


DONE = (EXIT_OK, EXIT_NO_MATCH)
"""A search of clips of plain colours may find no match; whether it does, other tests tell."""


def run_process(
    command: list[str],
    *arguments: str | Path,
    code: int | tuple[int, ...] | None = DONE,
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
    codes = (code,) if isinstance(code, int) else code
    assert codes is None or done.returncode in codes, (done.args, done.stdout, done.stderr)
    return done


@pytest.fixture(scope="session")
def c2v(light_forks: Any) -> Run:
    """Run ``c2v ARGUMENTS`` and check its exit code (``code=None`` takes any)."""
    return functools.partial(run_process, ["-m", "c2v"], forks=light_forks)


@pytest.fixture(scope="session")
def c2v_with_torch(heavy_forks: Any) -> Run:
    """The same for commands that would import torch: that alone takes seconds."""
    return functools.partial(run_process, ["-m", "c2v"], forks=heavy_forks)


@pytest.fixture(scope="session")
def run_script(light_forks: Any) -> Run:
    """Run ``-c SCRIPT ARGUMENTS`` where what was imported before makes no difference."""
    return functools.partial(run_process, [], forks=light_forks)


@pytest.fixture(scope="session")
def run_torch_script(heavy_forks: Any) -> Run:
    """The same for a script that would import torch."""
    return functools.partial(run_process, [], forks=heavy_forks)


@pytest.fixture(scope="session")
def start_with_torch(
    heavy_forks: Any, load_helper: Callable[[str], ModuleType]
) -> Callable[..., Any]:
    """Start ``c2v ARGUMENTS``: a Fork, to send signals to and to wait for."""
    if not load_helper("forked.py").POSSIBLE:
        pytest.skip("forks are not to be had on this system")
    return lambda *words: heavy_forks.start(
        ["-m", "c2v", *map(str, words)], environment=dict(os.environ)
    )


@pytest.fixture(scope="session")
def run_python() -> Run:
    """Run this Python from its start, with arguments."""
    return functools.partial(run_process, [])


@pytest.fixture(scope="session")
def demo_library(c2v: Run, demo_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those videos in a library of their own, by the shipped encoder."""
    library = tmp_path_factory.mktemp("demo-library") / "library"
    home = str(tmp_path_factory.mktemp("home"))
    c2v("index", demo_videos, "-L", library, "--model", "mini", C2V_HOME=home)
    return library


@pytest.fixture
def many_videos(videos: ModuleType, tmp_path: Path) -> Path:
    """Ten different short videos: enough work to be interrupted in."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(10):
        videos.make_video(folder / f"{number:02d}.mp4", count=50 + number)
    return folder

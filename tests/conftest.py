"""Fixtures for all tests: a home of their own, and a factory of test videos."""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.cores import usable_cores

# Before NumPy and torch are imported: threads that spin while they wait for each other cost whole
# time slices where the machine has other work (measured: a text tower 6 s of CPU instead of 0.3).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # its neighbours have the other cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# What a worker and the processes that it starts hold at most: encoders of real size, with torch.
WORKER_BYTES = 4 << 30


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Whole folders are tested by a process a core, a file by one of them.

    Single files and tests stay in this process, and so does everything where pytest-xdist is
    missing (``-p no:xdist``), a debugger is asked for, or ``-n`` says how it shall be (``-n0``).
    """
    option = config.option
    if not config.pluginmanager.hasplugin("xdist") or "PYTEST_XDIST_WORKER" in os.environ:
        return
    folders = [word for word in config.args if Path(word).is_dir()]
    if option.numprocesses is not None or option.usepdb or option.collectonly or not folders:
        return
    workers = min(usable_cores(), physical_memory() // WORKER_BYTES)
    if workers > 1:
        option.numprocesses, option.dist = workers, "loadfile"
        option.loadscopereorder = False  # the slowest room, cli, is the first


def physical_memory() -> int:
    """Bytes of memory that this machine has; one worker's where it cannot be asked."""
    if not hasattr(os, "sysconf"):
        return WORKER_BYTES
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


# A shell starts what runs in the background deaf to Ctrl-C, and so would be all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def c2v_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test's own C2V_HOME: nothing of the user's is read or written."""
    home = tmp_path_factory.mktemp("c2v_home")
    monkeypatch.setenv("C2V_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def load_helper() -> Callable[[str], ModuleType]:
    """Import a module of helpers by its path below tests/, once."""
    return _load_helper


@pytest.fixture(scope="session")
def videos() -> ModuleType:
    """The module tests/media/make_videos.py: make_video, read_number, overwrite, cut_off, ..."""
    return _load_helper("media/make_videos.py")


@pytest.fixture(scope="session")
def toys() -> ModuleType:
    """The module tests/toys.py: a toy CLIP, and libraries of its features."""
    return importlib.import_module("tests.toys")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, by the build backend that is installed: no network is asked."""
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="session")
def demo_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The videos of ``c2v demo``: photographs in motion, and real clips."""
    from c2v.demo.clips import make_demo_videos

    folder = tmp_path_factory.mktemp("demo") / "videos"
    make_demo_videos(folder)
    return folder


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


def _load_helper(path: str) -> ModuleType:
    name = "c2v_tests_" + path.removesuffix(".py").replace("/", "_")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]

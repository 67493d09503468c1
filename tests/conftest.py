"""Fixtures for all tests: a home of their own, and a factory of test videos."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# Before NumPy and torch are imported: threads that spin while they wait for each other cost whole
# time slices where the machine has other work (measured: a text tower 6 s of CPU instead of 0.3).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

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

"""Fixtures for all tests: a home of their own, and a factory of test videos."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(autouse=True)
def c2v_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test's own C2V_HOME: nothing of the user's is read or written."""
    home = tmp_path_factory.mktemp("c2v_home")
    monkeypatch.setenv("C2V_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def videos() -> ModuleType:
    """The module tests/media/make_videos.py: make_video, read_number, overwrite, cut_off, ..."""
    name = "c2v_test_videos"
    if name not in sys.modules:
        path = Path(__file__).parent / "media" / "make_videos.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]

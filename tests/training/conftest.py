"""A toy encoder and a toy library whose frame features are made, not decoded."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    """A helper module beside the tests."""
    full = f"c2v_training_{name}"
    if full not in sys.modules:
        path = Path(__file__).parent / f"{name}.py"
        spec = importlib.util.spec_from_file_location(full, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


@pytest.fixture(scope="session")
def toys() -> ModuleType:
    """The module tests/training/toys.py."""
    return _load("toys")


@pytest.fixture(scope="session")
def motion() -> ModuleType:
    """The module tests/training/motion_clips.py."""
    return _load("motion_clips")

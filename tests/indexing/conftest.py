"""The fakes of indexing's seams."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def fakes(load_helper: Callable[[str], ModuleType]) -> ModuleType:
    """The module tests/fakes.py: FakeDecoder, FakeBundle, FakeEngine, FakeStore."""
    return load_helper("fakes.py")

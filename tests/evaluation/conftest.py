"""The toy encoder that is measured."""

from __future__ import annotations

from types import ModuleType

import pytest

from c2v.encoder.bundle import Bundle


@pytest.fixture
def bundle(toys: ModuleType) -> Bundle:
    """It lies among the user's models as ``tiny``."""
    made: Bundle = toys.make_bundle()
    return made

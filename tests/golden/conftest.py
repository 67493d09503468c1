"""The reference's own outputs, where they lie beside the project: ../shared/golden."""

from __future__ import annotations

from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden"


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of the reference's outputs; a test without it is skipped and says so."""
    if not GOLDEN.is_dir():
        pytest.skip("no ../shared/golden beside the project: the reference was not compared")
    return GOLDEN

"""Small encoders with random weights, made in the test: open_clip's layout at toy size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.registry import bundle_folder
from tests import toys

# A projection that is not square, so that nothing passes the wrong way round.
TINY: dict[str, Any] = toys.TINY | {"embed_dim": 32}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own place for models, caches and settings."""
    folder = tmp_path / "home"
    monkeypatch.setenv("C2V_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def tiny_model() -> dict[str, Any]:
    """open_clip's config of the toy model."""
    return TINY


@pytest.fixture(scope="session")
def tiny_state() -> dict[str, Any]:
    """Its weights."""
    return toys.make_state(TINY)


@pytest.fixture
def tiny_folder(home: Path, tiny_state: dict[str, Any]) -> Path:
    """A bundle named ``tiny`` among the user's models."""
    return toys.write_bundle(bundle_folder("tiny"), state=tiny_state, model=TINY)


@pytest.fixture
def tiny(tiny_folder: Path) -> Bundle:
    """The same, open."""
    return load_bundle("tiny", device="cpu", precision="fp32")


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Run a piece of Python in a process of its own and give back what it printed."""

    def run(code: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run

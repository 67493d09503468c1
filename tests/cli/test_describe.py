"""Which encoder ``c2v describe`` takes: --model, else the library's, else the settings', else the
default; never another than it says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from c2v.config import set_config_value

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def clip(videos: ModuleType, tmp_path: Path) -> Path:
    return videos.make_video(tmp_path / "one.mp4")  # type: ignore[no-any-return]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("a number\n")
    return path


def model_of(done: subprocess.CompletedProcess[str]) -> str:
    return str(json.loads(done.stdout)["model"])


@pytest.fixture
def toy(toys: ModuleType) -> str:
    """A toy CLIP among the user's models."""
    toys.make_bundle("toy")
    return "toy"


def test_the_models_of_library_and_settings(c2v: Run, clip: Path, labels: Path, toy: str) -> None:
    asked = ("describe", clip, "--labels", labels, "--format", "json")
    set_config_value("model", "mini")
    assert model_of(c2v(*asked)) == "mini"  # no library: the settings
    c2v("index", clip, "--model", toy)
    done = c2v(*asked)
    assert model_of(done) == toy
    assert "--model mini" in done.stderr  # the settings gave way, and it is said
    assert model_of(c2v(*asked, "--model", "mini")) == "mini"
    set_config_value("model", None)
    done = c2v(*asked)
    assert (model_of(done), done.stderr) == (toy, "")


def test_a_library_that_is_not_there(c2v: Run, clip: Path, labels: Path) -> None:
    asked = ("describe", clip, "--labels", labels)
    done = c2v(*asked, "-L", "nowhere", code=3)
    assert "nowhere" in done.stderr
    assert "a number" in c2v(*asked, "-L", "nowhere", "--model", "mini").stdout

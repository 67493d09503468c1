"""Small encoders with random weights, made in the test: open_clip's layout at toy size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.clip_bundle import ClipSource, write_clip_bundle
from c2v.encoder.registry import bundle_folder

TINY: dict[str, Any] = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {
        "context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own place for models, caches and settings."""
    folder = tmp_path / "home"
    monkeypatch.setenv("C2V_HOME", str(folder))
    return folder


def make_state(model: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """The state dict of an open_clip model with random weights, biases and norms too."""
    import open_clip
    import torch

    torch.manual_seed(seed)
    kind = open_clip.CustomTextCLIP if model.get("custom_text") else open_clip.CLIP
    made = kind(
        model["embed_dim"], model["vision_cfg"], model["text_cfg"],
        quick_gelu=model.get("quick_gelu", False),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return {name: value.detach().clone() for name, value in made.state_dict().items()}


@pytest.fixture(scope="session")
def tiny_model() -> dict[str, Any]:
    """open_clip's config of the toy model."""
    return TINY


@pytest.fixture(scope="session")
def tiny_state() -> dict[str, Any]:
    """Its weights."""
    return make_state(TINY)


@pytest.fixture
def tiny_folder(home: Path, tiny_state: dict[str, Any]) -> Path:
    """A bundle named ``tiny`` among the user's models."""
    target = bundle_folder("tiny")
    clip = ClipSource(state=tiny_state, model=TINY, source="a test", licence="none")
    write_clip_bundle(target, name="tiny", clip=clip)
    return target


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

"""A toy encoder and a toy library whose frame features are made, not decoded."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.encoder.bundle import Bundle
from c2v.library import Library
from c2v.training.captions import Captions
from c2v.training.choices import Choices
from c2v.training.finetune import Finetuned, Run, finetune

FAST = Choices(head="meanP", epochs=6, batch=8, learning_rate=1e-3, patience=12)


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


@pytest.fixture
def bundle(toys: ModuleType) -> Bundle:
    made: Bundle = toys.make_bundle()
    return made


@pytest.fixture
def captions(toys: ModuleType, tmp_path: Path) -> Captions:
    made: Captions = toys.captions_for(tmp_path, 24)
    return made


@pytest.fixture
def library(toys: ModuleType, tmp_path: Path, bundle: Bundle, captions: Captions) -> Library:
    made: Library = toys.fill_library(tmp_path / "library", bundle, captions)
    return made


@pytest.fixture
def train(
    toys: ModuleType, library: Library, bundle: Bundle, captions: Captions
) -> Callable[..., Finetuned]:
    """Fine-tune the toy encoder on the toy library; ``FAST`` unless told otherwise."""

    def run(choices: Choices = FAST, *, name: str = "tuned", **options: Any) -> Finetuned:
        data = options.pop("captions", captions)
        options.setdefault("watcher", toys.Watch())
        return finetune(library, bundle, data, choices, Run(name=name, **options))

    return run

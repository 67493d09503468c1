"""A toy encoder and a toy library whose frame features are made, not decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.encoder.bundle import Bundle
from c2v.evaluation.captions import Captions
from c2v.library import Store
from c2v.training.choices import Choices
from c2v.training.run import Finetuned, Run, train_bundle

FAST = Choices(head="meanP", epochs=6, batch=8, learning_rate=1e-3, patience=12, validation=0.1)


@pytest.fixture(scope="session")
def motion(load_helper: Callable[[str], ModuleType]) -> ModuleType:
    """The module tests/training/motion_clips.py."""
    return load_helper("training/motion_clips.py")


@pytest.fixture
def bundle(toys: ModuleType) -> Bundle:
    made: Bundle = toys.make_bundle()
    return made


@pytest.fixture
def captions(toys: ModuleType, tmp_path: Path) -> Captions:
    made: Captions = toys.captions_for(tmp_path, 24)
    return made


@pytest.fixture
def library(
    toys: ModuleType, tmp_path: Path, bundle: Bundle, captions: Captions
) -> Iterator[Store]:
    with toys.fill_library(tmp_path / "library", bundle, captions) as made:
        yield made


@pytest.fixture
def train(
    toys: ModuleType, library: Store, bundle: Bundle, captions: Captions
) -> Callable[..., Finetuned]:
    """Fine-tune the toy encoder on the toy library; ``FAST`` unless told otherwise."""

    def run(choices: Choices = FAST, *, name: str = "tuned", **options: Any) -> Finetuned:
        data = options.pop("captions", captions)
        options.setdefault("watcher", toys.Watch())
        return train_bundle(
            library, bundle, data, choices, Run(name=name, **{"keep": True, **options})
        )

    return run

"""Training the towers too, on a CLIP of toy size and clips of real photographs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import c2v
from c2v.demo.panning import View, write_panned_clip
from c2v.encoder.bundle import Bundle, load_bundle
from c2v.errors import UsageError
from c2v.evaluation.captions import Captions, read_captions
from c2v.evaluation.retrieval import evaluate_library
from c2v.library import Store, open_store
from c2v.training.choices import Choices
from c2v.training.run import Finetuned, Run, run_folder, train_bundle

ALL = Choices(head="meanP", train="all", epochs=3, batch=4, clip_rate=1e-3, seed=1,
              patience=12)  # fmt: skip
COLOURS = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (30, 50, 200),
           "grey": (128, 128, 128), "yellow": (220, 210, 30), "white": (240, 240, 240)}  # fmt: skip


@pytest.fixture
def bundle(toys: ModuleType) -> Bundle:
    made: Bundle = toys.make_bundle()
    return made


@pytest.fixture
def captions(tmp_path: Path) -> Captions:
    """Six clips, each of another colour with stripes."""
    rows = []
    for number, (name, colour) in enumerate(COLOURS.items()):
        picture = np.full((64, 96, 3), colour, np.uint8)
        picture[:: 4 + number] //= 2
        path = tmp_path / f"{name}.mp4"
        write_panned_clip(
            picture, path, start=View(0.2, 0.5, 0.8), end=View(0.8, 0.5, 0.8),
            seconds=1.0, width=64, height=48,
        )  # fmt: skip
        rows.append([path.name, f"{name} stripes"])
    with (tmp_path / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["video", "caption"], *rows])
    return read_captions(tmp_path / "captions.csv")


@pytest.fixture
def library(tmp_path: Path, bundle: Bundle, captions: Captions) -> Iterator[Store]:
    with c2v.open(tmp_path / "library", device="cpu", precision="fp32") as videos:
        videos.index(captions.videos, model="tiny")
    with open_store(tmp_path / "library") as opened:
        yield opened


def tune(
    toys: ModuleType, library: Store, bundle: Bundle, captions: Captions, choices: Choices = ALL,
    *, name: str = "all",
) -> Finetuned:  # fmt: skip
    run = Run(name=name, watcher=toys.Watch(), overwrite=True, keep=True)
    return train_bundle(library, bundle, captions, choices, run)


def test_before_the_first_step_it_is_the_bundle(
    toys: ModuleType, library: Store, bundle: Bundle, captions: Captions
) -> None:
    """Towers in torch over decoded frames are the towers that indexed, to what decoding rounds."""
    result = tune(toys, library, bundle, captions, replace(ALL, epochs=1, clip_rate=1e-30))
    zero_shot = evaluate_library(library, bundle, captions)
    assert result.planned.recipe.train == "all"
    assert result.outcome.before["texts"] == 2
    tuned = load_bundle("all", device="cpu", precision="fp32")
    np.testing.assert_allclose(
        tuned.embed_text(captions.texts), bundle.embed_text(captions.texts), atol=1e-5
    )
    pixels = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(tuned.encode_frames(pixels), bundle.encode_frames(pixels), atol=1e-4)
    assert zero_shot.videos == 6


def test_towers_learn_and_old_features_are_of_no_use(
    toys: ModuleType, library: Store, bundle: Bundle, captions: Captions
) -> None:
    result = tune(toys, library, bundle, captions, replace(ALL, epochs=8))
    history = result.outcome.history
    assert history[-1]["loss"] < history[1]["loss"]
    weights = torch.load(run_folder("all") / "last.pt", weights_only=True)["weights"]
    moved = {name for name in weights if name.startswith("towers.")}
    assert "towers.visual.transformer.resblocks.1.mlp.c_fc.weight" in moved
    if result.outcome.best_epoch:
        assert load_bundle("all").towers_fingerprint != bundle.towers_fingerprint


def test_freezing_is_the_published_rule(
    toys: ModuleType, library: Store, bundle: Bundle, captions: Captions
) -> None:
    barely = replace(ALL, epochs=1, clip_rate=1e-30)
    before = _weights(tune(toys, library, bundle, captions, barely))
    after = _weights(tune(toys, library, bundle, captions, replace(ALL, epochs=2, freeze=("1",))))
    still = {name for name in before if torch.equal(before[name], after[name])}
    for name in ("positional_embedding", "token_embedding.weight", "visual.class_embedding",
                 "visual.positional_embedding", "visual.conv1.weight", "visual.ln_pre.weight",
                 "transformer.resblocks.0.ln_1.weight",
                 "visual.transformer.resblocks.0.mlp.c_fc.weight"):  # fmt: skip
        assert f"towers.{name}" in still
    for name in ("text_projection", "visual.proj", "ln_final.weight",
                 "transformer.resblocks.1.mlp.c_fc.weight"):  # fmt: skip
        assert f"towers.{name}" not in still


def _weights(result: Finetuned) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(
        run_folder(result.name) / "last.pt", weights_only=True
    )["weights"]
    return loaded


def test_the_towers_of_mini_cannot(toys: ModuleType, tmp_path: Path) -> None:
    mini = load_bundle("mini", device="cpu")
    captions = toys.captions_for(tmp_path, 6)
    with (
        toys.fill_library(tmp_path / "m", mini, captions) as library,
        pytest.raises(UsageError, match="the towers of mini are frozen"),
    ):
        tune(toys, library, mini, captions, replace(ALL, head="clip2video"))


def test_a_video_that_has_gone_since_is_reported_not_zeros(
    toys: ModuleType, library: Store, bundle: Bundle, captions: Captions
) -> None:
    """The library still has its features, but there is nothing to decode."""
    gone, broken = captions.videos[0], captions.videos[3]
    Path(gone).unlink()
    Path(broken).write_bytes(b"no video")
    result = tune(toys, library, bundle, captions, replace(ALL, epochs=1))
    assert sorted(miss.path for miss in result.missing) == sorted([gone, broken])
    assert all("cannot be read" in miss.reason for miss in result.missing)
    assert result.videos + result.held_back == result.pairs == 4

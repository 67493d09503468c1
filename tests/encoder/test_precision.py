"""Which runtime and precision the image tower runs in, and that features do not depend on it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.encoder.architecture import Preprocess, image_config
from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.towers import precision
from c2v.encoder.towers.clip_image_onnx import OnnxClipTower
from c2v.encoder.towers.precision import (
    Choice,
    ProbedTower,
    Trial,
    choices_on,
    fastest,
    least_cosine,
    probe_images,
)
from c2v.encoder.towers.vision_layers import round_blocks
from c2v.encoder.towers.vision_shape import VisionShape
from c2v.errors import ModelError, UsageError

from .conftest import TINY

REFERENCE = Choice("onnx", "fp32")
ROUNDED = Choice("onnx", "int8")


class Slow:
    """Gives the mean colour, off by ``error``, and takes its time."""

    def __init__(self, *, ticks: int, error: float, clock: list[int]) -> None:
        self.ticks, self.error, self.clock = ticks, error, clock

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.clock[0] += self.ticks * len(images)
        features: NDArray[np.float32] = images.mean(axis=(1, 2)).astype(np.float32)
        return features + self.error * np.array([1, -1, 0], np.float32)


def probed(
    note: Path, monkeypatch: pytest.MonkeyPatch, *, ticks: int, error: float
) -> tuple[ProbedTower, list[tuple[Choice, int | None]]]:
    clock = [0]
    monkeypatch.setattr(precision.time, "thread_time", lambda: clock[0])
    made: list[tuple[Choice, int | None]] = []

    def make(choice: Choice, threads: int | None) -> Slow:
        made.append((choice, threads))
        if choice == REFERENCE:
            return Slow(ticks=10, error=0, clock=clock)
        return Slow(ticks=ticks, error=error, clock=clock)

    return ProbedTower(make, (REFERENCE, ROUNDED), note=note, on_cpu=True), made


IMAGES = probe_images(16)


@pytest.mark.parametrize(
    ("ticks", "error", "chosen"),
    [(5, 0.0, ROUNDED), (5, 30.0, REFERENCE), (10, 0.0, REFERENCE), (20, 0.0, REFERENCE)],
)
def test_the_fastest_that_is_the_same_is_taken_and_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ticks: int, error: float, chosen: Choice
) -> None:
    note = tmp_path / "cache" / "note.json"
    tower, made = probed(note, monkeypatch, ticks=ticks, error=error)
    tower.encode(IMAGES)
    assert tower.choice == chosen
    assert made == [(REFERENCE, 1), (ROUNDED, 1), (chosen, None)]
    told = json.loads(note.read_text())
    assert [trial["seconds"] for trial in told["trials"]] == [10, ticks]
    assert (told["trials"][1]["cosine"] > 0.999) == (error == 0)

    again, made = probed(note, monkeypatch, ticks=ticks, error=error)
    again.encode(IMAGES)
    assert made == [(chosen, None)]  # noted: not tried again
    for damage in ("{", '{"chosen": {"runtime": "abacus", "precision": "fp32"}}'):
        note.write_text(damage)
        again, made = probed(note, monkeypatch, ticks=ticks, error=error)
        again.encode(IMAGES)
        assert made[-1] == (chosen, None)
        assert len(made) == 3


def test_frames_that_are_encoded_count_beside_made_up_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rounding that only harms these frames is noticed: dark ones, where the error is large."""
    tower, _ = probed(tmp_path / "a", monkeypatch, ticks=1, error=3.0)
    tower.encode(np.full((4, 16, 16, 3), 250, np.uint8))
    assert tower.choice == ROUNDED
    tower, _ = probed(tmp_path / "b", monkeypatch, ticks=1, error=3.0)
    tower.encode(np.full((4, 16, 16, 3), 20, np.uint8))
    assert tower.choice == REFERENCE


def test_a_runtime_that_lacks_an_operator_is_no_choice(tmp_path: Path) -> None:
    def make(choice: Choice, threads: int | None) -> Slow:
        if choice == ROUNDED:
            raise ModelError("no such operator")
        return Slow(ticks=1, error=0, clock=[0])

    tower = ProbedTower(make, (REFERENCE, ROUNDED), note=tmp_path / "note", on_cpu=True)
    tower.encode(IMAGES)
    assert tower.choice == REFERENCE
    broken = ProbedTower(make, (ROUNDED, REFERENCE), note=tmp_path / "other", on_cpu=True)
    with pytest.raises(ModelError, match="no such operator"):
        broken.encode(IMAGES)


def test_what_is_tried_where(monkeypatch: pytest.MonkeyPatch) -> None:
    torch32, low = Choice("torch", "fp32"), Choice("torch", "bf16")
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    assert choices_on("cpu", has_graph=True) == (REFERENCE, ROUNDED)
    assert choices_on("cpu", has_graph=False) == (torch32,)
    assert choices_on("mps", has_graph=True) == (torch32,)
    assert choices_on("cuda:1", has_graph=True) == (torch32, Choice("torch", "fp16"))
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    assert choices_on("cpu", has_graph=True) == (REFERENCE, ROUNDED, torch32, low)
    trials = [Trial(REFERENCE, 1.0, 1.0), Trial(low, 0.3, 0.9995), Trial(ROUNDED, 0.2, 0.998)]
    assert fastest(trials) == low


def test_least_cosine() -> None:
    one = np.array([[1, 0], [1, 1]], np.float32)
    assert least_cosine(one, one * 3) == pytest.approx(1)
    assert least_cosine(one, np.array([[1, 0], [1, 0]], np.float32)) == pytest.approx(0.5**0.5)
    assert least_cosine(one, np.array([[np.nan, 0], [1, 1]], np.float32)) == -1
    assert least_cosine(one, np.zeros((2, 2), np.float32)) == -1


@pytest.mark.parametrize("name", ["fp32", "int8", "bf16", "fp16"])
def test_every_precision_gives_the_same_features(tiny_folder: Path, name: str) -> None:
    exact = load_bundle(tiny_folder, device="cpu", precision="fp32")
    side = exact.config.image.side
    images = np.concatenate([probe_images(side), probe_images(side)[::-1]])[:, ::-1]
    images = np.concatenate([images, np.full_like(images[:1], 7)] * 3)  # 27: not whole batches
    tower = load_bundle(tiny_folder, device="cpu", precision=name)
    assert least_cosine(exact.encode_frames(images), tower.encode_frames(images)) > 0.999


@pytest.mark.parametrize("name", ["fp32", "int8"])
def test_a_feature_does_not_depend_on_the_batch(tiny_folder: Path, name: str) -> None:
    tower = load_bundle(tiny_folder, device="cpu", precision=name)
    images = probe_images(tower.config.image.side)
    bright = np.full_like(images[:1], 255)  # would stretch a scale shared by the batch
    alone = np.concatenate([tower.encode_frames(image[None]) for image in images])
    together = tower.encode_frames(np.concatenate([images, bright] * 7))[: len(images)]
    np.testing.assert_allclose(alone, together, atol=2e-5 * np.abs(alone).max())


def test_graph_equals_open_clip(tiny: Bundle, tiny_folder: Path) -> None:
    """Both activations; torch is the reference here, the towers' test says the same of torch."""
    from c2v.encoder.towers.clip_image_torch import TorchImageTower

    images = probe_images(tiny.config.image.side)
    for quick in (True, False):
        config = copy.deepcopy(tiny.config)
        config.image.settings["quick_gelu"] = quick
        graph = OnnxClipTower.load(tiny_folder, config, precision="fp32", threads=1)
        module = TorchImageTower.load(tiny_folder, config, device="cpu", precision="fp32")
        np.testing.assert_allclose(graph.encode(images), module.encode(images), atol=1e-5)
    assert graph.encode(images[:0]).shape == (0, tiny.feature_dim)


@pytest.mark.parametrize(
    "change",
    [{"timm_model_name": "fastvit"}, {"layers": [3, 4, 6, 3]}, {"attentional_pool": "cascade"},
     {"patch_size": 33}, {"qk_norm": True}, {"pool_type": "none"}],
)  # fmt: skip
def test_other_towers_are_left_to_torch(change: dict[str, Any]) -> None:
    image = image_config(TINY, Preprocess())
    assert VisionShape.of(image) is not None
    image.settings["vision_cfg"].update(change)
    assert VisionShape.of(image) is None


def test_rounding_in_blocks() -> None:
    matrix = np.random.default_rng(0).standard_normal((5, 200)).astype(np.float32)
    matrix[:, :128] *= 100
    matrix[2] = 0
    levels, scales = round_blocks(matrix)
    assert levels.shape == (5, 2, 128)
    back = ((levels.astype(np.float32) - 128) * scales[..., None]).reshape(5, -1)[:, :200]
    error = np.abs(back - matrix)
    assert error[:, :128].max() <= np.abs(matrix).max() / 127 * 0.51
    assert error[:, 128:].max() <= np.abs(matrix[:, 128:]).max() / 127 * 0.51


def test_int8_is_refused_where_it_cannot_be_done(tiny_folder: Path) -> None:
    from c2v.encoder.bundle_config import read_config
    from c2v.encoder.towers.clip_image import make_clip_tower

    config = read_config(tiny_folder)
    with pytest.raises(ModelError, match="int8"):
        make_clip_tower(tiny_folder, config, device="mps", precision="int8")
    with pytest.raises(UsageError, match="int4"):
        load_bundle(tiny_folder, precision="int4")
    config.image.settings["vision_cfg"]["timm_model_name"] = "convnext_base"
    assert VisionShape.of(config.image) is None
    with pytest.raises(ModelError, match="int8 was asked for, which tiny cannot do$") as caught:
        Bundle(tiny_folder, config, precision="int8").check_parts()  # before any work
    assert "--precision auto" in caught.value.hint


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_a_precision_that_the_shipped_tower_has_not_is_refused(name: str) -> None:
    bundle = load_bundle("mini", precision=name)
    assert bundle.embed_text(["a dog"]).shape == (1, 511)  # no picture, no such wish
    with pytest.raises(ModelError, match=f"{name} was asked for, .*mini .*computes in int8") as no:
        bundle.check_parts()
    assert "--precision auto" in no.value.hint
    with pytest.raises(ModelError, match=name):
        bundle.encode_frames(np.zeros((1, 224, 224, 3), np.uint8))


def test_the_precision_of_the_shipped_tower_is_what_is_said_of_it() -> None:
    rounded = load_bundle("mini", precision="int8")
    rounded.check_parts()
    images = probe_images(224)
    np.testing.assert_array_equal(
        rounded.encode_frames(images), load_bundle("mini").encode_frames(images)
    )
    assert b"DequantizeLinear" in (rounded.directory / "image.onnx").read_bytes()


def test_an_answer_is_kept_for_as_long_as_what_it_is_about_stays(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions of what the choices run on, and of nothing else, are part of its name."""
    import importlib.metadata

    from c2v.encoder.bundle_config import read_config

    config = read_config(tiny_folder)
    graph = (REFERENCE, ROUNDED)
    both = (*graph, Choice("torch", "bf16"))
    versions = {"onnxruntime": "1", "torch": "1"}
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)

    def names() -> tuple[Path, Path]:
        return tuple(precision.note_path(config, "cpu", one) for one in (graph, both))  # type: ignore[return-value]

    first = names()
    assert first[0] != first[1]
    versions["torch"] = "2"
    assert (names()[0] == first[0], names()[1] == first[1]) == (True, False)
    del versions["torch"]  # it is not installed
    assert precision.note_path(config, "cpu", graph) == first[0]
    versions["onnxruntime"] = "2"
    assert precision.note_path(config, "cpu", graph) != first[0]


def test_probe_images_look_like_photographs() -> None:
    images = probe_images(64)
    assert images.shape == (4, 64, 64, 3)
    assert images.dtype == np.uint8
    neighbours = np.corrcoef(images[0, :, 1:, 0].ravel(), images[0, :, :-1, 0].ravel())[0, 1]
    assert neighbours > 0.7
    np.testing.assert_array_equal(images, probe_images(64))


def test_frames_on_a_cpu_without_bf16_never_import_torch(
    tiny_folder: Path, run_python: Callable[..., str]
) -> None:
    code = """
import sys
import numpy as np
from c2v.encoder import devices, load_bundle
from c2v.encoder.towers import precision
devices.gpu_in_sight = lambda: False
precision.cpu_has_bf16 = lambda: False
bundle = load_bundle("tiny")
side = bundle.config.image.side
features = bundle.encode_frames(np.zeros((3, side, side, 3), np.uint8))
bundle.embed_video(features[None], np.ones((1, 3), bool))
print(sorted({"torch", "open_clip", "onnx"} & set(sys.modules)))
"""
    assert run_python(code).strip() == "[]"

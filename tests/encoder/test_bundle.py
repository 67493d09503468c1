from __future__ import annotations

import doctest
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import c2v.encoder
from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.bundle_config import CONFIG_NAME, read_config
from c2v.encoder.heads import HeadSettings
from c2v.encoder.sealing import bundle_draft
from c2v.encoder.trained_bundle import save_bundle
from c2v.errors import DeviceError, ModelError, UsageError


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / CONFIG_NAME
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_frames_and_texts_meet(tiny: Bundle) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    features = tiny.encode_frames(images)
    assert features.shape == (4, tiny.feature_dim) == (4, 32)
    mask = np.array([[True, True, True, False]])
    video = tiny.embed_video(features[None].astype(np.float16), mask)
    unit = features[:3] / np.linalg.norm(features[:3], axis=1, keepdims=True)
    expected = unit.mean(axis=0)
    np.testing.assert_allclose(video[0], expected / np.linalg.norm(expected), atol=1e-3)
    texts = tiny.embed_text(["one", "two words"])
    assert texts.shape == (2, tiny.vector_dim)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-6)
    pooled = tiny.encode_text(["two words"]).pooled()
    np.testing.assert_allclose(texts[1], pooled[0] / np.linalg.norm(pooled), atol=1e-6)


def test_none_is_fine(tiny: Bundle) -> None:
    assert tiny.encode_frames(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 32)
    assert tiny.embed_text([]).shape == (0, 32)


@pytest.mark.parametrize("shape", [(32, 32, 3), (1, 31, 32, 3), (1, 3, 32, 32)])
def test_wrong_pictures_are_refused(tiny: Bundle, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"\[N, 32, 32, 3\]"):
        tiny.encode_frames(np.zeros(shape, np.uint8))
    with pytest.raises(ModelError, match="uint8"):
        tiny.encode_frames(np.zeros((1, 32, 32, 3), np.float32))  # type: ignore[arg-type]


def test_one_text_is_not_a_list(tiny: Bundle) -> None:
    with pytest.raises(TypeError, match="list"):
        tiny.embed_text("a dog")


def test_config_round_trip(tiny_folder: Path) -> None:
    config = read_config(tiny_folder)
    assert json.loads(config.to_json()) == json.loads((tiny_folder / CONFIG_NAME).read_text())
    assert config.head.type == "meanP"
    assert set(config.files) == {
        "image.safetensors", "text.safetensors", "tokenizer.safetensors", "extra.safetensors",
        "origin.json",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda c: c.pop("feature_dim"), "missing field feature_dim"),
        (lambda c: c["image"].pop("mean"), r"missing field image\.mean"),
        (lambda c: c.update(colour="red"), "unknown field colour"),
        (lambda c: c["text"].update(bpe=1), r"unknown field text\.bpe"),
        (lambda c: c["image"].update(side="224"), r"image\.side is '224', not of type int"),
        (lambda c: c["image"].update(side=True), r"image\.side is True"),
        (lambda c: c["image"].update(resize="longest"), r"image\.resize is 'longest'"),
        (lambda c: c["image"].update(std=[1, 1, 0]), "std"),
        (lambda c: c["files"]["text.safetensors"].pop("digest"), r"text\.safetensors\.digest"),
        (lambda c: c.update(format=9), "format 9"),
        (lambda c: c.update(head=[]), "head is not a JSON object"),
    ],
)
def test_bad_config_names_the_field(
    tiny_folder: Path, change: Callable[[dict[str, Any]], None], problem: str
) -> None:
    edit(tiny_folder, change)
    with pytest.raises(ModelError, match=problem):
        load_bundle("tiny", device="cpu")


def test_broken_json_names_the_file(tiny_folder: Path) -> None:
    (tiny_folder / CONFIG_NAME).write_text("{")
    with pytest.raises(ModelError, match=CONFIG_NAME):
        load_bundle(tiny_folder)
    with pytest.raises(ModelError, match="not an encoder bundle"):
        load_bundle(tiny_folder.parent)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["image"].update(interpolation="bilinear"),
        lambda c: c["text"].update(context=20),
        lambda c: c["head"]["settings"].update(layers=3),
        lambda c: c["image"].update(mean=[0.5, 0.5, 0.5]),
    ],
)
def test_edited_settings_are_noticed(
    tiny_folder: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    edit(tiny_folder, change)
    with pytest.raises(ModelError, match="was edited"):
        load_bundle("tiny")


def test_edited_files_are_noticed(tiny_folder: Path) -> None:
    path = tiny_folder / "image.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    bundle = load_bundle("tiny")  # the same size: only hashing tells
    with pytest.raises(ModelError, match=r"image\.safetensors was changed"):
        bundle.verify()
    path.write_bytes(content[:-1])
    with pytest.raises(ModelError, match=r"image\.safetensors has \d+ bytes"):
        load_bundle("tiny")
    path.unlink()
    with pytest.raises(ModelError, match=r"image\.safetensors is missing"):
        load_bundle("tiny")


def test_untouched_bundle_verifies(tiny: Bundle) -> None:
    tiny.verify()


def test_name_and_licence_may_be_edited(tiny_folder: Path) -> None:
    before = load_bundle("tiny").fingerprint
    edit(tiny_folder, lambda c: c.update(name="pet", licence="MIT"))
    assert load_bundle(tiny_folder).fingerprint == before


def test_devices_and_precisions(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match="--device gpu"):
        load_bundle("tiny", device="gpu")
    with pytest.raises(UsageError, match="--precision int4"):
        load_bundle("tiny", precision="int4")
    with pytest.raises(DeviceError, match="cuda:99"):
        load_bundle("tiny", device="cuda:99")
    exact = load_bundle("tiny", device="cpu", precision="fp32")
    rough = load_bundle("tiny", device="cpu", precision="bf16")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    gap = np.abs(exact.encode_frames(images) - rough.encode_frames(images)).max()
    assert 0 < gap < 0.1


def test_a_fine_tuned_head_shares_the_towers(tiny: Bundle) -> None:
    state = {
        "weight_center": np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32),
        "emb_center": np.zeros((3, 32), np.float32),
    }
    head = HeadSettings(
        type="clip2video", feature_dim=32, sim_type="meanP", center_proj="", centers=3
    )
    folder = save_bundle(
        "tuned", parent=tiny, head=head, head_state=state, documents={"metrics.json": "{}"}
    )
    tuned = load_bundle("tuned", device="cpu")
    assert tuned.directory == folder
    assert tuned.towers_fingerprint == tiny.towers_fingerprint
    assert tuned.fingerprint != tiny.fingerprint
    assert tuned.vector_dim == 64
    assert tuned.embed_text(["a dog"]).shape == (1, 64)
    assert (folder / "image.safetensors").samefile(tiny.directory / "image.safetensors")
    assert (folder / "metrics.json").read_text() == "{}"
    tuned.verify()
    with pytest.raises(ModelError, match="already"):
        save_bundle("tuned", parent=tiny, head=head, head_state=state)
    save_bundle("tuned", parent=tuned, head=head, head_state=state, overwrite=True)
    assert load_bundle("tuned").fingerprint == tuned.fingerprint


def test_trained_towers_are_new_files(tiny: Bundle, tiny_state: dict[str, Any]) -> None:
    before = (tiny.directory / "image.safetensors").read_bytes()
    changed = tiny_state | {"visual.proj": tiny_state["visual.proj"] * 2}
    head = HeadSettings(type="meanP", feature_dim=32)
    save_bundle("trained", parent=tiny, head=head, head_state={}, towers=changed)
    trained = load_bundle("trained", device="cpu")
    assert trained.towers_fingerprint != tiny.towers_fingerprint
    images = np.full((1, 32, 32, 3), 90, np.uint8)
    np.testing.assert_allclose(
        trained.encode_frames(images), 2 * tiny.encode_frames(images), rtol=1e-5, atol=1e-6
    )
    assert (tiny.directory / "image.safetensors").read_bytes() == before
    partial = {name: value for name, value in changed.items() if name != "visual.proj"}
    with pytest.raises(ModelError, match="proj"):
        save_bundle("partial", parent=tiny, head=head, head_state={}, towers=partial)
    assert not (tiny.directory.parent / "partial").exists()


def test_a_failed_draft_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "models" / "new"

    def write_half() -> None:
        with bundle_draft(target) as draft:
            (draft / "half").write_text("written")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list(target.parent.iterdir()) == []


def test_overwriting_replaces_the_whole(tmp_path: Path) -> None:
    target = tmp_path / "models" / "new"
    for name in ("first", "second"):
        with bundle_draft(target, overwrite=True) as draft:
            (draft / name).write_text(name)
    assert [path.name for path in target.iterdir()] == ["second"]
    assert list(target.parent.iterdir()) == [target]


def test_public_names() -> None:
    assert c2v.encoder.Bundle is Bundle
    assert c2v.encoder.load_bundle is load_bundle
    for name in c2v.encoder.__all__:
        assert getattr(c2v.encoder, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = c2v.encoder.nonsense


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_documented_example_runs() -> None:
    """On ``mini``, the encoder that ships."""
    done = doctest.testmod(c2v.encoder, verbose=False)
    assert done.attempted > 5
    assert done.failed == 0


def test_importing_the_package_costs_nothing(run_python: Callable[..., str]) -> None:
    code = "import sys, c2v.encoder; print('numpy' in sys.modules, 'torch' in sys.modules)"
    assert run_python(code).strip() == "False False"

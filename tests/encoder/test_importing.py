from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from c2v.encoder.architecture import model_config
from c2v.encoder.bundle import load_bundle
from c2v.encoder.catalogue import export_checkpoint, import_checkpoint
from c2v.encoder.clip_bundle import ClipSource, write_clip_bundle
from c2v.encoder.heads import HeadSettings
from c2v.encoder.heads.build import new_head
from c2v.encoder.registry import bundle_folder
from c2v.encoder.sources.importing import only_fit
from c2v.errors import ModelError, UsageError
from tests.toys import make_state

from .conftest import TINY

HALF = ("in_proj_weight", "out_proj", "c_fc", "c_proj", "conv1", "text_projection", "visual.proj")


def official_state(tiny_state: dict[str, Any], **head: Any) -> dict[str, Any]:
    """A checkpoint in the official layout, with fp16 where the released files have it."""
    torch.manual_seed(1)
    settings = HeadSettings(**({"feature_dim": 32, "layers": 1} | head))
    state = {}
    for name, value in new_head(settings).state_dict().items():
        state[name] = 0.1 * torch.randn_like(value)
    for name, value in tiny_state.items():
        state["clip." + name] = value.half() if any(part in name for part in HALF) else value
    return state


def write(state: dict[str, Any], path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file({name: value.contiguous() for name, value in state.items()}, str(path))
    else:
        torch.save(state, path)
    return path


def assert_bitwise(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert list(left) == list(right)
    for name, value in left.items():
        assert value.dtype == right[name].dtype, name
        assert value.shape == right[name].shape, name
        assert torch.equal(value, right[name]), name


@pytest.mark.parametrize("head", ["clip2video", "meanP", "seqLSTM", "seqTransf", "tightTransf"])
def test_round_trip_is_bitwise(tiny_state: dict[str, Any], tmp_path: Path, head: str) -> None:
    state = official_state(tiny_state, type=head)
    source = write(state, tmp_path / "pytorch_model.bin.2")
    folder = import_checkpoint(source, name="paper")
    bundle = load_bundle("paper", device="cpu")
    assert bundle.directory == folder
    assert bundle.config.head.type == head
    assert bundle.config.text.context == 32
    assert bundle.vector_dim == (64 if head == "clip2video" else 32)
    bundle.verify()
    features = bundle.encode_frames(np.zeros((3, 32, 32, 3), np.uint8))
    video = bundle.embed_video(features[None], np.ones((1, 3), bool))
    assert video.shape == bundle.embed_text(["a dog"]).shape == (1, bundle.vector_dim)
    for name in ("again.bin", "again.safetensors"):
        export_checkpoint("paper", tmp_path / name)
    assert_bitwise(state, torch.load(tmp_path / "again.bin", weights_only=True))
    again = load_file(tmp_path / "again.safetensors")
    assert_bitwise({key: state[key] for key in again}, again)
    assert len(again) == len(state)


def test_towers_are_those_of_the_reference(tiny_state: dict[str, Any], tmp_path: Path) -> None:
    """The bundle scores as the reference module does, through files and NumPy."""
    from c2v.encoder import from_official

    state = official_state(tiny_state, type="clip2video")
    import_checkpoint(write(state, tmp_path / "model.bin"), name="paper")
    bundle = load_bundle("paper", device="cpu", precision="fp32")
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 32, 32, 3), dtype=np.uint8)
    mask = np.array([[True] * 5, [True] * 3 + [False] * 2])
    features = bundle.encode_frames(images.reshape(-1, 32, 32, 3)).reshape(2, 5, 32)
    texts = ["a dog catching a frisbee", "a man", "cars at night " * 20]
    mine = bundle.embed_text(texts) @ bundle.embed_video(features, mask).T

    ids, words = bundle.tokenizer.encode(texts)
    image = bundle.config.image
    mean, std = (np.array(x, np.float32).reshape(3, 1, 1) for x in (image.mean, image.std))
    video = (images.transpose(0, 1, 4, 2, 3) / np.float32(255) - mean) / std
    module = from_official(state)
    with torch.inference_mode():
        score = module.score(
            torch.from_numpy(ids), torch.from_numpy(words).long(),
            torch.from_numpy(video.astype(np.float32)), torch.from_numpy(mask).long(),
        )  # fmt: skip
    np.testing.assert_allclose(
        mine * np.exp(state["clip.logit_scale"].item()), score.numpy(), atol=2e-4
    )


def test_settings_override_the_keys(tiny_state: dict[str, Any], tmp_path: Path) -> None:
    path = write(official_state(tiny_state, type="seqTransf"), tmp_path / "model.bin")
    import_checkpoint(path, name="plain", head="meanP", words=64)
    assert load_bundle("plain").config.head.type == "meanP"
    assert load_bundle("plain").config.text.context == 64
    with pytest.raises(ModelError, match="seqTransf head, not clip2video"):
        import_checkpoint(path, name="wrong", head="clip2video")
    path = write(official_state(tiny_state, type="clip2video"), tmp_path / "paper.bin")
    import_checkpoint(path, name="paper", center_weight=0.75)
    assert load_bundle("paper").config.head.settings["center_weight"] == 0.75


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s: s.pop("clip.visual.proj"), r"clip\.visual\.proj"),
        (lambda s: s.pop("clip.transformer.resblocks.1.ln_2.bias"), r"ln_2\.bias"),
        (lambda s: s.pop("weight_center"), "weight_center"),
        (lambda s: s.update({"decoder.weight": torch.zeros(1)}), r"decoder\.weight"),
        (lambda s: s.update({"clip.ln_final.bias": torch.zeros(3)}), r"ln_final\.bias"),
        (lambda s: s.update({"clip.visual.conv2.weight": torch.zeros(64, 3, 3, 16, 16)}), "3d"),
        (lambda s: s.clear(), "no state dict"),
    ],
)
def test_strict_and_nothing_half_written(
    tiny_state: dict[str, Any], tmp_path: Path, home: Path, change: Any, problem: str
) -> None:
    state = official_state(tiny_state, type="clip2video")
    change(state)
    with pytest.raises(ModelError, match=problem):
        import_checkpoint(write(state, tmp_path / "model.bin"), name="paper")
    models = home / "data" / "models"
    assert not models.exists() or list(models.iterdir()) == []


def test_bare_clip(tiny_state: dict[str, Any], tmp_path: Path) -> None:
    """A toy fits no architecture of open_clip, and one that fits two must be told."""
    path = write(tiny_state, tmp_path / "clip.safetensors")
    with pytest.raises(ModelError, match="fits no architecture"):
        import_checkpoint(path, name="clip")
    with pytest.raises(ModelError, match="the text tower"):
        import_checkpoint(path, name="clip", architecture="ViT-B-32")
    with pytest.raises(ModelError, match="the text tower"):
        import_checkpoint(path, name="ViT-B-32")  # the architecture that is fetched by this name
    with torch.device("meta"):
        state = make_state(model_config("ViT-B-32-quickgelu"))
    with pytest.raises(ModelError, match="ViT-B-32, ViT-B-32-quickgelu") as caught:
        only_fit(state, path)
    assert "--architecture" in caught.value.hint
    path = write(make_state(model_config("ViT-S-32-alt")), tmp_path / "small.safetensors")
    import_checkpoint(path, name="clip")
    assert load_bundle("clip").config.source.endswith("as ViT-S-32-alt")


def test_names(tiny_folder: Path, tiny_state: dict[str, Any], tmp_path: Path) -> None:
    path = write(official_state(tiny_state, type="meanP"), tmp_path / "model.bin")
    with pytest.raises(ModelError, match="already") as caught:
        import_checkpoint(path, name="tiny")
    assert "--overwrite" in caught.value.hint
    import_checkpoint(path, name="tiny", overwrite=True)
    assert load_bundle("tiny").config.text.context == 32
    for name in ("../up", "", ".hidden", "a/b", "auto"):
        with pytest.raises(UsageError):
            import_checkpoint(path, name=name)
    with pytest.raises(ModelError, match=r"absent\.bin"):
        import_checkpoint(tmp_path / "absent.bin", name="other")
    with pytest.raises(ModelError, match="no model named 'nobody'"):
        export_checkpoint("nobody", tmp_path / "out.bin")


def test_half_precision_of_any_kind_survives(tiny_state: dict[str, Any], tmp_path: Path) -> None:
    state = official_state(tiny_state, type="meanP")
    state = {
        name: value.bfloat16() if value.dtype == torch.float16 else value
        for name, value in state.items()
    }
    import_checkpoint(write(state, tmp_path / "model.bin"), name="brain")
    export_checkpoint("brain", tmp_path / "again.bin")
    assert_bitwise(state, torch.load(tmp_path / "again.bin", weights_only=True))


def test_custom_text_layout(tmp_path: Path) -> None:
    """Models whose text tower is a module of its own (MobileCLIP2, PE) have other key names."""
    model = TINY | {"custom_text": True, "quick_gelu": False}
    clip = ClipSource(state=make_state(model), model=model)
    write_clip_bundle(bundle_folder("custom"), name="custom", clip=clip)
    assert load_bundle("custom").embed_text(["a dog"]).shape == (1, 32)
    origin = json.loads((bundle_folder("custom") / "origin.json").read_text())
    assert origin["towers"] == {}


def test_a_light_install_imports_safetensors(
    tmp_path: Path, run_python: Callable[..., str]
) -> None:
    """PE-Core as timm's repositories have it: told from its shapes, without PyTorch; what takes it
    is said."""
    from c2v.encoder.architecture import Preprocess, image_config, text_architecture
    from c2v.encoder.known_architectures import known_architecture
    from c2v.encoder.tensors import write_tensors
    from c2v.encoder.towers.vision_shape import VisionShape

    model = known_architecture("PE-Core-T-16-384")
    assert model is not None
    shape = VisionShape.of(image_config(model, Preprocess()))
    assert shape is not None
    shapes = {f"visual.{name}": size for name, size in shape.tensors().items()}
    shapes |= {f"text.{name}": size for name, size in text_architecture(model).shapes().items()}
    state = {name: np.full(size, 0.01, np.float16) for name, size in shapes.items()}
    write_tensors(tmp_path / "pe.safetensors", state | {"logit_scale": np.ones((), np.float32)})
    code = """
import sys
from pathlib import Path
sys.modules["torch"] = sys.modules["open_clip"] = sys.modules["timm"] = None
import numpy as np
from c2v.encoder import load_bundle
from c2v.encoder.catalogue import import_checkpoint
from c2v.errors import MissingPartError
folder = Path(sys.argv[1])
import_checkpoint(folder / "pe.safetensors", name="pe")
bundle = load_bundle("pe", precision="fp32")
print(bundle.config.source)
print(bundle.config.image.resize, bundle.config.image.interpolation, bundle.config.image.mean)
print(bundle.embed_text(["a dog"]).shape, bundle.config.text.context)
print(bundle.encode_frames(np.zeros((1, 384, 384, 3), np.uint8)).shape)
(folder / "pe.bin").write_bytes(b"something else")
try:
    import_checkpoint(folder / "pe.bin", name="other")
except MissingPartError as error:
    print(error.message)
"""
    assert run_python(code, str(tmp_path)).splitlines() == [
        "imported from pe.safetensors as PE-Core-T-16-384",
        "squash bilinear (0.5, 0.5, 0.5)",
        "(1, 512) 32",
        "(1, 512)",
        "c2v model import needs PyTorch and open_clip, which are not installed",
    ]

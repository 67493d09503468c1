from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from c2v.encoder.architecture import (
    Preprocess,
    architectures,
    clip_merges,
    image_config,
    model_config,
    text_architecture,
    text_config,
)
from c2v.encoder.bundle import Bundle
from c2v.encoder.clip_bundle import split_towers
from c2v.encoder.tensors import read_tensors, write_tensors
from c2v.encoder.text.tokenizer import ClipTokenizer
from c2v.encoder.towers import ImageTower
from c2v.encoder.towers.clip_image_onnx import OnnxClipTower
from c2v.encoder.towers.clip_image_torch import (
    TorchImageTower,
    load_visual,
    visual_shapes,
)
from c2v.encoder.towers.clip_text_numpy import ClipTextTower, TextArchitecture
from c2v.encoder.towers.precision import least_cosine
from c2v.encoder.towers.vision_shape import VisionShape
from c2v.errors import DeviceError, ModelError
from tests.toys import make_state

from .conftest import TINY

TEXTS = ["a dog catching a frisbee", "", "many words " * 50, "cut"]


def variant(**text: Any) -> dict[str, Any]:
    model = copy.deepcopy(TINY)
    model["custom_text"] = True
    model["quick_gelu"] = text.pop("quick_gelu", False)
    model["text_cfg"] |= text
    return model


VARIANTS = {
    "openai": TINY,
    "gelu": variant(),
    "gelu_tanh": variant(act_kwargs={"approximate": "tanh"}),
    "two heads, wide mlp": variant(heads=2, mlp_ratio=2.5),
    "not causal": variant(no_causal_mask=True),
    "short": variant(context_length=16),
    "last": variant(no_causal_mask=True, pool_type="last", proj_bias=True,
                    norm_kwargs={"eps": 1e-6}),
    "first": variant(no_causal_mask=True, pool_type="first"),
    "causal last": variant(pool_type="last"),
}  # fmt: skip


def torch_text(model: dict[str, Any], state: dict[str, Any], ids: Any) -> tuple[Any, Any]:
    """Pooled and token features by open_clip: [N, D], [N, L, D]."""
    import open_clip

    kind = open_clip.CustomTextCLIP if model.get("custom_text") else open_clip.CLIP
    made = kind(
        model["embed_dim"], model["vision_cfg"], model["text_cfg"],
        quick_gelu=model.get("quick_gelu", False),
    ).eval()  # fmt: skip
    made.load_state_dict(state)
    tower = made.text if model.get("custom_text") else made
    with torch.inference_mode():
        length = ids.shape[1]
        x = tower.token_embedding(ids) + tower.positional_embedding[:length]
        x = tower.ln_final(tower.transformer(x, attn_mask=tower.attn_mask))
        project = tower.text_projection
        tokens = project(x) if isinstance(project, torch.nn.Linear) else x @ project
        return made.encode_text(ids).numpy(), tokens.numpy()


@pytest.mark.parametrize("name", VARIANTS)
def test_text_tower_equals_torch(name: str) -> None:
    model = VARIANTS[name]
    state = make_state(model)
    config = text_config(model)
    tower = ClipTextTower(TextArchitecture.from_settings(config.settings), split_towers(state)[1])
    merges = clip_merges()
    ids, mask = ClipTokenizer(merges["pairs"], merges["ids"], config).encode(TEXTS)
    features = tower.encode(ids, mask)
    pooled, tokens = torch_text(model, state, torch.from_numpy(ids))
    length = features.tokens.shape[1]
    assert length == mask.sum(axis=1).max()
    np.testing.assert_array_equal(features.mask, mask[:, :length])
    np.testing.assert_allclose(features.pooled(), pooled, atol=1e-5, rtol=0)
    words = features.mask.copy()
    if tower.architecture.pool != "end":  # there the last position holds the pooled token
        words[np.arange(len(words)), words.sum(axis=1) - 1] = False
    np.testing.assert_allclose(features.tokens[words], tokens[:, :length][words], atol=1e-5, rtol=0)


def test_text_tower_batch_equals_single(tiny: Bundle) -> None:
    texts = [f"{'very ' * (n % 20)}old dog number {n}" for n in range(300)]
    many = tiny.encode_text(texts)
    for index in (0, 19, 150, 299):
        one = tiny.encode_text(texts[index : index + 1])
        np.testing.assert_allclose(one.pooled()[0], many.pooled()[index], atol=1e-5)
    assert tiny.encode_text([]).tokens.shape == (0, 1, 32)


def test_text_tower_is_strict(tiny_state: dict[str, Any]) -> None:
    shape = text_architecture(TINY)
    weights = split_towers(tiny_state)[1]
    missing = {name: value for name, value in weights.items() if name != "ln_final.bias"}
    with pytest.raises(ModelError, match=r"missing.*ln_final\.bias"):
        ClipTextTower(shape, missing)
    with pytest.raises(ModelError, match=r"unknown.*surplus"):
        ClipTextTower(shape, weights | {"surplus": weights["ln_final.bias"]})
    with pytest.raises(ModelError, match=r"ln_final\.bias has shape"):
        ClipTextTower(shape, weights | {"ln_final.bias": np.zeros(3, np.float32)})
    half = weights["ln_final.bias"].astype(np.float16)
    with pytest.raises(ModelError, match="float16"):
        ClipTextTower(shape, weights | {"ln_final.bias": half})
    with pytest.raises(ModelError, match="missing field activation"):
        TextArchitecture.from_settings({"width": 3})


@pytest.mark.parametrize(
    ("architecture", "changes", "reason"),
    [
        ("ViT-B-16-SigLIP2", {}, "needs the tokenizer of timm/ViT-B-16-SigLIP2"),
        ("ViT-B-16", {"pool_type": "none"}, "pools by 'none'"),
        ("ViT-B-16", {"proj_type": "none", "width": 256}, "no projection from 256 to 512"),
        ("ViT-B-16", {"qk_norm": True}, "uses qk_norm"),
        ("ViT-B-16", {"vocab_size": 32000}, "its tokenizer is not CLIP's own"),
        ("roberta-ViT-B-32", {"hf_pooler_type": "max_pooler"}, "max_pooler"),
        ("roberta-ViT-B-32", {"hf_proj_type": "odd"}, "projection 'odd'"),
        ("roberta-ViT-B-32", {"hf_model_name": "some/model"}, "some/model of transformers"),
        ("roberta-ViT-B-32", {"hf_config": {"model_type": "gpt2"}}, "a 'gpt2' of transformers"),
        ("roberta-ViT-B-32", {"hf_config": {"model_type": "bert"}}, "has no 'hidden_size'"),
    ],
)
def test_what_cannot_run_is_said(architecture: str, changes: dict[str, Any], reason: str) -> None:
    model = copy.deepcopy(model_config(architecture))
    model["text_cfg"] |= changes
    with pytest.raises(ModelError, match=reason):
        text_config(model)


def test_settings_of_the_towers_of_before_stay_what_they_were() -> None:
    """They are part of the fingerprint that libraries hold."""
    assert text_config(model_config("ViT-B-32-quickgelu")).settings == {
        "vocab_size": 49408, "context": 77, "width": 512, "heads": 8, "layers": 12,
        "mlp_width": 2048, "output_dim": 512, "activation": "quick_gelu", "causal": True,
        "pool": "end", "eps": 1e-5, "projection_bias": False,
    }  # fmt: skip


def test_every_text_tower_of_open_clip_is_understood() -> None:
    for name in architectures("a test"):
        shape = text_architecture(model_config(name))
        again = type(shape).from_settings(json.loads(json.dumps(shape.settings())))
        assert again == shape, name


@pytest.mark.parametrize(
    ("architecture", "causal", "activation", "width", "context"),
    [
        ("ViT-B-16-quickgelu", True, "quick_gelu", 512, 77),
        ("ViT-L-14", True, "gelu", 768, 77),
        ("MobileCLIP2-S0", False, "gelu", 512, 77),
        ("PE-Core-B-16", True, "gelu", 1024, 32),
    ],
)
def test_named_models_are_understood(
    architecture: str, causal: bool, activation: str, width: int, context: int
) -> None:
    shape = text_architecture(model_config(architecture))
    assert (shape.causal, shape.activation, shape.width, shape.context) == (
        causal, activation, width, context,
    )  # fmt: skip
    assert text_config(model_config(architecture)).context == context


def test_unknown_architecture_has_a_hint() -> None:
    with pytest.raises(ModelError, match="ViT-B-61") as caught:
        model_config("ViT-B-61")
    assert "ViT-B-16" in caught.value.hint


def reference_features(model: dict[str, Any], state: dict[str, Any], images: Any) -> Any:
    """What open_clip gives for the pictures, preprocessed as torchvision does."""
    import open_clip

    made = open_clip.CLIP(
        model["embed_dim"], model["vision_cfg"], model["text_cfg"], quick_gelu=model["quick_gelu"]
    ).eval()
    made.load_state_dict(state)
    preprocess = Preprocess()
    mean, std = (torch.tensor(x)[:, None, None] for x in (preprocess.mean, preprocess.std))
    x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / std
    with torch.inference_mode():
        return made.encode_image(x).numpy()


@pytest.mark.parametrize("count", [1, 5, 33, 70])
def test_image_tower_equals_open_clip(tiny: Bundle, tiny_state: dict[str, Any], count: int) -> None:
    images = np.random.default_rng(count).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    features = tiny.encode_frames(images)
    assert features.dtype == np.float32
    expected = reference_features(TINY, tiny_state, images)
    np.testing.assert_allclose(features, expected, atol=2e-6)


def test_image_tower_is_strict(tmp_path: Path, tiny_state: dict[str, Any]) -> None:
    settings = image_config(TINY, Preprocess()).settings
    weights = split_towers(tiny_state)[0]
    assert visual_shapes(settings) == {name: value.shape for name, value in weights.items()}
    path = tmp_path / "image.safetensors"
    write_tensors(path, {name: value for name, value in weights.items() if name != "proj"})
    with pytest.raises(ModelError, match=r"missing.*proj"):
        load_visual(settings, path)
    write_tensors(path, weights | {"conv2.weight": weights["proj"]})
    with pytest.raises(ModelError, match=r"unknown.*conv2"):
        load_visual(settings, path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ModelError, match="cannot be read"):
        load_visual(settings, path)


class Hungry(torch.nn.Module):
    """Runs out of memory above a number of pictures; gives the mean colour."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.seen: list[int] = []

    def forward(self, x: Any) -> Any:
        self.seen.append(len(x))
        if len(x) > self.most:
            raise torch.OutOfMemoryError("too many")
        return x.mean(dim=(2, 3))


def test_batch_is_halved_when_memory_runs_out() -> None:
    module = Hungry(most=5)
    tower = TorchImageTower(module, mean=(0, 0, 0), std=(1, 1, 1), device="cpu", precision="fp32")
    images = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    features = tower.encode(images)
    np.testing.assert_allclose(features[:, 0], np.arange(40) / 255, atol=1e-6)
    assert module.seen[:3] == [32, 16, 8]
    assert set(module.seen[3:]) == {4}
    with pytest.raises(DeviceError, match="one frame"):
        TorchImageTower(
            Hungry(most=0), mean=(0, 0, 0), std=(1, 1, 1), device="cpu", precision="fp32"
        ).encode(images)


def test_text_never_imports_a_framework(tiny_folder: Path, run_python: Callable[..., str]) -> None:
    code = """
import sys
from c2v.encoder import load_bundle
bundle = load_bundle("tiny")
vectors = bundle.embed_text(["a dog catching a frisbee"])
assert vectors.shape == (1, 32), vectors.shape
heavy = {"torch", "open_clip", "torchvision", "onnxruntime", "transformers", "tokenizers",
         "huggingface_hub", "safetensors", "PIL", "av", "decord"}
print(sorted(heavy & set(sys.modules)))
"""
    assert run_python(code).strip() == "[]"


@pytest.fixture(scope="session")
def real_shape(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """ViT-B/32 of the real shape with random weights (605 MB): its state and a folder."""
    return make_state(model_config("ViT-B-32-quickgelu")), tmp_path_factory.mktemp("real")


def test_real_shape_equals_open_clip(real_shape: tuple[dict[str, Any], Path]) -> None:
    """Both towers of ViT-B-32, through files as a bundle has them."""
    state, folder = real_shape
    model = model_config("ViT-B-32-quickgelu")
    assert len(state) == 302
    visual, textual, extra = split_towers(state)
    assert list(extra) == ["logit_scale"]
    write_tensors(folder / "text.safetensors", textual)
    write_tensors(folder / "image.safetensors", visual)

    config = text_config(model)
    merges = clip_merges()
    ids, mask = ClipTokenizer(merges["pairs"], merges["ids"], config).encode(TEXTS)
    shape = TextArchitecture.from_settings(config.settings)
    features = ClipTextTower(shape, read_tensors(folder / "text.safetensors")).encode(ids, mask)
    pooled, tokens = torch_text(model, state, torch.from_numpy(ids))
    np.testing.assert_allclose(features.pooled(), pooled, atol=1e-5, rtol=0)
    words = features.mask
    length = words.shape[1]
    np.testing.assert_allclose(features.tokens[words], tokens[:, :length][words], atol=1e-5, rtol=0)

    image = image_config(model, Preprocess())
    tower: ImageTower = TorchImageTower(
        load_visual(image.settings, folder / "image.safetensors"),
        mean=image.mean, std=image.std, device="cpu", precision="fp32",
    )  # fmt: skip
    images = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    expected = reference_features(model, state, images)
    np.testing.assert_allclose(tower.encode(images), expected, atol=1e-5)
    vision = VisionShape.of(image)
    assert vision is not None
    weights = read_tensors(folder / "image.safetensors")
    for precision, worst in (("fp32", 1e-6), ("int8", 1e-3)):
        tower = OnnxClipTower(weights, vision, image, precision=precision)
        assert 1 - least_cosine(expected, tower.encode(images)) < worst, precision

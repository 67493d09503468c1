"""Image towers of open_clip's vision transformers without torch, beside open_clip and timm."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from c2v.encoder.architecture import Preprocess, architectures, image_config, model_config
from c2v.encoder.bundle import load_bundle
from c2v.encoder.bundle_config import ImageConfig
from c2v.encoder.registry import bundle_folder
from c2v.encoder.towers.clip_image_onnx import OnnxClipTower
from c2v.encoder.towers.clip_image_torch import (
    TorchImageTower,
    build_visual,
    normalised,
    visual_shapes,
)
from c2v.encoder.towers.precision import least_cosine, probe_images
from c2v.encoder.towers.vision_shape import VisionShape
from c2v.errors import MissingPartError, ModelError
from tests import toys

PE_MEAN = Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bilinear", resize="squash")
TOLERANCE = 1e-5
LEAST_COSINE_OF_INT8 = 0.995  # of toys: rounding weighs more where layers are narrow


def shape_of(architecture: str) -> tuple[VisionShape, ImageConfig]:
    image = image_config(model_config(architecture), PE_MEAN)
    shape = VisionShape.of(image)
    assert shape is not None, architecture
    return shape, image


def of_timm(pattern: str) -> list[str]:
    """One of open_clip's architectures for each transformer of timm's."""
    found: dict[str, str] = {}
    for name in architectures("a test"):
        trunk = model_config(name)["vision_cfg"].get("timm_model_name", "")
        if pattern in trunk:
            found.setdefault(trunk, name)
    return list(found.values())


def make_peaked(module: torch.nn.Module) -> None:
    """Random weights by which attention has preferences, so that what it sees matters."""
    torch.manual_seed(0)
    asking = ("qkv", "in_proj_weight", ".kv.", ".q.", "q_proj", "k_proj")
    with torch.no_grad():
        for name, value in module.named_parameters():
            drawn = torch.randn_like(value)
            if value.ndim == 2:
                strength = 2.0 if any(word in name for word in asking) else 0.7
                value.copy_(strength * drawn / value.shape[-1] ** 0.5)
            elif value.ndim == 1:
                is_scale = name.endswith(("weight", "gamma"))
                value.copy_(0.2 * drawn + (1 if is_scale else 0))
            else:
                value.copy_((0.05 if value.ndim == 4 else 0.5) * drawn)


def features_of(module: torch.nn.Module, images: Any, image: ImageConfig) -> Any:
    with torch.inference_mode():
        mean, std = torch.tensor(image.mean), torch.tensor(image.std)
        return module(normalised(torch.from_numpy(images), mean=mean, std=std)).numpy()


def check(shape: VisionShape, module: torch.nn.Module, image: ImageConfig, prefix: str) -> None:
    """The graph over the weights of a module gives its features, whole and rounded to 8 bits."""
    state = {prefix + name: value.numpy() for name, value in module.state_dict().items()}
    assert {name: value.shape for name, value in state.items()} == shape.tensors()
    images = probe_images(shape.side)
    expected = features_of(module, images, image)
    found = OnnxClipTower(state, shape, image, precision="fp32").encode(images)
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found / lengths, expected / lengths, atol=TOLERANCE, rtol=0)
    one, two = (expected / lengths)[:2]
    assert np.abs(one - two).max() > 100 * TOLERANCE, "all pictures are alike to these weights"
    rounded = OnnxClipTower(state, shape, image, precision="int8").encode(images)
    assert least_cosine(expected, rounded) > LEAST_COSINE_OF_INT8


@pytest.mark.parametrize("architecture", [*of_timm("siglip"), *of_timm("pe_core")])
def test_a_transformer_of_timm_at_toy_size(architecture: str) -> None:
    """Every variant that open_clip uses: two layers of it, and its pictures five patches wide."""
    import timm

    shape, image = shape_of(architecture)
    heads, width, output = 4, 96, 96 if shape.projection == "none" else 40
    ratio = shape.mlp_width / shape.width
    side = 5 * shape.patch + shape.side % shape.patch
    module = timm.create_model(
        image.settings["vision_cfg"]["timm_model_name"],
        num_classes=0 if shape.projection == "none" else output,
        global_pool="map", img_size=side, embed_dim=width, depth=2, num_heads=heads,
        **({"ref_feat_shape": (5, 5)} if shape.rotary is not None else {}),
    ).eval()  # fmt: skip
    make_peaked(module)
    small = dataclasses.replace(
        shape, side=side, width=width, layers=2, heads=heads, output_dim=output,
        mlp_width=int(width * ratio), pool_mlp_width=module.attn_pool.mlp.fc1.out_features,
        pool_heads=module.attn_pool.num_heads,
    )  # fmt: skip
    assert (module.attn_pool.num_heads == heads) == (shape.pool_heads == shape.heads)
    check(small, module, image, "trunk.")


OWN: dict[str, dict[str, Any]] = {
    "plain": {},
    "CLIPA": {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True},
    "average of what is normed": {"pool_type": "avg"},
    "CoCa": {"attentional_pool": True, "attn_pooler_heads": 8, "output_tokens": True},
    "CoCa, no wider than the joint space": {"attentional_pool": True, "width": 32},
    "few queries": {"attentional_pool": True, "attn_pooler_queries": 3, "attn_pooler_heads": 4},
    "scales of layers": {"ls_init_value": 1e-4},
    "patches that are not whole": {"image_size": 38},
}


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("name", OWN)
def test_a_transformer_of_open_clip(name: str, quick: bool) -> None:
    model = copy.deepcopy(toys.TINY) | {"embed_dim": 32, "quick_gelu": quick}
    model["vision_cfg"] |= {"head_width": 16, "width": 64} | OWN[name]
    image = image_config(model, PE_MEAN)
    shape = VisionShape.of(image)
    assert shape is not None
    module = build_visual(image.settings)
    make_peaked(module)
    check(shape, module, image, "")


def test_torch_gives_the_feature_of_coca_alone() -> None:
    """open_clip's module would give the tokens for the decoder beside it."""
    model = copy.deepcopy(toys.TINY)
    model["vision_cfg"] |= OWN["CoCa"]
    image = image_config(model, PE_MEAN)
    shape = VisionShape.of(image)
    assert shape is not None
    module = build_visual(image.settings)
    make_peaked(module)
    images = probe_images(image.side)
    state = {name: value.numpy() for name, value in module.state_dict().items()}
    graph = OnnxClipTower(state, shape, image, precision="fp32")
    tower = TorchImageTower(module, mean=image.mean, std=image.std, device="cpu", precision="fp32")
    np.testing.assert_allclose(tower.encode(images), graph.encode(images), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("architecture", ["PE-Core-T-16-384", "coca_ViT-B-32", "ViT-M-16-alt"])
def test_shapes_are_open_clips(architecture: str) -> None:
    """At the real size: names and shapes of all weights."""
    shape, image = shape_of(architecture)
    assert shape.tensors() == visual_shapes(image.settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture",
    [*of_timm("siglip"), *of_timm("pe_core"), "ViT-L-14-CLIPA-336", "ViT-bigG-14-CLIPA"],
)
def test_shapes_of_the_others_are_open_clips(architecture: str) -> None:
    test_shapes_are_open_clips(architecture)


@pytest.mark.parametrize(
    "change",
    [{"timm_model_name": "vit_base_patch16_siglip_gap_224"}, {"timm_proj": "linear"},
     {"timm_pool": "avg"}, {"image_size": 256}, {"timm_model_name": "vit_base_patch16_clip_224"}],
)  # fmt: skip
def test_what_is_not_understood_is_left_to_torch(change: dict[str, Any]) -> None:
    model = copy.deepcopy(model_config("ViT-B-16-SigLIP"))
    assert VisionShape.of(image_config(model, PE_MEAN)) is not None
    model["vision_cfg"] |= change
    assert VisionShape.of(image_config(model, PE_MEAN)) is None


def test_a_tower_that_takes_torch_says_so(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """ConvNeXt and its like: one sentence before any work, and the command that brings it."""
    from c2v.encoder.bundle_config import read_config
    from c2v.encoder.towers.clip_image import check_parts

    config = read_config(toys.write_bundle(bundle_folder("tiny")))
    config.image.settings["vision_cfg"]["timm_model_name"] = "convnext_base"
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingPartError, match="the model tiny needs PyTorch") as caught:
        check_parts(config, device="auto", precision="auto")
    assert "[clip]" in caught.value.hint


@pytest.fixture(scope="module")
def pe_core() -> tuple[dict[str, Any], Any]:
    """PE-Core-T-16-384 with its real image tower, a small text tower, and open_clip's module."""
    import open_clip

    model = copy.deepcopy(model_config("PE-Core-T-16-384"))
    model["text_cfg"] |= {"width": 64, "heads": 4, "layers": 2}
    made = open_clip.CustomTextCLIP(model["embed_dim"], model["vision_cfg"], model["text_cfg"])
    return model, made.eval()


def test_pe_core_end_to_end(pe_core: tuple[dict[str, Any], Any], home: Path) -> None:
    """Sentences and pictures through a bundle, beside open_clip's own tokenizer and towers."""
    import open_clip

    model, made = pe_core
    state = {name: value.detach() for name, value in made.state_dict().items()}
    toys.write_bundle(bundle_folder("pe"), "pe", model=model, state=state, preprocess=PE_MEAN)
    bundle = load_bundle("pe", device="cpu", precision="fp32")
    assert (bundle.config.text.context, bundle.config.image.resize) == (32, "squash")
    texts = ["a dog catching a frisbee", "", "a very long sentence " * 20]
    tokens = open_clip.SimpleTokenizer(context_length=32)(texts)
    images = probe_images(384)[:2]
    with torch.inference_mode():
        wanted = made.encode_text(tokens, normalize=True).numpy()
        seen = normalised(
            torch.from_numpy(images), mean=torch.full((3,), 0.5), std=torch.full((3,), 0.5)
        )
        pictured = made.encode_image(seen, normalize=True).numpy()
    pooled = bundle.encode_text(texts).pooled()
    np.testing.assert_allclose(unit(pooled), wanted, atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(unit(bundle.encode_frames(images)), pictured, atol=TOLERANCE, rtol=0)


def test_no_torch_for_pe_core(
    pe_core: tuple[dict[str, Any], Any], home: Path, run_python: Callable[..., str]
) -> None:
    model, made = pe_core
    state = {name: value.detach().numpy() for name, value in made.state_dict().items()}
    toys.write_bundle(bundle_folder("pe"), "pe", model=model, state=state, preprocess=PE_MEAN)
    code = """
import sys
sys.modules["torch"] = sys.modules["open_clip"] = sys.modules["timm"] = None
import numpy as np
from c2v.encoder import load_bundle
bundle = load_bundle("pe", device="auto", precision="fp32")
bundle.check_parts()
print(bundle.encode_frames(np.zeros((1, 384, 384, 3), np.uint8)).shape)
"""
    assert run_python(code).strip() == "(1, 512)"


def unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_weight_that_is_missing_is_named(pe_core: tuple[dict[str, Any], Any], home: Path) -> None:
    model, made = pe_core
    state = {k: v.detach() for k, v in made.state_dict().items() if "attn_pool.latent" not in k}
    with pytest.raises(ModelError, match=r"missing.*trunk\.attn_pool\.latent"):
        toys.write_bundle(bundle_folder("pe"), "pe", model=model, state=state)

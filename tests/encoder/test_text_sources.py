"""Models with text towers of every kind, from files to an answer; and what they lack."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import c2v.search.ranking as ranking
from c2v.encoder.architecture import (
    Preprocess,
    architectures,
    image_config,
    model_config,
    text_architecture,
    usual_preprocess,
)
from c2v.encoder.bundle import load_bundle
from c2v.encoder.catalogue import export_checkpoint, fetch_bundle, import_checkpoint
from c2v.encoder.logits import pair_probability
from c2v.encoder.registry import find_bundle, list_bundles
from c2v.encoder.sources.importing import only_fit
from c2v.encoder.towers.vision_shape import VisionShape
from c2v.errors import MissingPartError, ModelError
from tests.encoder.made_text_models import (
    made_bundle,
    open_clip_ids,
    open_clip_model,
    small_config,
)

TEXTS = ["a dog catching a frisbee", "zwei Kinder, ein Garten!", ""]
pytest.importorskip("transformers")  # open_clip makes tokenizers by it

# As where neither PyTorch nor what brings it is installed.
LIGHT = """
import sys
for absent in ("torch", "open_clip", "transformers", "timm", "PIL"):
    sys.modules[absent] = None
import json
import numpy as np
from c2v.encoder import load_bundle
from c2v.encoder.catalogue import fetch_bundle, import_checkpoint
"""
SHOW = """
bundle = load_bundle(name, device="cpu", precision="fp32")
frames = np.full((1, 32, 32, 3), 90, np.uint8)
print(json.dumps([bundle.encode_text(json.loads(sys.argv[1])).pooled().tolist(),
                  bundle.encode_frames(frames).tolist(), bundle.config.image.resize]))
"""


def written(name: str, folder: Path, weights: str = "open_clip_model.safetensors") -> Any:
    """A folder as open_clip writes one to the hub, and the model in it."""
    model = small_config(name, folder)
    made = open_clip_model(model)
    state = {key: value.contiguous() for key, value in made.state_dict().items()}
    save_file(state, str(folder / weights))
    content = {
        "model_cfg": model,
        "preprocess_cfg": {
            "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }  # fmt: skip
    (folder / "open_clip_config.json").write_text(json.dumps(content), encoding="utf-8")
    return made, model


def expected_text(made: Any, model: dict[str, Any]) -> Any:
    with torch.inference_mode():
        return made.encode_text(open_clip_ids(model, TEXTS), normalize=False).numpy()


@pytest.mark.parametrize("name", ["SigLIP", "SigLIP2", "XLM-RoBERTa", "CLIPA"])
def test_a_folder_of_the_hub_is_imported_without_pytorch(
    name: str, tmp_path: Path, run_python: Callable[..., str]
) -> None:
    made, model = written(name, tmp_path / "model")
    code = f"""{LIGHT}
from pathlib import Path
name = "mine"
import_checkpoint(Path(sys.argv[2]), name=name)
{SHOW}"""
    file = tmp_path / "model" / "open_clip_model.safetensors"
    text, frames, resize = json.loads(run_python(code, json.dumps(TEXTS), str(file)))
    np.testing.assert_allclose(text, expected_text(made, model), atol=1e-5, rtol=1e-5)
    assert resize == "squash"
    picture = torch.full((1, 3, 32, 32), (90 / 255 - 0.5) / 0.5)
    with torch.inference_mode():
        seen = made.encode_image(picture, normalize=False).numpy()
    np.testing.assert_allclose(frames, seen, atol=2e-5)


def test_it_is_pulled_from_a_folder_without_pytorch(
    tmp_path: Path, run_python: Callable[..., str]
) -> None:
    """The tokenizer lies in the repository that the config names, which is another one.

    The weights have a name of which c2v knows no config, so that of their repository counts.
    """
    made, model = written("SigLIP", tmp_path / "made")
    root = tmp_path / "mirror"
    weights = root / "laion" / "CLIP-convnext_base-laion400M-s13B-b51K"
    words = root / "timm" / "ViT-B-16-SigLIP"
    weights.mkdir(parents=True)
    words.mkdir(parents=True)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.move(tmp_path / "made" / file, words / file)
    shutil.move(tmp_path / "made" / "open_clip_model.safetensors", weights)
    content = json.loads((tmp_path / "made" / "open_clip_config.json").read_text())
    content["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "timm/ViT-B-16-SigLIP"
    (weights / "open_clip_config.json").write_text(json.dumps(content), encoding="utf-8")
    code = f"""{LIGHT}
name = "convnext_base/laion400m_s13b_b51k"
fetch_bundle(name, announce=lambda _line: None, origin=sys.argv[2])
{SHOW}"""
    text, _, _ = json.loads(run_python(code, json.dumps(TEXTS), root.as_uri()))
    model["text_cfg"]["hf_tokenizer_name"] = str(words)
    np.testing.assert_allclose(text, expected_text(made, model), atol=1e-5, rtol=1e-5)


def test_a_config_of_transformers_comes_along(tmp_path: Path) -> None:
    """Of an encoder that c2v does not know by name ``config.json`` lies beside the weights."""
    made, model = written("XLM-RoBERTa", tmp_path)
    content = json.loads((tmp_path / "open_clip_config.json").read_text())
    del content["model_cfg"]["text_cfg"]["hf_config"]
    content["model_cfg"]["text_cfg"]["hf_model_name"] = "somebody/encoder"
    (tmp_path / "open_clip_config.json").write_text(json.dumps(content), encoding="utf-8")
    file = tmp_path / "open_clip_model.safetensors"
    import_checkpoint(file, name="mine")
    found = load_bundle("mine", device="cpu").encode_text(TEXTS).pooled()
    np.testing.assert_allclose(found, expected_text(made, model), atol=1e-5, rtol=1e-5)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ModelError, match=r"somebody/encoder of transformers, and no config\.json"):
        import_checkpoint(file, name="other")


def test_a_tokenizer_that_is_not_there_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written("SigLIP", tmp_path)
    file = tmp_path / "open_clip_model.safetensors"
    with monkeypatch.context() as absent:
        absent.setitem(sys.modules, "tokenizers", None)
        with pytest.raises(MissingPartError, match="needs tokenizers") as missing:
            import_checkpoint(file, name="mine")
        assert "[tokenizers]" in missing.value.hint
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="needs the tokenizer of") as caught:
        import_checkpoint(file, name="mine")
    assert "tokenizer.json and tokenizer_config.json of https://huggingface.co/" in (
        caught.value.hint
    )
    assert find_bundle("mine") is None
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingPartError, match="the model ViT-B-16-SigLIP2/webli needs tokenizers"):
        fetch_bundle("ViT-B-16-SigLIP2/webli", announce=lambda _line: None, origin=str(tmp_path))


def shapes_only(name: str) -> dict[str, Any]:
    """The shapes of a checkpoint of an architecture, by its keys."""
    model = model_config(name)
    custom = model.get("custom_text") or model["text_cfg"].get("hf_model_name")
    shapes = text_architecture(model).shapes()
    found = {("text." if custom else "") + key: shape for key, shape in shapes.items()}
    image = VisionShape.of(image_config(model, usual_preprocess(name)))
    assert image is not None
    found |= {f"visual.{key}": shape for key, shape in image.tensors().items()}
    if "multimodal_cfg" in model:
        found["text_decoder.ln_final.weight"] = (1,)
    found["logit_scale"] = ()
    if "init_logit_bias" in model:
        found["logit_bias"] = ()
    return {key: SimpleNamespace(shape=shape) for key, shape in found.items()}


@pytest.mark.parametrize(
    "name",
    [
        "ViT-B-16-SigLIP", "ViT-B-16-SigLIP-384", "ViT-B-16-SigLIP-i18n-256",
        "ViT-SO400M-14-SigLIP", "ViT-B-16-SigLIP2-256", "ViT-L-14-CLIPA", "coca_ViT-B-32",
        "coca_ViT-L-14", "xlm-roberta-base-ViT-B-32", "nllb-clip-base", "nllb-clip-large-siglip",
        "roberta-ViT-B-32", "mt5-base-ViT-B-32",
    ],
)  # fmt: skip
def test_the_architecture_is_told_by_the_shapes(name: str, tmp_path: Path) -> None:
    assert only_fit(shapes_only(name), tmp_path / "weights") == name


def test_weights_that_fit_two_ask_which(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="ViT-SO400M-14-SigLIP-378, ViT-SO400M-14-SigLIP-384"):
        only_fit(shapes_only("ViT-SO400M-14-SigLIP-384"), tmp_path / "weights")


def test_pictures_are_prepared_as_published_weights_want_them() -> None:
    """All weights of an architecture want the same, but for one of ViT-H-14's and ViT-L-14's."""
    import open_clip

    for architecture in architectures("a test"):
        told = [
            open_clip.get_pretrained_cfg(architecture, tag)
            for tag in open_clip.list_pretrained_tags_by_model(architecture)
        ]
        wanted = {
            Preprocess(tuple(one["mean"]), tuple(one["std"]), one["interpolation"],
                       one["resize_mode"])
            for one in told
        }  # fmt: skip
        if wanted:
            assert usual_preprocess(architecture) in wanted, architecture
            odd = architecture.startswith(("ViT-H-14", "ViT-L-14"))
            assert len(wanted) == 1 or odd, architecture


def test_the_decoder_of_coca_is_left_out(tmp_path: Path) -> None:
    model = small_config("CoCa", tmp_path)
    made = open_clip_model(model)
    bundle = made_bundle(model, made, tmp_path)
    state = made.state_dict()
    kept = {key for key in state if not key.startswith("text_decoder.")}
    size = sum(4 * state[key].numel() for key in kept)
    assert len(kept) < len(state)
    weights = [
        record.size_bytes
        for name, record in bundle.config.files.items()
        if name in ("image.safetensors", "text.safetensors")
    ]
    assert abs(sum(weights) - size) < 20_000  # headers


def test_the_confidence_is_what_the_sigmoid_learnt(tmp_path: Path) -> None:
    model = small_config("SigLIP", tmp_path / "files")
    made = open_clip_model(model)
    with torch.no_grad():
        made.logit_scale.fill_(4.7)
        made.logit_bias.fill_(-12.9)
    bundle = made_bundle(model, made, tmp_path / "files")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    picture = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(x)[:, None, None] for x in (bundle.config.image.mean,
                                                          bundle.config.image.std))  # fmt: skip
    with torch.inference_mode():
        logits, _ = made.get_logits((picture - mean) / std, open_clip_ids(model, TEXTS))
    learnt = pair_probability(bundle.directory, bundle.config)
    assert learnt is not None
    frame = bundle.embed_video(bundle.encode_frames(pixels)[None], np.ones((1, 1), bool))
    scores = bundle.embed_text(TEXTS) @ frame[0]
    scale = ranking.Scale(learnt.scale, learnt.bias or 0.0)
    theirs = torch.sigmoid(logits)[0].numpy()
    np.testing.assert_allclose([scale.confidence(s) for s in scores], theirs, atol=1e-5)
    (found,) = [one for one in list_bundles() if one.name == bundle.name]
    assert found.details()["logit_bias"] == pytest.approx(-12.9)
    assert found.details()["logit_scale"] == pytest.approx(np.exp(4.7), abs=1e-3)


def test_there_is_no_official_layout_to_export_to(tmp_path: Path) -> None:
    model = small_config("SigLIP", tmp_path / "files")
    made_bundle(model, open_clip_model(model), tmp_path / "files")
    with pytest.raises(ModelError, match="other is not a CLIP model") as caught:
        export_checkpoint("other", tmp_path / "out.bin")
    assert "its weights are in" in caught.value.hint

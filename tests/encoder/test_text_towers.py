"""Text towers of every kind of open_clip's against open_clip itself: words in, features out.

Widths, heads, contexts, pooling and cleaning are those of the real configs, weights are random;
layers are two and vocabularies small, for what is more of the same takes long.
"""

from __future__ import annotations

import copy
import json
import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from c2v.encoder.architecture import model_config, text_architecture
from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.clip_bundle import ClipSource, write_clip_bundle
from c2v.encoder.registry import bundle_folder
from c2v.encoder.text.foreign_tokenizer import find_tokenizer
from tests.encoder import made_tokenizers

TEXTS = [
    "a dog catching a frisbee",
    "",
    "many words " * 50,
    "Zwei Kinder, ein Garten!",
    "собака ловит мяч",
    "snowboarding downhill at 30 km/h",
    "what!#?% is (!) this",  # CLIP's id 0 is a word's first exclamation mark, and CoCa's padding
]
VISION = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}

# The same arithmetic as another one, at another width or under another config.
MORE = (
    "SigLIP, all languages", "SigLIP, 16 tokens", "SigLIP2 SO400M", "CoCa, wide",
    "worldwide, mT5's pieces", "CoCa with RoBERTa", "NLLB, sigmoid",
)  # fmt: skip

# Architecture, its tokenizer, and for encoders of transformers the kind of config and its options.
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "SigLIP": ("ViT-B-16-SigLIP", "siglip", {}),
    "SigLIP, all languages": ("ViT-B-16-SigLIP-i18n-256", "mt5", {}),
    "SigLIP, no projection": ("ViT-SO400M-16-SigLIP-i18n-256", "mt5", {}),
    "SigLIP, 16 tokens": ("ViT-SO400M-14-SigLIP", "siglip", {}),
    "SigLIP2": ("ViT-B-16-SigLIP2", "gemma", {}),
    "SigLIP2 SO400M": ("ViT-SO400M-14-SigLIP2", "gemma", {}),
    "CLIPA": ("ViT-L-14-CLIPA", "bert", {}),
    "worldwide": ("ViT-H-14-worldwide", "xlm_roberta", {}),
    "worldwide, mT5's pieces": ("ViT-L-14-worldwide-quickgelu", "mt5", {}),
    "CoCa": ("coca_ViT-B-32", "", {}),
    "CoCa, wide": ("coca_base", "", {}),
    "XLM-RoBERTa": ("xlm-roberta-base-ViT-B-32", "xlm_roberta", {"kind": "XLMRoberta"}),
    "RoBERTa": ("roberta-ViT-B-32", "roberta", {"kind": "Roberta"}),
    "CoCa with RoBERTa": ("coca_roberta-ViT-B-32", "roberta", {"kind": "Roberta"}),
    "NLLB": ("nllb-clip-base", "nllb", {"kind": "M2M100"}),
    "NLLB, sigmoid": ("nllb-clip-base-siglip", "nllb", {"kind": "M2M100"}),
    "mT5": ("mt5-base-ViT-B-32", "mt5", {"kind": "MT5"}),
    "BERT's pooler": (
        "xlm-roberta-base-ViT-B-32", "bert", {"kind": "Bert", "hf_pooler_type": "cls_pooler"},
    ),
    "the first token": (
        "xlm-roberta-base-ViT-B-32", "xlm_roberta",
        {"kind": "XLMRoberta", "hf_pooler_type": "cls_last_hidden_state_pooler"},
    ),
}  # fmt: skip


def small_config(name: str, folder: Path) -> dict[str, Any]:
    """open_clip's config of a kind with two layers, a small picture side and local files."""
    architecture, tokenizer, options = KINDS[name]
    model = copy.deepcopy(model_config(architecture))
    text = model["text_cfg"]
    model["vision_cfg"] = dict(VISION)
    text["layers"] = 2
    if tokenizer:
        made_tokenizers.KINDS[tokenizer](folder)
        text["hf_tokenizer_name"] = str(folder)
        text["vocab_size"] = 600
    if "kind" in options:
        text |= {"hf_model_name": str(folder), "hf_model_pretrained": False}
        text |= {key: value for key, value in options.items() if key != "kind"}
        config = hf_config(options["kind"])
        config.save_pretrained(folder)
        text["hf_config"] = config.to_dict()
    return model


def hf_config(kind: str) -> Any:
    """The encoder's config in transformers: real widths, two layers, 600 pieces."""
    import transformers

    bert = {
        "vocab_size": 600, "num_hidden_layers": 2, "max_position_embeddings": 514,
        "type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1,
    }  # fmt: skip
    options: dict[str, dict[str, Any]] = {
        "XLMRoberta": bert,
        "Roberta": bert,
        "Bert": bert | {"type_vocab_size": 2, "pad_token_id": 0, "layer_norm_eps": 1e-12},
        "M2M100": {
            "vocab_size": 600, "d_model": 1024, "encoder_layers": 2, "decoder_layers": 1,
            "encoder_ffn_dim": 4096, "encoder_attention_heads": 16,
        },
        "MT5": {"vocab_size": 600, "d_model": 768, "d_kv": 64, "d_ff": 2048, "num_layers": 2,
                "num_decoder_layers": 1, "num_heads": 12},
    }  # fmt: skip
    return getattr(transformers, f"{kind}Config")(**options[kind])


def open_clip_model(model: dict[str, Any]) -> Any:
    """The module that open_clip makes of the config, with random weights."""
    import open_clip
    from open_clip.coca_model import CoCa

    text = {key: value for key, value in model["text_cfg"].items() if key != "hf_config"}
    given: dict[str, Any] = {
        "embed_dim": model["embed_dim"], "text_cfg": text, "vision_cfg": model["vision_cfg"],
        "quick_gelu": model.get("quick_gelu", False),
        "init_logit_bias": model.get("init_logit_bias"),
    }  # fmt: skip
    torch.manual_seed(0)
    if "multimodal_cfg" in model:
        given["vision_cfg"] = {**VISION, "output_tokens": True}
        given["multimodal_cfg"] = {**model["multimodal_cfg"], "layers": 1}
        made: Any = CoCa(**given)
    else:
        custom = model.get("custom_text") or text.get("hf_model_name")
        made = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**given)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


def open_clip_ids(model: dict[str, Any], texts: list[str]) -> Any:
    """Token ids as open_clip's own tokenizer gives them."""
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

    text = model["text_cfg"]
    context = text.get("context_length", 77)
    if not text.get("hf_tokenizer_name"):
        return SimpleTokenizer(context_length=context)(texts)
    options = text.get("tokenizer_kwargs") or {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers on its own plans
        return HFTokenizer(text["hf_tokenizer_name"], context_length=context, **options)(texts)


def made_bundle(model: dict[str, Any], made: Any, folder: Path, name: str = "other") -> Bundle:
    """The same model as a bundle, read from its files."""
    tokenizer = None
    if model["text_cfg"].get("hf_tokenizer_name"):
        tokenizer = find_tokenizer(lambda file: folder / file if (folder / file).exists() else None)
    clip = ClipSource(
        state=made.state_dict(), model=model, tokenizer=tokenizer, source="a test", licence="none"
    )
    write_clip_bundle(bundle_folder(name), name=name, clip=clip)
    return load_bundle(name, device="cpu", precision="fp32")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in MORE else name for name in KINDS]
)
def test_features_are_open_clips(name: str, tmp_path: Path) -> None:
    if KINDS[name][1]:
        pytest.importorskip("transformers")  # open_clip makes tokenizers by it, and encoders of it
    folder = tmp_path / "tokenizer"
    model = small_config(name, folder)
    made = open_clip_model(model)
    ids = open_clip_ids(model, TEXTS)
    with torch.inference_mode():
        expected = made.encode_text(ids, normalize=False).numpy()
    bundle = made_bundle(model, made, folder)
    own, mask = bundle.tokenizer.encode(TEXTS)
    np.testing.assert_array_equal(own, ids.numpy())
    features = bundle.encode_text(TEXTS)
    np.testing.assert_allclose(features.pooled(), expected, atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(features.mask, mask[:, : features.mask.shape[1]])
    one = bundle.encode_text(TEXTS[:1])  # beside others and alone
    np.testing.assert_allclose(one.pooled()[0], expected[0], atol=1e-5, rtol=1e-5)


def with_a_hole(path: Path, shapes: dict[str, tuple[int, ...]], table: str) -> None:
    """Weights of these shapes: the table is a hole in the file but for rows 0 to 9, which are 1."""
    random = np.random.default_rng(0)
    header: dict[str, Any] = {}
    offset = 0
    for name, shape in sorted(shapes.items(), key=lambda item: item[0] == table):  # it comes last
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            start, _ = header[name]["data_offsets"]
            file.seek(8 + len(text) + start)
            if name == table:
                file.write(np.ones((10, shape[1]), "<f4").tobytes())
            else:
                file.write((0.02 * random.standard_normal(shape)).astype("<f4").tobytes())
        file.truncate(8 + len(text) + offset)


MEMORY = """
import json, sys
from pathlib import Path
import numpy as np
from c2v.encoder.tensors import read_tensors
from c2v.encoder.text.json_tokenizer import JsonTokenizer
from c2v.encoder.text.piece_tables import subwords
from c2v.encoder.towers.clip_text_numpy import ClipTextTower, TextArchitecture

def resident():
    lines = dict(line.split(":") for line in open("/proc/self/status") if ":" in line)
    return [int(lines[name].split()[0]) / 1e3 for name in ("RssAnon", "RssFile")]

folder = Path(sys.argv[1])
shape = TextArchitecture.from_settings(json.loads((folder / "shape.json").read_text()))
before = resident()
pieces = subwords(read_tensors(folder / "tokenizer.safetensors"))
found = pieces.ids("\u2581dog") + pieces.ids("\u2581catching") + pieces.ids("\u25811f4a2")
tower = ClipTextTower(shape, read_tensors(folder / "text.safetensors"))
ids = np.full((1, 64), 1)
ids[0, : len(found)] = found
mask = np.arange(64)[None] < len(found)
features = tower.encode(ids, mask).pooled()
assert np.isfinite(features).all() and features.any()
print(json.dumps([found, *(after - was for after, was in zip(resident(), before))]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is in memory")
def test_of_a_large_vocabulary_only_the_rows_in_use_are_read(
    tmp_path: Path, run_python: Callable[..., str]
) -> None:
    """A table of 250,000 pieces of width 768 (768 MB) and its tokenizer (9 MB), one question."""
    from c2v.encoder.tensors import write_tensors
    from c2v.encoder.text.piece_tables import make_tables

    vocabulary: list[tuple[str, float]] = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [("\u2581dog", -5.0), ("\u2581catch", -6.0), ("ing", -4.0)]
    vocabulary += [(f"\u2581{number:x}", -20.0) for number in range(250_000 - len(vocabulary))]
    tables = make_tables({"type": "Unigram", "vocab": vocabulary, "unk_id": 2})
    assert tables is not None
    write_tensors(tmp_path / "tokenizer.safetensors", tables)
    model = copy.deepcopy(model_config("ViT-B-16-SigLIP-i18n-256"))
    model["text_cfg"]["layers"] = 1
    shape = text_architecture(model)
    shapes = shape.shapes()
    assert shapes["token_embedding.weight"] == (250_000, 768)
    with_a_hole(tmp_path / "text.safetensors", shapes, "token_embedding.weight")
    (tmp_path / "shape.json").write_text(json.dumps(shape.settings()), encoding="utf-8")
    ids, anonymous, mapped = json.loads(run_python(MEMORY, str(tmp_path)))
    assert ids == [3, 4, 5, 0x1F4A2 + 6]
    weights = sum(4 * math.prod(one) for name, one in shapes.items() if "token_emb" not in name)
    assert anonymous < 30  # megabytes: activations, and what Python allots
    assert mapped < weights / 1e6 + 30, (mapped, weights)

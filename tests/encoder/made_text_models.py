"""Models of open_clip with text towers of every kind, and random weights.

Widths, heads, contexts, pooling and cleaning are those of the real configs; layers are two and
vocabularies small, for what is more of the same takes long.
"""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

from c2v.encoder.architecture import model_config
from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.clip_bundle import ClipSource, write_clip_bundle
from c2v.encoder.registry import bundle_folder
from c2v.encoder.text.foreign_tokenizer import find_tokenizer
from tests.encoder import made_tokenizers

VISION = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}

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
    import torch
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

"""open_clip's architectures whose image towers c2v runs by itself, known without open_clip.

A name tells the sizes: ``ViT-L-16-SigLIP2-384`` is a large transformer with patches of 16 on
pictures of 384. The configs made here are equal to open_clip's own, and so is what the weights want
to see of a picture; a test compares every one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

Config = dict[str, Any]

_CLIP_VOCABULARY: Final = 49408
_HALVES: Final = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
_IMAGENET: Final = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}

# By letter: of the image tower width, layers and what else is not as in CLIP's first; of the text
# tower width (which is the joint space's too), heads and layers.
_PLAIN: Final[Mapping[str, tuple[Config, tuple[int, int, int]]]] = {
    "B": ({"width": 768, "layers": 12}, (512, 8, 12)),
    "B-plus": ({"width": 896, "layers": 12}, (640, 10, 12)),
    "L": ({"width": 1024, "layers": 24}, (768, 12, 12)),
    "H": ({"width": 1280, "layers": 32, "head_width": 80}, (1024, 16, 24)),
    "g": ({"width": 1408, "layers": 40, "head_width": 88, "mlp_ratio": 4.3637}, (1024, 16, 24)),
    "bigG": ({"width": 1664, "layers": 48, "head_width": 104, "mlp_ratio": 4.9231}, (1280, 20, 32)),
}
_PLAIN_NAMES: Final = frozenset(
    f"ViT-{name}{quick}"
    for name in (
        *("B-32", "B-16", "L-14", "L-14-336", "H-14", "H-14-378", "bigG-14"),
        *("B-32-256", "B-16-plus-240", "g-14"),
    )
    for quick in ("", "-quickgelu")
) - {"ViT-B-32-256-quickgelu", "ViT-B-16-plus-240-quickgelu", "ViT-g-14-quickgelu"}
_CLIPA_NAMES: Final = frozenset(
    f"ViT-{letter}-14-CLIPA{side}" for letter in ("L", "H", "bigG") for side in ("", "-336")
)
_COCA: Final = {"coca_ViT-B-32": "B", "coca_ViT-L-14": "L"}

# By name: timm's word for the size, patch, side, joint space; of the text tower width, heads,
# layers and context.
_PE_CORE: Final[Mapping[str, tuple[str, int, int, int, tuple[int, int, int], int]]] = {
    "PE-Core-T-16-384": ("tiny", 16, 384, 512, (512, 8, 12), 32),
    "PE-Core-S-16-384": ("small", 16, 384, 512, (512, 8, 12), 32),
    "PE-Core-B-16": ("base", 16, 224, 1024, (1024, 16, 24), 32),
    "PE-Core-L-14-336": ("large", 14, 336, 1024, (1024, 16, 24), 32),
    "PE-Core-bigG-14-448": ("gigantic", 14, 448, 1280, (1280, 20, 24), 72),
}

# By letter: timm's word for the size, joint space; of the text tower width, heads, layers.
_SIGLIP: Final[Mapping[str, tuple[str, int, tuple[int, int, int]]]] = {
    "B": ("base", 768, (768, 12, 12)),
    "L": ("large", 1024, (1024, 16, 24)),
    "SO400M": ("so400m", 1152, (1152, 16, 27)),
    "gopt": ("giantopt", 1536, (1152, 16, 27)),
}
_SIGLIP_NAMES: Final = frozenset(
    f"ViT-{name}"
    for name in (
        *(f"B-16-SigLIP{side}" for side in ("", "-256", "-384", "-512", "-i18n-256")),
        *(f"L-16-SigLIP{side}" for side in ("-256", "-384")),
        *(f"SO400M-14-SigLIP{side}" for side in ("", "-378", "-384")),
        "SO400M-16-SigLIP-i18n-256",
        "B-32-SigLIP2-256",
        *(f"B-16-SigLIP2{side}" for side in ("", "-256", "-384", "-512")),
        *(f"L-16-SigLIP2{side}" for side in ("-256", "-384", "-512")),
        *(f"SO400M-14-SigLIP2{side}" for side in ("", "-378")),
        *(f"SO400M-16-SigLIP2{side}" for side in ("-256", "-384", "-512")),
        *(f"gopt-16-SigLIP2{side}" for side in ("-256", "-384")),
    )
)
# With the text encoders of other projects, most for other languages than English: the image tower
# (letter, patch; or timm's name, side and joint space) and the text tower.
_FOREIGN: Final[Mapping[str, tuple[str, int] | tuple[str, int, int]]] = {
    "roberta-ViT-B-32": ("B", 32),
    "xlm-roberta-base-ViT-B-32": ("B", 32),
    "xlm-roberta-large-ViT-H-14": ("H", 14),
    "nllb-clip-base": ("B", 32),
    "nllb-clip-large": ("H", 14),
    "nllb-clip-base-siglip": ("vit_base_patch16_siglip_384", 384, 768),
    "nllb-clip-large-siglip": ("vit_so400m_patch14_siglip_384", 384, 1152),
}
_WORLDWIDE_NAMES: Final = frozenset(
    f"ViT-{letter}-14-worldwide{more}"
    for letter, more in (
        *(("H", more) for more in ("", "-378", "-quickgelu")),
        *(("bigG", more) for more in ("", "-378")),
    )
)
_SIGLIP_NAME: Final = re.compile(r"ViT-(\w+)-(\d+)-SigLIP(2?)(-i18n)?(?:-(\d+))?")


def known_names() -> frozenset[str]:
    """Every architecture that is known here."""
    return frozenset(name for names, _ in _builders() for name in names)


def known_architecture(name: str) -> Config | None:
    """The model config of an architecture, as open_clip writes one; None of one not known here."""
    return next((build(name) for names, build in _builders() if name in names), None)


def _builders() -> tuple[tuple[Collection[str], Callable[[str], Config]], ...]:
    """Names, and what makes a config of one of them."""
    return (
        (_PLAIN_NAMES, _plain),
        (_CLIPA_NAMES, _clipa),
        (_SIGLIP_NAMES, _siglip),
        (_WORLDWIDE_NAMES, _worldwide),
        (_COCA, _coca),
        (_PE_CORE, _pe_core),
        (_FOREIGN, _foreign),
    )


def known_preprocessing(architecture: str, tag: str) -> Config | None:
    """How weights want to see a picture, as the fields of
    :class:`c2v.encoder.architecture.Preprocess` that are not OpenAI's; None where it is not known.
    """
    if architecture in _PE_CORE:
        return _HALVES | {"interpolation": "bilinear", "resize": "squash"}
    if architecture in _SIGLIP_NAMES or len(_FOREIGN.get(architecture, ())) == 3:
        return _HALVES | {"resize": "squash"}
    if architecture in _CLIPA_NAMES:
        return _IMAGENET | {"interpolation": "bilinear", "resize": "squash"}
    if (architecture, tag) == ("ViT-L-14", "laion2b_s32b_b82k"):
        return dict(_HALVES)
    if tag == "dfn5b" or (architecture in _WORLDWIDE_NAMES and architecture.endswith("-378")):
        return {"resize": "squash"}
    return {} if architecture in known_names() else None


def _plain(name: str) -> Config:
    _, letter, patch, *more = name.split("-")
    key = f"{letter}-plus" if "plus" in more else letter
    side = next((int(word) for word in more if word.isdecimal()), 224)
    quick = {"quick_gelu": True} if "quickgelu" in more else {}
    return {**quick, **_towers(key, patch=int(patch), side=side)}


def _towers(key: str, *, patch: int, side: int) -> Config:
    vision, (width, heads, layers) = _PLAIN[key]
    return {
        "embed_dim": width,
        "vision_cfg": {"image_size": side, "patch_size": patch, **vision},
        "text_cfg": _text(width, heads, layers, context=77),
    }


def _clipa(name: str) -> Config:
    _, letter, patch, _, *more = name.split("-")
    made = _towers(letter, patch=int(patch), side=int(more[0]) if more else 224)
    made["vision_cfg"] |= {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True}
    made["text_cfg"] |= {
        "context_length": 32,
        "vocab_size": 32000,
        "hf_tokenizer_name": "bert-base-uncased",
        "tokenizer_kwargs": {"strip_sep_token": True},
        "pool_type": "last",
        "no_causal_mask": True,
    }
    return made


def _worldwide(name: str) -> Config:
    """MetaCLIP 2."""
    made = _plain(name.replace("-worldwide", ""))
    made["text_cfg"] |= {
        "hf_tokenizer_name": "facebook/xlm-v-base",
        "vocab_size": 901629,
        "pool_type": "eos",
        "eos_id": 2,
    }
    return made


def _foreign(name: str) -> Config:
    image = _FOREIGN[name]
    if len(image) == 3:
        made = _siglip_towers(image[0], image[1], joint=image[2])
    else:
        made = _towers(image[0], patch=image[1], side=224)
    encoder = name.partition("-ViT")[0]
    pool = {"hf_pooler_type": "mean_pooler"}
    if name.startswith("nllb"):
        encoder = f"facebook/nllb-200-distilled-{'1.3B' if '-large' in name else '600M'}"
        pool = {"hf_proj_type": "linear", "hf_pooler_type": "cls_pooler"}
    if encoder == "roberta":
        encoder = "roberta-base"
        made["quick_gelu"] = True
    return made | {"text_cfg": {"hf_model_name": encoder, "hf_tokenizer_name": encoder, **pool}}


def _coca(name: str) -> Config:
    made = _towers(_COCA[name], patch=int(name.rpartition("-")[2]), side=224)
    made["vision_cfg"] |= {"attentional_pool": True, "attn_pooler_heads": 8, "output_tokens": True}
    text = made["text_cfg"] | {"context_length": 76}
    decoder = text | {"attn_pooler_heads": text["heads"]}
    made["text_cfg"] = text | {"embed_cls": True, "output_tokens": True}
    return made | {"multimodal_cfg": decoder, "custom_text": True}


def _pe_core(name: str) -> Config:
    size, patch, side, joint, (width, heads, layers), context = _PE_CORE[name]
    return {
        "embed_dim": joint,
        "vision_cfg": _timm(f"vit_pe_core_{size}_patch{patch}_{side}", side, projection=None),
        "text_cfg": _text(width, heads, layers, context=context),
        "custom_text": True,
    }


def _siglip(name: str) -> Config:
    match = _SIGLIP_NAME.fullmatch(name)
    assert match is not None
    letter, patch, second, other, side = match[1], match[2], match[3], match[4], match[5] or "224"
    size, joint, (width, heads, layers) = _SIGLIP[letter]
    tokenizer = name if second else f"ViT-B-16-SigLIP{'-i18n-256' if other else ''}"
    text: Config = {
        "context_length": 16 if name == "ViT-SO400M-14-SigLIP" else 64,
        "vocab_size": 256000 if second else 250000 if other else 32000,
        "hf_tokenizer_name": f"timm/{tokenizer}",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        **{"width": width, "heads": heads, "layers": layers},
        **({"mlp_ratio": 3.7362} if width == 1152 else {}),
        "no_causal_mask": True,
        **({"proj_type": "none"} if other and letter == "SO400M" else {"proj_bias": True}),
        "pool_type": "last",
        "norm_kwargs": {"eps": 1e-6},
        **({"act_kwargs": {"approximate": "tanh"}} if second else {}),
    }
    trunk = f"vit_{size}_patch{patch}_siglip_{side}"
    return _siglip_towers(trunk, int(side), joint=joint) | {"text_cfg": text}


def _siglip_towers(trunk: str, side: int, *, joint: int) -> Config:
    return {
        "embed_dim": joint,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": _timm(trunk, side, projection="none"),
    }


def _timm(name: str, side: int, *, projection: str | None) -> Config:
    return {
        "image_size": side,
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": projection,
    }


def _text(width: int, heads: int, layers: int, *, context: int) -> Config:
    return {
        "context_length": context,
        "vocab_size": _CLIP_VOCABULARY,
        "width": width,
        "heads": heads,
        "layers": layers,
    }

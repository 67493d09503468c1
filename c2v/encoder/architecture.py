"""Model configs of open_clip, understood: which image tower, which text tower, which tokenizer.

The JSON files are read from the folder where open_clip is installed, without importing it (that
takes seconds). Many are known without it (:mod:`c2v.encoder.known_architectures`).
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from c2v.encoder.bundle_config import ImageConfig, TextConfig, TextFamily
from c2v.encoder.default_model import MERGES_FILE, MERGES_TENSOR
from c2v.encoder.hf_configs import KNOWN_HF_CONFIGS, hf_text_architecture
from c2v.encoder.known_architectures import known_architecture, known_preprocessing
from c2v.encoder.tensors import read_tensors
from c2v.encoder.text.foreign_tokenizer import TOKENIZER_FILES, ForeignTokenizer
from c2v.encoder.text.tokenizer import merge_table
from c2v.encoder.towers.clip_text_numpy import TextArchitecture
from c2v.encoder.towers.hf_text_shape import HFTextArchitecture
from c2v.errors import ModelError
from c2v.nearest import did_you_mean
from c2v.optional import missing_part

OPENAI_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD: Final = (0.26862954, 0.26130258, 0.27577711)
CLIP_VOCABULARY: Final = 49408
CLIP_START: Final = 49406
CLIP_END: Final = 49407
_MERGES: Final = CLIP_VOCABULARY - 512 - 2

# Text options of open_clip that change the arithmetic and have no counterpart here.
_UNSUPPORTED_TEXT: Final = (
    "ls_init_value",
    "qk_norm",
    "scaled_cosine_attn",
    "scale_heads",
    "scale_attn_inner",
    "scale_attn",
    "scale_fc",
    "use_pad_mask",
)
_POOLS: Final[Mapping[str, Literal["end", "last", "first"]]] = {
    "argmax": "end",
    "eos": "end",
    "last": "last",
    "first": "first",
}


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How the weights were trained to see a picture (mean and std on a scale of 0 to 1, RGB)."""

    mean: tuple[float, ...] = OPENAI_MEAN
    std: tuple[float, ...] = OPENAI_STD
    interpolation: str = "bicubic"
    resize: str = "shortest"


_MOBILE: Final = Preprocess((0.0,) * 3, (1.0,) * 3, interpolation="bilinear")
_BY_NAME: Final[Mapping[str, Preprocess]] = {
    "vit-h-14-378": Preprocess(resize="squash"),
    "mobileclip-": _MOBILE,
    "mobileclip2-b": _MOBILE,
    "mobileclip2-s0": _MOBILE,
    "mobileclip2-s2": _MOBILE,
    "mobileclip2-s": Preprocess(interpolation="bilinear"),
}
"""By how the name begins, lower case; the first one counts. The others are told by their kind."""


def usual_preprocess(architecture: str) -> Preprocess:
    """How the published weights of an architecture want to see a picture.

    Two of ViT-H-14's and ViT-L-14's want it otherwise than the rest of theirs, which is meant here.
    """
    named = (kind for name, kind in _BY_NAME.items() if architecture.lower().startswith(name))
    told = Preprocess(**(known_preprocessing(architecture, "") or {}))
    return next(named, told)


def open_clip_folder(wish: str) -> Path:
    """The folder of the installed open_clip package; ``wish`` is what it is needed for.

    Raises:
        MissingPartError: it is not installed.
    """
    spec = importlib.util.find_spec("open_clip")
    if spec is None or not spec.submodule_search_locations:
        raise missing_part(wish, ["open_clip"])
    return Path(next(iter(spec.submodule_search_locations)))


def architectures(wish: str) -> dict[str, Path]:
    """Every architecture open_clip knows, with the file of its config.

    Raises:
        MissingPartError: open_clip is not installed; ``wish`` is what they are needed for.
    """
    folder = open_clip_folder(wish) / "model_configs"
    return {path.stem: path for path in sorted(folder.glob("*.json"), key=lambda path: path.stem)}


def model_config(architecture: str) -> dict[str, Any]:
    """open_clip's config of an architecture.

    Raises:
        ModelError: there is none of that name; the hint has the nearest ones.
        MissingPartError: c2v does not know it, and open_clip is not installed.
    """
    ours = known_architecture(architecture)
    if ours is not None:
        return ours
    known = architectures(f"the architecture {architecture}")
    if architecture not in known:
        raise ModelError(
            f"open_clip has no architecture {architecture!r}",
            hint=did_you_mean(architecture, known, like=0.4) or "c2v model list",
        )
    content: dict[str, Any] = json.loads(known[architecture].read_text(encoding="utf-8"))
    return content


def image_config(model: Mapping[str, Any], preprocess: Preprocess) -> ImageConfig:
    """The image tower of an open_clip model config.

    Raises:
        ModelError: pictures that are not square, or a resize or interpolation c2v does not do.
    """
    side = model["vision_cfg"].get("image_size", 224)
    if not isinstance(side, int):
        raise ModelError(f"the image tower takes pictures of {side}, c2v makes square ones only")
    if preprocess.resize not in ("shortest", "squash"):
        raise ModelError(f"resize mode {preprocess.resize!r} is not supported")
    if preprocess.interpolation not in ("bicubic", "bilinear"):
        raise ModelError(f"interpolation {preprocess.interpolation!r} is not supported")
    resize: Literal["shortest", "squash"] = (
        "squash" if preprocess.resize == "squash" else "shortest"
    )
    interpolation: Literal["bicubic", "bilinear"] = (
        "bilinear" if preprocess.interpolation == "bilinear" else "bicubic"
    )
    return ImageConfig(
        family="open_clip",
        side=side,
        resize=resize,
        interpolation=interpolation,
        mean=tuple(map(float, preprocess.mean)),
        std=tuple(map(float, preprocess.std)),
        settings={
            "embed_dim": model["embed_dim"],
            "quick_gelu": bool(model.get("quick_gelu", False)),
            "vision_cfg": dict(model["vision_cfg"]),
        },
    )


def text_architecture(model: Mapping[str, Any]) -> TextArchitecture | HFTextArchitecture:
    """The text tower of an open_clip model config.

    Raises:
        ModelError: it has a variant that the NumPy towers lack; the message names it.
    """
    text = model["text_cfg"]
    if text.get("hf_model_name"):
        return _hf_architecture(model)
    for name in _UNSUPPORTED_TEXT:
        if text.get(name):
            raise ModelError(f"its text tower uses {name}, which c2v cannot run")
    class_token = bool(text.get("embed_cls", False))
    pool = text.get("pool_type", "argmax")
    if pool not in _POOLS:
        raise ModelError(f"its text tower pools by {pool!r}, which gives no feature of a text")
    width = int(text.get("width", 512))
    projected = text.get("proj_type", "linear") != "none"
    if not projected and width != model["embed_dim"]:
        raise ModelError(f"its text tower has no projection from {width} to {model['embed_dim']}")
    by_largest = pool == "argmax" and bool(text.get("hf_tokenizer_name"))
    return TextArchitecture(
        vocab_size=int(text.get("vocab_size", CLIP_VOCABULARY)),
        context=int(text.get("context_length", 77)),
        width=width,
        heads=int(text.get("heads", 8)),
        layers=int(text.get("layers", 12)),
        mlp_width=int(width * text.get("mlp_ratio", 4.0)),
        output_dim=int(model["embed_dim"]),
        activation=_activation(model),
        causal=not text.get("no_causal_mask", False),
        pool="largest" if by_largest else _POOLS[pool],
        eps=float((text.get("norm_kwargs") or {}).get("eps", 1e-5)),
        projection_bias=projected and bool(text.get("proj_bias", False)),
        projection=projected,
        class_token=class_token,
        pad_id=int(text.get("pad_id", 0)) if class_token else 0,
    )


def _activation(model: Mapping[str, Any]) -> Literal["quick_gelu", "gelu", "gelu_tanh"]:
    if model.get("quick_gelu", False):
        return "quick_gelu"
    tanh = (model["text_cfg"].get("act_kwargs") or {}).get("approximate") == "tanh"
    return "gelu_tanh" if tanh else "gelu"


def _hf_architecture(model: Mapping[str, Any]) -> HFTextArchitecture:
    """An encoder of transformers: known by its name, or given as ``hf_config`` by the source."""
    text = model["text_cfg"]
    name = text["hf_model_name"]
    config = text.get("hf_config") or KNOWN_HF_CONFIGS.get(name)
    if config is None:
        raise ModelError(f"its text tower is {name} of transformers, whose config is not known")
    return hf_text_architecture(
        config,
        output_dim=int(model["embed_dim"]),
        pooler=text.get("hf_pooler_type", "mean_pooler"),
        projection=text.get("hf_proj_type", "mlp"),
    )


def text_config(
    model: Mapping[str, Any],
    *,
    context: int | None = None,
    official: bool = False,
    tokenizer: ForeignTokenizer | None = None,
) -> TextConfig:
    """The text tower and tokenizer of an open_clip model config.

    Args:
        model: the config.
        context: the most tokens of a text (32 in CLIP2Video), by default all the tower can take.
        official: whether the special tokens are spelled as in OpenAI's tokenizer.
        tokenizer: that of a model which does not take CLIP's own.

    Raises:
        ModelError: the tower cannot be run, or the tokenizer is not the one it needs.
    """
    shape = text_architecture(model)
    text = model["text_cfg"]
    longest = int(text.get("context_length", 77))
    if context is not None and not 2 <= context <= longest:
        raise ModelError(f"a text of {context} tokens does not fit its {longest} positions")
    family: TextFamily = "hf" if isinstance(shape, HFTextArchitecture) else "clip"
    options = dict(text.get("tokenizer_kwargs") or {})
    if needs_tokenizer(model):
        return _with_tokenizer(
            tokenizer, shape, options, text, family=family, context=context or longest
        )
    clean = options.pop("clean", "lower")
    if family == "hf" or shape.vocab_size < CLIP_VOCABULARY or options:
        raise ModelError("its tokenizer is not CLIP's own, and its config does not name another")
    start, end = "<start_of_text>", "<end_of_text>"
    if official:
        start, end = "<|startoftext|>", "<|endoftext|>"
    return TextConfig(
        family=family,
        tokenizer="clip_bpe",
        clean=clean,
        context=context or longest,
        start_id=CLIP_START,
        end_id=CLIP_END,
        pad_id=0,
        specials={start: CLIP_START, end: CLIP_END},
        settings=shape.settings(),
    )


def no_tokenizer(wish: str, name: str) -> ModelError:
    """The error for a tokenizer that is not to be had; ``name`` is its repository."""
    return ModelError(
        f"{wish} needs the tokenizer of {name}, and no tokenizer.json of it is to be had",
        hint=f"put {' and '.join(TOKENIZER_FILES)} of https://huggingface.co/{name} beside the "
        "weights, then c2v model import FILE",
    )


def needs_tokenizer(model: Mapping[str, Any]) -> bool:
    """Whether an open_clip model config asks for a tokenizer that is a file of its own."""
    return bool(model["text_cfg"].get("hf_tokenizer_name"))


def _with_tokenizer(
    tokenizer: ForeignTokenizer | None,
    shape: TextArchitecture | HFTextArchitecture,
    options: dict[str, Any],
    text: Mapping[str, Any],
    *,
    family: TextFamily,
    context: int,
) -> TextConfig:
    """The text part of a model whose tokenizer is a ``tokenizer.json``."""
    if tokenizer is None:
        raise no_tokenizer("its text tower", text["hf_tokenizer_name"])
    clean, strip = options.pop("clean", "whitespace"), options.pop("strip_sep_token", False)
    mode = text.get("tokenizer_mode")
    if options or mode:
        raise ModelError(f"its tokenizer has the option {mode or min(options)}, which c2v lacks")
    specials, end_id = {}, tokenizer.end_id
    if strip:  # the separator is replaced by 0, wherever it stands
        specials, end_id = {tokenizer.separator: 0}, 0
    around = max(end_id, tokenizer.pad_id, tokenizer.start_id or 0)
    if max(around + 1, tokenizer.size) > shape.vocab_size:
        raise ModelError(f"{tokenizer.path} has more pieces than the text tower, it is another's")
    if family == "clip" and isinstance(shape, TextArchitecture) and shape.pool == "end":
        eos = int(text.get("eos_id", 2))
        if eos != end_id:
            raise ModelError(
                f"the text tower looks for the token {eos}, its tokenizer ends with {end_id}"
            )
    return TextConfig(
        family=family,
        tokenizer="json",
        clean=clean,
        context=context,
        start_id=tokenizer.start_id,
        end_id=end_id,
        pad_id=tokenizer.pad_id,
        specials=specials,
        settings=shape.settings(),
    )


def clip_merges() -> dict[str, Any]:
    """CLIP's merges as the tensors of a bundle's tokenizer.

    Raises:
        ModelError: the file that c2v brings is damaged.
    """
    merges = read_tensors(MERGES_FILE)[MERGES_TENSOR]
    if merges.shape != (_MERGES, 2):
        raise ModelError(f"{MERGES_FILE} is not CLIP's table of merges", hint="install it again")
    return merge_table(merges)

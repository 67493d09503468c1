"""Model configs of open_clip, understood: which image tower, which text tower, which tokenizer.

The JSON files are read from the folder where open_clip is installed, without importing it (that
takes seconds). Many are known without it (:mod:`c2v.encoder.known_architectures`).
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from c2v.encoder.bundle_config import ImageConfig, TextConfig
from c2v.encoder.default_model import MERGES_FILE, MERGES_TENSOR
from c2v.encoder.known_architectures import known_architecture
from c2v.encoder.tensors import read_tensors
from c2v.encoder.text.tokenizer import merge_table
from c2v.encoder.towers.clip_text_numpy import TextArchitecture
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
    "hf_model_name",
    "embed_cls",
    "ls_init_value",
    "qk_norm",
    "scaled_cosine_attn",
    "scale_heads",
    "scale_attn_inner",
    "scale_attn",
    "scale_fc",
    "final_ln_after_pool",
    "use_pad_mask",
)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How the weights were trained to see a picture (mean and std on a scale of 0 to 1, RGB)."""

    mean: tuple[float, ...] = OPENAI_MEAN
    std: tuple[float, ...] = OPENAI_STD
    interpolation: str = "bicubic"
    resize: str = "shortest"


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


def text_architecture(model: Mapping[str, Any]) -> TextArchitecture:
    """The text tower of an open_clip model config.

    Raises:
        ModelError: it is not open_clip's own text transformer, or has a variant that the NumPy
            tower lacks; the message names it.
    """
    text = model["text_cfg"]
    for name in _UNSUPPORTED_TEXT:
        if text.get(name):
            raise ModelError(f"its text tower uses {name}, which c2v cannot run")
    if text.get("proj_type", "linear") != "linear" or text.get("pool_type", "argmax") == "none":
        raise ModelError("its text tower has no projection or no pooling, which c2v cannot run")
    width = int(text.get("width", 512))
    activation: Literal["quick_gelu", "gelu", "gelu_tanh"] = "gelu"
    if model.get("quick_gelu", False):
        activation = "quick_gelu"
    elif (text.get("act_kwargs") or {}).get("approximate") == "tanh":
        activation = "gelu_tanh"
    pools: dict[str, Literal["end", "last", "first"]] = {
        "argmax": "end",
        "eos": "end",
        "last": "last",
        "first": "first",
    }
    return TextArchitecture(
        vocab_size=int(text.get("vocab_size", CLIP_VOCABULARY)),
        context=int(text.get("context_length", 77)),
        width=width,
        heads=int(text.get("heads", 8)),
        layers=int(text.get("layers", 12)),
        mlp_width=int(width * text.get("mlp_ratio", 4.0)),
        output_dim=int(model["embed_dim"]),
        activation=activation,
        causal=not text.get("no_causal_mask", False),
        pool=pools[text.get("pool_type", "argmax")],
        eps=float((text.get("norm_kwargs") or {}).get("eps", 1e-5)),
        projection_bias=bool(text.get("proj_bias", False)),
    )


def text_config(
    model: Mapping[str, Any], *, context: int | None = None, official: bool = False
) -> TextConfig:
    """The text tower and tokenizer of an open_clip model config.

    Args:
        model: the config.
        context: the most tokens of a text (32 in CLIP2Video), by default all the tower can take.
        official: whether the special tokens are spelled as in OpenAI's tokenizer.

    Raises:
        ModelError: the tower cannot be run, or its vocabulary is not CLIP's.
    """
    shape = text_architecture(model)
    text = model["text_cfg"]
    options = dict(text.get("tokenizer_kwargs") or {})
    clean = options.pop("clean", "lower")
    if text.get("hf_tokenizer_name") or shape.vocab_size != CLIP_VOCABULARY or options:
        raise ModelError("its tokenizer is not CLIP's own, which is the one c2v can build")
    if context is not None and not 2 <= context <= shape.context:
        raise ModelError(f"a text of {context} tokens does not fit its {shape.context} positions")
    start, end = "<start_of_text>", "<end_of_text>"
    if official:
        start, end = "<|startoftext|>", "<|endoftext|>"
    return TextConfig(
        family="clip",
        tokenizer="clip_bpe",
        clean=clean,
        context=context or shape.context,
        start_id=CLIP_START,
        end_id=CLIP_END,
        pad_id=0,
        specials={start: CLIP_START, end: CLIP_END},
        settings=asdict(shape),
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

"""Checkpoint files, ready to become bundles: CLIP2Video, CLIP4Clip, open_clip's and OpenAI's CLIP.

Everything is strict. A key that is missing or unknown is an error that names it, and the config
of the model is never guessed where the weights leave it open.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from c2v.encoder.architecture import (
    Preprocess,
    architectures,
    image_config,
    model_config,
    text_architecture,
    usual_preprocess,
)
from c2v.encoder.bundle_config import HeadConfig
from c2v.encoder.clip_bundle import DECODER, NO_TOWERS, ClipSource
from c2v.encoder.known_architectures import known_names
from c2v.encoder.sources.hub import OPEN_CLIP_CONFIG, read_open_clip_config
from c2v.encoder.sources.text_parts import with_text_parts
from c2v.encoder.sources.wrappings import state_inside
from c2v.encoder.tensors import has_numpy_types, is_safetensors, read_tensors
from c2v.encoder.towers.vision_shape import VisionShape
from c2v.errors import ModelError
from c2v.optional import has, require

if TYPE_CHECKING:
    import torch

OFFICIAL_WORDS: Final = 32  # max_words of CLIP2Video and of most CLIP4Clip recipes
_CLIP_PREFIX: Final = "clip."
_VISUAL: Final = "visual."
# Weights behind the layers of an image tower that not every kind has.
_ENDS: Final = ("proj", "trunk.head.weight", "attn_pool.query")
_BLOCKS: Final = "visual.transformer.resblocks."
_TEXT: Final = "text."

Checkpoint = Mapping[str, "torch.Tensor | NDArray[Any]"]


def checkpoint_source(
    file: Path,
    *,
    head: str = "auto",
    architecture: str | None = None,
    default_architecture: str | None = None,
    words: int | None = None,
    **settings: Any,
) -> ClipSource:
    """What a checkpoint holds: CLIP2Video or CLIP4Clip (``clip.*`` keys), or a bare CLIP.

    Args:
        file: ``.pt``, ``.bin``, ``.ckpt`` or ``.safetensors``, a training checkpoint around the
            weights too; nothing in it is executed.
        head: ``auto`` takes the head the keys tell; else the type of CLIP4Clip head to use.
        architecture: open_clip's name for a bare CLIP whose sizes fit more than one.
        default_architecture: that of a bare CLIP where none was given. Without one it is told
            from the shapes, where a single architecture fits.
        words: the most tokens of a text, start and end included; 32 as in CLIP2Video unless
            given (64 for the CLIP4Clip models of ActivityNet and DiDeMo), and all that the tower
            takes for a bare CLIP.
        settings: overrides under the reference's names (``center_weight``, ``sim_type``, ...).

    Raises:
        ModelError: the file cannot be read, a key is missing or unknown, or the weights do not
            fit the architecture, or fit more than one.
        MissingPartError: PyTorch or open_clip is not installed.
    """
    file = Path(os.path.expanduser(file))  # noqa: PTH111 - it leaves ~nobody alone
    state = _load(file)
    if architecture is not None and all(key.startswith(_CLIP_PREFIX) for key in state):
        # Said to be a bare CLIP: the prefix is the name of an attribute, not the official layout.
        state = {key.removeprefix(_CLIP_PREFIX): value for key, value in state.items()}
    if any(key.startswith(_CLIP_PREFIX) for key in state):
        clip = official_source(state, head=head, words=words or OFFICIAL_WORDS, **settings)
        clip = replace(clip, source=f"imported from {file.name}")
    else:
        clip = _open_clip_source(
            state, file, architecture=architecture, default=default_architecture, words=words
        )
    return replace(clip, licence="that of the file")


def _load(file: Path) -> Checkpoint:
    """The weights of a file: without PyTorch where NumPy knows all of their types.

    Raises:
        ModelError: it cannot be read, or holds no weights.
        MissingPartError: it takes PyTorch, which is not installed.
    """
    if is_safetensors(file) and _is_plain(file):
        tensors: Checkpoint = state_inside(read_tensors(file), file)
        if not any(key.startswith(_CLIP_PREFIX) for key in tensors):
            return tensors
    require("c2v model import", "torch", "open_clip")
    from c2v.encoder.sources.weight_files import load_state

    return load_state(file)


def _is_plain(file: Path) -> bool:
    """Whether NumPy knows every type in a safetensors file."""
    try:
        return has_numpy_types(file)
    except ModelError:
        if not has("torch"):
            raise
        return False  # damaged: PyTorch's reader says more about it


def _open_clip_source(
    state: Checkpoint, file: Path, *, architecture: str | None, default: str | None,
    words: int | None,
) -> ClipSource:  # fmt: skip
    """A bare model of open_clip's; what lies beside the file says what its keys do not."""
    beside = file.parent / OPEN_CLIP_CONFIG
    named = architecture or default
    if named is None and beside.is_file():
        model, preprocess = read_open_clip_config(beside)
        named = f"what {OPEN_CLIP_CONFIG} beside it says"
    else:
        named = named or only_fit(state, file)
        model, preprocess = model_config(named), usual_preprocess(named)

    def find(_repository: str, name: str) -> Path | None:
        path = file.parent / name
        return path if path.is_file() else None

    model, tokenizer = with_text_parts(model, find, repository="", wish=file.name)
    return ClipSource(
        state=state,
        model=model,
        preprocess=preprocess,
        tokenizer=tokenizer,
        order=tuple(state),
        context=words,
        source=f"imported from {file.name} as {named}",
    )


def official_source(state: Checkpoint, *, head: str, words: int, **settings: Any) -> ClipSource:
    """An official state dict as towers, head and model config.

    Raises:
        ModelError: a key is missing or unknown, or the patches look across frames (3d).
    """
    from c2v.encoder.sources.official.keys import PATCH_3D, modern_name, split_official

    if head not in ("auto", "clip2video"):
        settings["sim_header"] = head
    towers, head_state, layout = split_official(state, **settings)
    chosen = layout.head
    if head == "clip2video" and chosen.type != "clip2video":
        raise ModelError(f"the checkpoint holds a {chosen.type} head, not clip2video")
    if PATCH_3D in towers:
        raise ModelError(
            "the checkpoint has a 3d patch layer, which looks at neighbouring frames; "
            "a bundle encodes frames one by one",
            hint="use c2v.encoder.from_official in Python",
        )
    described = chosen.as_dict()
    return ClipSource(
        state=towers,
        model=_official_model(layout.clip),
        head=HeadConfig(described.pop("type"), described),
        head_state=head_state,
        vector_dim=chosen.vector_dim,
        context=words,
        official=True,
        order=tuple(map(modern_name, state)),
    )


def _official_model(clip: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of an official CLIP as a model config of open_clip."""
    return {
        "embed_dim": clip["feature_dim"],
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": clip["image_size"],
            "layers": clip["vision_layers"],
            "width": clip["vision_width"],
            "patch_size": clip["patch_size"],
        },
        "text_cfg": {
            "context_length": clip["context_length"],
            "vocab_size": clip["vocab_size"],
            "width": clip["text_width"],
            "heads": max(1, clip["text_width"] // 64),
            "layers": clip["text_layers"],
        },
    }


def only_fit(state: Checkpoint, file: Path) -> str:
    """The one architecture of open_clip that the weights of ``file`` fit, by their shapes.

    Raises:
        ModelError: there is none, or more than one.
    """
    known = sorted(known_names())
    if has("open_clip"):
        known = list(architectures(f"telling the architecture of {file.name}"))
    fits = [name for name in known if _fits(state, model_config(name))]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise ModelError(
            f"{file.name} fits {len(fits)} architectures: {', '.join(fits)}",
            hint=f"say which: --architecture {fits[0]} (OpenAI's weights are -quickgelu)",
        )
    if any(key.startswith("vision_model.") for key in state):
        raise ModelError(
            f"{file.name} names its weights as Hugging Face's transformers does, which c2v does "
            "not read",
            hint="most of these models are in open_clip too: c2v model pull ARCHITECTURE/TAG",
        )
    raise ModelError(
        f"{file.name} fits no architecture of open_clip, CLIP2Video or CLIP4Clip",
        hint="say which: --architecture NAME",
    )


def _fits(state: Checkpoint, model: Mapping[str, Any]) -> bool:
    """Whether the shapes that tell architectures apart are those of a model config."""
    try:
        text = text_architecture(model)
    except ModelError:  # none that c2v can run
        return False
    custom = model.get("custom_text") or model["text_cfg"].get("hf_model_name")
    start = _TEXT if custom else ""
    wanted = {start + name: shape for name, shape in text.shapes().items()}
    own = {
        key: tuple(value.shape)
        for key, value in state.items()
        if not key.startswith((_VISUAL, DECODER)) and key not in NO_TOWERS
    }
    decoder = any(key.startswith(DECODER) for key in state)
    return (
        own == wanted
        and decoder == ("multimodal_cfg" in model)
        and ("logit_bias" in state) == ("init_logit_bias" in model)
        and _image_fits(state, model)
    )


def _image_fits(state: Checkpoint, model: Mapping[str, Any]) -> bool:
    """Whether the image tower is that of a config: by its layers, patches, positions and ends."""
    if not isinstance(model["vision_cfg"].get("image_size", 224), int):
        return False
    shape = VisionShape.of(image_config(model, Preprocess()))
    if shape is None:
        return _other_image_fits(state, model["vision_cfg"])
    names, weights = shape.names, shape.tensors()
    layer = f"{_VISUAL}{names.layers}."
    layers = {key.removeprefix(layer).partition(".")[0] for key in state if key.startswith(layer)}
    telling = [names.positions, f"{names.patches}.weight", *_ENDS]
    found = (state.get(_VISUAL + name) for name in telling)
    sizes = [tuple(one.shape) if one is not None else None for one in found]
    return len(layers) == shape.layers and sizes == [weights.get(name) for name in telling]


def _other_image_fits(state: Checkpoint, vision: Mapping[str, Any]) -> bool:
    """Whether the patches, positions and layers of a ViT are those of a config."""
    timm = vision.get("timm_model_name")
    first, table = ("trunk.patch_embed.proj.weight", "trunk.pos_embed")
    if timm is None:
        first, table = ("conv1.weight", "positional_embedding")
    patch, positions = state.get(_VISUAL + first), state.get(_VISUAL + table)
    if patch is None or positions is None or isinstance(vision.get("layers"), list):
        return False
    side, size = vision.get("image_size", 224), vision.get("patch_size", 16)
    if timm is not None:
        told = re.search(r"patch(\d+)", timm)
        size = int(told[1]) if told else 0
        places = (side // size) ** 2 if size else 0
        return patch.shape[-1] == size and positions.shape[-2] in (places, places + 1)
    layers = {key.split(".")[3] for key in state if key.startswith(_BLOCKS)}
    pooled = f"{_VISUAL}attn_pool.query" in state
    width = vision.get("width", 768)
    return (
        tuple(patch.shape) == (width, 3, size, size)
        and tuple(positions.shape) == ((side // size) ** 2 + 1, width)
        and len(layers) == vision.get("layers", 12)
        and pooled == bool(vision.get("attentional_pool", False))
        and (f"{_VISUAL}ln_pre.weight" in state) != bool(vision.get("no_ln_pre", False))
    )

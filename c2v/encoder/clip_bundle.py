"""From the weights of a CLIP model to the folder of a bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.architecture import (
    Preprocess,
    clip_merges,
    image_config,
    text_architecture,
    text_config,
)
from c2v.encoder.bundle_config import BundleConfig, BundlePart, HeadConfig, ImageConfig, TextConfig
from c2v.encoder.logits import EXTRA_NAME
from c2v.encoder.sealing import bundle_draft, seal_bundle
from c2v.encoder.tensors import tensor_shapes, write_tensors
from c2v.encoder.text.foreign_tokenizer import ForeignTokenizer
from c2v.encoder.text.json_tokenizer import JSON_NAME, PIECES_NAME, STEPS_NAME, quick_parts
from c2v.encoder.text.tokenizer import MERGES_NAME
from c2v.encoder.towers import require_keys
from c2v.encoder.towers.clip_text_numpy import TextArchitecture
from c2v.encoder.towers.hf_text_shape import HFTextArchitecture
from c2v.encoder.towers.vision_shape import VisionShape
from c2v.errors import ModelError
from c2v.optional import require

if TYPE_CHECKING:
    import torch

IMAGE_NAME: Final = "image.safetensors"
TEXT_NAME: Final = "text.safetensors"
HEAD_NAME: Final = "head.safetensors"
ORIGIN_NAME: Final = "origin.json"  # types and order of the file it was imported from

_VISUAL: Final = "visual."
_TEXT: Final = "text."
_EXTRA: Final = frozenset({"logit_scale", "logit_bias"})
# Stored with some checkpoints, computed by every model that needs them.
_IGNORED: Final = frozenset(
    {
        "attn_mask",
        "text.attn_mask",
        "text.transformer.embeddings.position_ids",
        "text.transformer.embeddings.token_type_ids",
        "text.transformer.embed_positions.weights",
    }
)
NO_TOWERS: Final = _EXTRA | _IGNORED
"""Keys that belong to neither tower."""
DECODER: Final = "text_decoder."  # of CoCa: it writes captions, and nothing here asks for one

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSource:
    """A CLIP model ready to be written as a bundle.

    ``state`` has open_clip's key names; ``model`` is open_clip's config of it; ``head`` and
    ``head_state`` are the temporal head with its official key names; ``official`` says that it
    comes from CLIP2Video or CLIP4Clip (spelling of special tokens); ``context`` is the most tokens
    of a text, by default all that the tower can take; ``tokenizer`` is that of a model which does
    not take CLIP's own.
    """

    state: Mapping[str, torch.Tensor | NDArray[Any]]
    model: Mapping[str, Any]
    preprocess: Preprocess = field(default_factory=Preprocess)
    head: HeadConfig | None = None
    head_state: Mapping[str, torch.Tensor | NDArray[Any]] = field(default_factory=dict)
    vector_dim: int | None = None
    context: int | None = None
    official: bool = False
    tokenizer: ForeignTokenizer | None = None
    order: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""


def write_clip_bundle(
    target: Path, *, name: str, clip: ClipSource, overwrite: bool = False
) -> BundleConfig:
    """Check the weights strictly against the model config and write the bundle.

    Raises:
        ModelError: a weight is missing, unknown or of another shape, the model has a part that
            c2v cannot run, or the target exists. Nothing is left behind.
    """
    image = image_config(clip.model, clip.preprocess)
    text = text_config(
        clip.model, context=clip.context, official=clip.official, tokenizer=clip.tokenizer
    )
    dim = int(clip.model["embed_dim"])
    head = clip.head or HeadConfig("meanP", {"feature_dim": dim})
    with bundle_draft(target, overwrite=overwrite) as draft:
        visual, textual, extra = split_towers(clip.state)
        check_tower_tensors(image, text, visual, textual)
        files: dict[str, tuple[BundlePart, Arrays]] = {
            IMAGE_NAME: ("image", visual),
            TEXT_NAME: ("text", textual),
            EXTRA_NAME: ("other", extra),
            HEAD_NAME: ("head", {key: to_numpy(value) for key, value in clip.head_state.items()}),
        }
        parts = _write_tokenizer(draft, clip.tokenizer)
        for file, (part, tensors) in files.items():
            if tensors:
                write_tensors(draft / file, tensors)
                parts[file] = part
        _write_origin(draft / ORIGIN_NAME, clip)
        parts[ORIGIN_NAME] = "other"
        return seal_bundle(
            draft,
            name=name,
            feature_dim=dim,
            vector_dim=clip.vector_dim or dim,
            image=image,
            text=text,
            head=head,
            parts=parts,
            source=clip.source,
            licence=clip.licence,
        )


def _write_tokenizer(draft: Path, tokenizer: ForeignTokenizer | None) -> dict[str, BundlePart]:
    """CLIP's own, or another's file with the tables that make it quick; the files by their part."""
    if tokenizer is None:
        write_tensors(draft / MERGES_NAME, clip_merges())
        return {MERGES_NAME: "text"}
    shutil.copyfile(tokenizer.path, draft / JSON_NAME)
    parts: dict[str, BundlePart] = {JSON_NAME: "text"}
    if quick := quick_parts(tokenizer.content()):
        steps, tables = quick
        (draft / STEPS_NAME).write_text(json.dumps(steps) + "\n", encoding="utf-8")
        write_tensors(draft / PIECES_NAME, tables)
        # Made of the file beside them: made otherwise one day, they change no vector.
        parts |= {STEPS_NAME: "other", PIECES_NAME: "other"}
    return parts


def split_towers(state: Mapping[str, torch.Tensor | NDArray[Any]]) -> tuple[Arrays, Arrays, Arrays]:
    """open_clip's keys to image tower, text tower (both without prefix) and the rest, in fp32."""
    visual: Arrays = {}
    textual: Arrays = {}
    extra: Arrays = {}
    for key, value in state.items():
        if key in _IGNORED or key.startswith(DECODER):
            continue
        array = to_numpy(value)
        if key.startswith(_VISUAL):
            visual[key.removeprefix(_VISUAL)] = _single(array)
        elif key in _EXTRA:
            extra[key] = _single(array)
        else:
            textual[key.removeprefix(_TEXT)] = _single(array)
    return visual, textual, extra


def join_towers(visual: Arrays, textual: Arrays, extra: Arrays) -> Arrays:
    """The inverse of :func:`split_towers`, under the keys of a plain CLIP."""
    return {_VISUAL + key: value for key, value in visual.items()} | textual | extra


def to_numpy(value: torch.Tensor | NDArray[Any]) -> NDArray[Any]:
    """A tensor as an array; bfloat16, which NumPy lacks, as float32 (exact)."""
    if isinstance(value, np.ndarray):
        return value
    value = value.detach().cpu()
    if str(value.dtype) == "torch.bfloat16":
        value = value.float()
    array: NDArray[Any] = value.numpy()
    return array


def dtype_names(state: Mapping[str, torch.Tensor | NDArray[Any]]) -> dict[str, str]:
    """Types of the weights that are not float32, by key: ``float16``, ``bfloat16``, ``int64``."""
    names = {key: str(value.dtype).removeprefix("torch.") for key, value in state.items()}
    return {key: name for key, name in names.items() if name != "float32"}


def _single(array: NDArray[Any]) -> NDArray[Any]:
    """Floating point as float32 (exact for half precision), counters as they are."""
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array


def check_tower_tensors(
    image: ImageConfig, text: TextConfig, visual: Arrays, textual: Arrays
) -> None:
    """Compare the weights of both towers with what their settings need.

    Raises:
        ModelError: naming the first weight that is missing, unknown or of another shape.
    """
    kind = HFTextArchitecture if text.family == "hf" else TextArchitecture
    shapes = kind.from_settings(text.settings).shapes()
    require_keys(tensor_shapes(textual), shapes, what="the text tower")
    require_keys(tensor_shapes(visual), _image_shapes(image), what="the image tower")


def check_can_run(model: Mapping[str, Any], preprocess: Preprocess, *, name: str) -> None:
    """Say before its weights are fetched that c2v cannot run a model here.

    Raises:
        ModelError: one of its towers, its tokenizer or its pictures are of a kind c2v does not run.
        MissingPartError: its image tower takes PyTorch, which is not installed.
    """
    image = image_config(model, preprocess)
    text_architecture(model)
    if VisionShape.of(image) is None:
        require(f"the model {name}", "torch", "open_clip")


def _image_shapes(image: ImageConfig) -> Mapping[str, tuple[int, ...]]:
    """Every weight of an image tower with its shape; of a plain ViT known without open_clip."""
    plain = VisionShape.of(image)
    if plain is not None:
        return plain.tensors()
    require("an image tower that is no plain vision transformer", "torch", "open_clip")
    from c2v.encoder.towers.clip_image_torch import visual_shapes

    try:
        return visual_shapes(image.settings)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"open_clip cannot build this image tower: {error}") from error


def _write_origin(path: Path, clip: ClipSource) -> None:
    content = {
        "order": list(clip.order),
        "towers": dtype_names(clip.state),
        "head": dtype_names(clip.head_state),
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

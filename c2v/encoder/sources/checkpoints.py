"""Checkpoints to bundles and back: CLIP2Video, CLIP4Clip, open_clip.

Everything is strict. A key that is missing or unknown is an error that names it, and the config
of the model is never guessed where the weights leave it open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.architecture import architectures, model_config
from c2v.encoder.bundle_config import HeadConfig, read_config
from c2v.encoder.clip_bundle import (
    EXTRA_NAME,
    HEAD_NAME,
    IMAGE_NAME,
    ORIGIN_NAME,
    TEXT_NAME,
    ClipSource,
    join_towers,
    write_clip_bundle,
)
from c2v.encoder.names import check_bundle_name
from c2v.encoder.registry import (
    DEFAULT_NAME,
    DEFAULT_SOURCE,
    bundle_folder,
    check_free,
    find_bundle,
)
from c2v.encoder.sources.hub import Progress, download, hub_model
from c2v.encoder.tensors import has_numpy_types, read_tensors
from c2v.errors import ModelError
from c2v.files.drafts import file_draft
from c2v.files.reading import parse_json, read_plain
from c2v.optional import require

if TYPE_CHECKING:
    import torch

OFFICIAL_WORDS: Final = 32  # max_words of CLIP2Video and of most CLIP4Clip recipes
_CLIP_PREFIX: Final = "clip."

State = dict[str, "torch.Tensor"]


def import_checkpoint(
    file: Path,
    *,
    name: str,
    head: str = "auto",
    architecture: str | None = None,
    words: int | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> Path:
    """Make a bundle of a checkpoint: CLIP2Video or CLIP4Clip (``clip.*`` keys), or a bare CLIP.

    Args:
        file: ``.pt``, ``.bin``, ``.ckpt`` or ``.safetensors``, a training checkpoint around the
            weights too; nothing in it is executed.
        name: what the bundle will be called.
        head: ``auto`` takes the head the keys tell; else the type of CLIP4Clip head to use.
        architecture: open_clip's name for a bare CLIP whose sizes fit more than one.
        words: the most tokens of a text, start and end included; 32 as in CLIP2Video unless
            given (64 for the CLIP4Clip models of ActivityNet and DiDeMo).
        overwrite: replace a bundle of that name.
        settings: overrides under the reference's names (``center_weight``, ``sim_type``, ...).

    Returns:
        The folder of the bundle.

    Raises:
        ModelError: the file cannot be read, a key is missing or unknown, or the name is taken.
        UsageError: the name cannot be one.
        MissingPartError: PyTorch or open_clip is not installed.
    """
    require("c2v model import", "torch", "open_clip")
    from c2v.encoder.sources.weight_files import load_state

    target = bundle_folder(check_bundle_name(name))
    check_free(name, target, overwrite=overwrite)
    state: State = dict(load_state(file))
    if architecture is not None and all(key.startswith(_CLIP_PREFIX) for key in state):
        # Said to be a bare CLIP: the prefix is the name of an attribute, not the official layout.
        state = {key.removeprefix(_CLIP_PREFIX): value for key, value in state.items()}
    if not any(key.startswith(_CLIP_PREFIX) for key in state):
        return import_open_clip(
            file, name, architecture, overwrite=overwrite, state=state, words=words
        )
    clip = official_source(state, head=head, words=words or OFFICIAL_WORDS, **settings)
    clip = replace(clip, source=f"imported from {file.name}", licence="that of the file")
    write_clip_bundle(target, name=name, clip=clip, overwrite=overwrite)
    return target


def import_open_clip(
    file: Path,
    name: str,
    architecture: str | None = None,
    *,
    overwrite: bool = False,
    state: State | None = None,
    words: int | None = None,
) -> Path:
    """Make a bundle, with the head meanP, of a CLIP checkpoint in open_clip's or OpenAI's layout.

    Args:
        file: ``.pt``, ``.bin`` or ``.safetensors``.
        name: what the bundle will be called.
        architecture: open_clip's name for it (``ViT-B-32-quickgelu``). Without one it is told
            from the shapes where a single architecture fits; for the name ``ViT-B-32`` it is that
            of the model c2v fetches under that name.
        overwrite: replace a bundle of that name.
        state: the content of the file, where it was read already.
        words: the most tokens of a text, by default all that the tower takes.

    Raises:
        ModelError: the weights do not fit the architecture, or fit more than one.
    """
    require("importing a CLIP", "torch", "open_clip")
    from c2v.encoder.sources.weight_files import load_state

    target = bundle_folder(check_bundle_name(name))
    check_free(name, target, overwrite=overwrite)
    if state is None:
        state = dict(load_state(file))
    if architecture is None and name == DEFAULT_NAME:
        architecture = DEFAULT_SOURCE.partition("/")[0]
    architecture = architecture or _only_fit(state, file)
    clip = ClipSource(
        state=state,
        model=model_config(architecture),
        order=tuple(state),
        context=words,
        source=f"imported from {file.name} as {architecture}",
        licence="that of the file",
    )
    write_clip_bundle(target, name=name, clip=clip, overwrite=overwrite)
    return target


def bundle_from_hub(
    source: str, *, name: str, on_progress: Progress | None = None, overwrite: bool = False
) -> Path:
    """Fetch ``ARCHITECTURE/TAG`` from the hub and make the bundle ``name`` of it."""
    architecture, _, tag = source.partition("/")
    hub = hub_model(architecture, tag)
    target = bundle_folder(name)
    state = _hub_state(download(hub, name=name, on_progress=on_progress))
    clip = ClipSource(
        state=state,
        model=model_config(architecture),
        preprocess=hub.preprocess,
        order=tuple(state),
        source=f"open_clip {source} (https://huggingface.co/{hub.repository})",
        licence=f"see https://huggingface.co/{hub.repository}",
    )
    write_clip_bundle(target, name=name, clip=clip, overwrite=overwrite)
    return target


def _hub_state(file: Path) -> Mapping[str, torch.Tensor | NDArray[Any]]:
    """The weights of a file from the hub: without PyTorch where NumPy knows all of its types."""
    if file.suffix == ".safetensors" and has_numpy_types(file):
        return read_tensors(file)
    require(f"reading {file.name}", "torch")
    from c2v.encoder.sources.weight_files import load_state

    return load_state(file)


def official_source(
    state: Mapping[str, torch.Tensor], *, head: str, words: int, **settings: Any
) -> ClipSource:
    """An official state dict as towers, head and model config.

    Raises:
        ModelError: a key is missing or unknown, or the patches look across frames (3d).
    """
    from c2v.encoder.sources.official.keys import PATCH_3D, infer, rename_old, split_official

    if head not in ("auto", "clip2video"):
        settings["sim_header"] = head
    renamed = rename_old(state)
    towers, head_state, chosen = split_official(renamed, **settings)
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
        model=_official_model(infer(renamed).clip),
        head=HeadConfig(described.pop("type"), described),
        head_state=head_state,
        vector_dim=chosen.vector_dim,
        context=words,
        official=True,
        order=tuple(renamed),
    )


def export_checkpoint(name: str, file: Path) -> None:
    """Write a bundle in the official layout: bitwise what was imported, tensor for tensor.

    Args:
        name: a bundle on this machine.
        file: ``.safetensors``, or anything else for ``torch.save``.

    Raises:
        ModelError: there is no such bundle, or its towers have no official layout.
    """
    require("c2v model export", "torch")
    from c2v.encoder.heads.settings import HeadSettings
    from c2v.encoder.sources.official.keys import join_official

    directory = find_bundle(name)
    if directory is None:
        raise ModelError(f"there is no model named {name!r} on this machine", hint="c2v model list")
    config = read_config(directory)
    if config.image.family != "open_clip" or config.text.family != "clip":
        raise ModelError(f"{name} is not a CLIP model: it has no official layout")
    origin = _read_origin(directory / ORIGIN_NAME)
    towers = join_towers(
        read_tensors(directory / IMAGE_NAME),
        read_tensors(directory / TEXT_NAME),
        read_tensors(directory / EXTRA_NAME),
    )
    head = read_tensors(directory / HEAD_NAME) if HEAD_NAME in config.files else {}
    settings = HeadSettings.from_dict({"type": config.head.type, **config.head.settings})
    state = join_official(towers, head, settings)
    kinds = {_CLIP_PREFIX + key: kind for key, kind in origin["towers"].items()} | origin["head"]
    order = [key for key in origin["order"] if key in state]
    ordered = {key: state[key] for key in [*order, *(set(state) - set(order))]}
    _save(ordered, kinds, file)


def _save(state: Mapping[str, NDArray[Any]], kinds: Mapping[str, str], file: Path) -> None:
    """Cast each array back to the type it had and write all, by way of a temporary name."""
    import torch

    tensors = {
        key: torch.from_numpy(np.array(value)).to(getattr(torch, kinds.get(key, "float32")))
        for key, value in state.items()
    }
    try:
        with file_draft(file) as draft:
            if file.suffix == ".safetensors":
                from safetensors.torch import save_file

                save_file(tensors, str(draft))
                draft.chmod(0o644)  # the library makes private files; weights are no secret
            else:
                torch.save(tensors, draft)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(
            f"{file} cannot be written: {reason}", hint="c2v model export NAME FILE"
        ) from error


def _read_origin(path: Path) -> dict[str, Any]:
    """Types and order of the weights as they were in the file that was imported."""
    try:
        origin = parse_json(read_plain(path).decode("utf-8"))
        order, towers, head = origin["order"], origin["towers"], origin["head"]
        kinds = [*towers.values(), *head.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read: {error}", hint="c2v model list") from error
    if not all(isinstance(name, str) for name in (*order, *kinds)):
        raise ModelError(f"{path} cannot be read: it is no list of names", hint="c2v model list")
    return {"order": order, "towers": towers, "head": head}


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


def _only_fit(state: Mapping[str, torch.Tensor], file: Path) -> str:
    """The one architecture these weights fit."""
    known = architectures(f"telling the architecture of {file.name}")
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


def _fits(state: Mapping[str, torch.Tensor], model: Mapping[str, Any]) -> bool:
    """Whether the shapes that tell vision transformers apart are those of a model config."""
    vision, text = model["vision_cfg"], model["text_cfg"]
    patch = state.get("visual.conv1.weight")
    positions = state.get("visual.positional_embedding")
    words = state.get("token_embedding.weight", state.get("text.token_embedding.weight"))
    projection = state.get("text_projection", state.get("text.text_projection"))
    if patch is None or positions is None or words is None or projection is None:
        return False
    if "timm_model_name" in vision or isinstance(vision.get("layers"), list):
        return False
    if "multimodal_cfg" in model or "hf_model_name" in text:
        return False
    side, size = vision.get("image_size", 224), vision.get("patch_size", 16)
    layers = {key.split(".")[3] for key in state if key.startswith("visual.transformer.resblocks.")}
    wanted = (
        (vision.get("width", 768), 3, size, size),
        ((side // size) ** 2 + 1, vision.get("width", 768)),
        (text.get("vocab_size", 49408), text.get("width", 512)),
        (text.get("width", 512), model["embed_dim"]),
        vision.get("layers", 12),
        "text.text_projection" in state,
    )
    return wanted == (
        tuple(patch.shape), tuple(positions.shape), tuple(words.shape), tuple(projection.shape),
        len(layers), bool(model.get("custom_text", False)),
    )  # fmt: skip

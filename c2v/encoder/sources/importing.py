"""Checkpoint files, ready to become bundles: CLIP2Video, CLIP4Clip, open_clip's and OpenAI's CLIP.

Everything is strict. A key that is missing or unknown is an error that names it, and the config
of the model is never guessed where the weights leave it open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from c2v.encoder.architecture import Preprocess, architectures, image_config, model_config
from c2v.encoder.bundle_config import HeadConfig
from c2v.encoder.clip_bundle import ClipSource
from c2v.encoder.known_architectures import known_names, known_preprocessing
from c2v.encoder.sources.light_weights import light_state
from c2v.encoder.towers.vision_shape import VisionShape
from c2v.errors import ModelError
from c2v.optional import has, require

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

OFFICIAL_WORDS: Final = 32  # max_words of CLIP2Video and of most CLIP4Clip recipes
_CLIP_PREFIX: Final = "clip."

# Weights behind the layers of an image tower that not every kind has.
_ENDS: Final = ("proj", "trunk.head.weight", "attn_pool.query")
# What takes PyTorch: files that are no safetensors, and the layouts of the papers.
_TORCH: Final = ("c2v model import", "torch", "open_clip")

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
        MissingPartError: PyTorch or open_clip is not installed, and it takes them: the file is
            no safetensors, or of CLIP2Video or CLIP4Clip, or of an architecture that only open_clip
            knows.
    """
    light = light_state(file)
    heavy = _torch_state(file) if light is None else {}
    state: Checkpoint = heavy if light is None else light
    if architecture is not None and all(key.startswith(_CLIP_PREFIX) for key in state):
        # Said to be a bare CLIP: the prefix is the name of an attribute, not the official layout.
        state = {key.removeprefix(_CLIP_PREFIX): value for key, value in state.items()}
    if any(key.startswith(_CLIP_PREFIX) for key in state):
        heavy = heavy or _torch_state(file)
        clip = official_source(heavy, head=head, words=words or OFFICIAL_WORDS, **settings)
        clip = replace(clip, source=f"imported from {file.name}")
    else:
        architecture = architecture or default_architecture or only_fit(state, file)
        clip = ClipSource(
            state=state,
            model=model_config(architecture),
            preprocess=_preprocess(architecture),
            order=tuple(state),
            context=words,
            source=f"imported from {file.name} as {architecture}",
        )
    return replace(clip, licence="that of the file")


def _preprocess(architecture: str) -> Preprocess:
    """How weights of an architecture want to see a picture, where all of open_clip's want the same.

    Else as OpenAI's do, which most of them follow.
    """
    known = known_preprocessing(architecture, "")
    if known is not None or not has("torch", "open_clip"):
        return Preprocess(**(known or {}))
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(architecture)
    configs = (open_clip.get_pretrained_cfg(architecture, tag) for tag in tags)
    found = {
        Preprocess(tuple(c["mean"]), tuple(c["std"]), c["interpolation"], c["resize_mode"])
        for c in configs
    }
    return found.pop() if len(found) == 1 else Preprocess()


def _torch_state(file: Path) -> Mapping[str, torch.Tensor]:
    require(*_TORCH)
    from c2v.encoder.sources.weight_files import load_state

    return load_state(file)


def official_source(
    state: Mapping[str, torch.Tensor], *, head: str, words: int, **settings: Any
) -> ClipSource:
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
    """Whether the shapes that tell vision transformers apart are those of a model config."""
    text = model["text_cfg"]
    if "hf_model_name" in text or not isinstance(model["vision_cfg"].get("image_size", 224), int):
        return False
    if any(key.startswith("text.") for key in state) != bool(model.get("custom_text", False)):
        return False
    shape = VisionShape.of(image_config(model, Preprocess()))
    if shape is None:
        return False
    names, weights = shape.names, shape.tensors()
    layer = f"visual.{names.layers}."
    layers = {key.removeprefix(layer).partition(".")[0] for key in state if key.startswith(layer)}
    if len(layers) != shape.layers:
        return False
    told_by = (names.positions, f"{names.patches}.weight", *_ENDS)
    telling = {f"visual.{name}": weights.get(name) for name in told_by}
    width, before = int(text.get("width", 512)), "text." if model.get("custom_text") else ""
    telling[f"{before}token_embedding.weight"] = (int(text.get("vocab_size", 49408)), width)
    found = {key: tuple(state[key].shape) if key in state else None for key in telling}
    return found == telling

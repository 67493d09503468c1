"""Checkpoint files, ready to become bundles: CLIP2Video, CLIP4Clip, open_clip's and OpenAI's CLIP.

Everything is strict. A key that is missing or unknown is an error that names it, and the config
of the model is never guessed where the weights leave it open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from c2v.encoder.architecture import architectures, model_config
from c2v.encoder.bundle_config import HeadConfig
from c2v.encoder.clip_bundle import ClipSource
from c2v.encoder.sources.weight_files import load_state
from c2v.errors import ModelError

if TYPE_CHECKING:
    import torch

OFFICIAL_WORDS: Final = 32  # max_words of CLIP2Video and of most CLIP4Clip recipes
_CLIP_PREFIX: Final = "clip."

Checkpoint = Mapping[str, "torch.Tensor"]


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
    state: Checkpoint = load_state(file)
    if architecture is not None and all(key.startswith(_CLIP_PREFIX) for key in state):
        # Said to be a bare CLIP: the prefix is the name of an attribute, not the official layout.
        state = {key.removeprefix(_CLIP_PREFIX): value for key, value in state.items()}
    if any(key.startswith(_CLIP_PREFIX) for key in state):
        clip = official_source(state, head=head, words=words or OFFICIAL_WORDS, **settings)
        clip = replace(clip, source=f"imported from {file.name}")
    else:
        architecture = architecture or default_architecture or only_fit(state, file)
        clip = ClipSource(
            state=state,
            model=model_config(architecture),
            order=tuple(state),
            context=words,
            source=f"imported from {file.name} as {architecture}",
        )
    return replace(clip, licence="that of the file")


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


def only_fit(state: Mapping[str, torch.Tensor], file: Path) -> str:
    """The one architecture of open_clip that the weights of ``file`` fit, by their shapes.

    Raises:
        ModelError: there is none, or more than one.
    """
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
    if len(layers) != vision.get("layers", 12):
        return False
    if ("text.text_projection" in state) != bool(model.get("custom_text", False)):
        return False
    width, text_width = vision.get("width", 768), text.get("width", 512)
    wanted = (
        (width, 3, size, size),
        ((side // size) ** 2 + 1, width),
        (text.get("vocab_size", 49408), text_width),
        (text_width, model["embed_dim"]),
    )
    return wanted == tuple(tuple(x.shape) for x in (patch, positions, words, projection))

"""Checkpoints of toy size in the official layout, the same on every machine and in every release.

Values come from NumPy's frozen RandomState by key name and shape; nothing is stored. Run as a
script it writes what the project's code makes of them into `own.safetensors` beside it:

    python tests/golden/own/tiny.py

Do that only after `pytest tests/golden` has passed against the reference's own outputs.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from c2v.encoder.heads.build import new_head
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.sources.official.reference import from_official
from c2v.encoder.towers.clip_torch import Clip, ClipShape
from c2v.training.objective import batch_loss, contrast

OWN = Path(__file__).with_name("own.safetensors")
WIDTH = 128
SHAPE = ClipShape(
    feature_dim=WIDTH,
    vision_width=64,
    vision_layers=2,
    patch_size=8,
    image_size=16,
    text_width=WIDTH,
    text_layers=2,
    context_length=77,
    vocab_size=512,
)
LENGTHS = (5, 3, 1)
# name of a case -> checkpoint, settings of the model
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "clip2video": ("clip2video", {}),
    "clip2video_legacy": ("clip2video", {"legacy_mask_order": True}),
    "clip2video_strict": ("clip2video", {"strict_difference_mask": True}),
    "clip2video_mlp_tab": ("clip2video_mlp", {"center_proj": "TAB"}),
    "clip2video_sub": ("clip2video", {"temporal_proj": "", "center_type": ""}),
    "meanP": ("meanP", {}),
    "meanP_3d": ("meanP_3d", {}),
    "seqLSTM": ("seqLSTM", {}),
    "seqTransf": ("seqTransf", {}),
    "tightTransf": ("tightTransf", {}),
}


def value(name: str, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """A plausible weight: norms near 1, biases small, matrices that keep the scale."""
    random = np.random.RandomState(zlib.crc32(name.encode()) + seed & 0xFFFFFFFF)
    noise = random.standard_normal(shape)
    if name.endswith("logit_scale"):
        array = np.asarray(3.0)
    elif ".ln_" in name or "layernorm" in name:
        array = 0.2 * noise + (1.0 if name.endswith("weight") else 0.0)
    elif name.endswith("bias") or len(shape) == 1:
        array = 0.1 * noise
    elif "embedding" in name:
        array = 0.3 * noise
    else:
        array = 1.5 * noise / np.prod(shape[1:]) ** 0.5
    return torch.from_numpy(np.asarray(array, dtype=np.float32))


def head_settings(checkpoint: str, *, width: int = WIDTH, centers: int = 5) -> HeadSettings:
    """The head of a toy checkpoint."""
    if checkpoint.startswith("clip2video"):
        return HeadSettings(
            type="clip2video",
            feature_dim=width,
            layers=2,
            centers=centers,
            temporal_proj="sigmoid_mlp" if checkpoint.endswith("mlp") else "sigmoid_selfA",
        )
    kind: Any = checkpoint.removesuffix("_3d")
    return HeadSettings(type=kind, feature_dim=width, layers=2)


def head_state(settings: HeadSettings, seed: int = 0) -> dict[str, Tensor]:
    """Weights of a head under their official names."""
    shapes = new_head(settings).state_dict()
    return {name: value(name, tuple(weight.shape), seed) for name, weight in shapes.items()}


def official_state(checkpoint: str, seed: int = 0) -> dict[str, Tensor]:
    """A whole checkpoint: towers and head."""
    weights = {f"clip.{name}": weight for name, weight in Clip(SHAPE).state_dict().items()}
    if checkpoint.endswith("_3d"):
        weights["clip.visual.conv2.weight"] = torch.empty(64, 3, 3, 8, 8)
    state = {name: value(name, tuple(weight.shape), seed) for name, weight in weights.items()}
    return state | head_state(head_settings(checkpoint), seed)


def inputs(frames: int = 5) -> dict[str, Tensor]:
    """Three texts, three videos, masks full and ragged."""
    random = np.random.RandomState(7)
    ids, text_mask = np.zeros((3, 12), np.int64), np.zeros((3, 12), np.int64)
    for row, words in enumerate((9, 4, 6)):
        ids[row, : words + 2] = [510, *random.randint(1, 500, words), 511]
        text_mask[row, : words + 2] = 1
    video = torch.from_numpy(random.standard_normal((3, frames, 3, 16, 16)).astype(np.float32))
    ragged = torch.arange(frames)[None] < torch.tensor(LENGTHS)[:, None]
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(text_mask),
        "video": video,
        "full": torch.ones(3, frames),
        "ragged": ragged.float(),
    }


def outputs(case: str) -> dict[str, Tensor]:
    """What the project's code makes of a case: logits, and the vectors where there are some."""
    checkpoint, settings = CASES[case]
    model = from_official(official_state(checkpoint), **settings)
    given = inputs()
    out = {}
    with torch.no_grad():
        tokens, end = model.encode_text(given["input_ids"])
        for mask in ("full", "ragged"):
            masked = given["video"] * given[mask][:, :, None, None, None]
            arguments = given["input_ids"], given["attention_mask"], masked, given[mask]
            out[f"{case}.{mask}.logits"] = model.score(*arguments)
            frames = model.encode_video(masked)
            out[f"{case}.{mask}.video"] = model.head.video(frames, given[mask])
        out[f"{case}.text"] = model.head.text(tokens, given["attention_mask"], end=end)
    out |= losses(case)
    return {name: tensor.contiguous() for name, tensor in out.items()}


def losses(case: str) -> dict[str, Tensor]:
    """The loss that training minimises, and its gradient for the frame features and the scale."""
    checkpoint, settings = CASES[case]
    model = from_official(official_state(checkpoint), **settings)
    given = inputs()
    video = given["video"] * given["ragged"][:, :, None, None, None]
    diagonal = torch.arange(3)
    if checkpoint == "tightTransf":  # scores pairs: its logits are what it has
        with torch.no_grad():
            logits = model.score(
                given["input_ids"], given["attention_mask"], video, given["ragged"]
            )
        return {f"{case}.ragged.loss": contrast(logits, diagonal)}
    with torch.no_grad():
        tokens, end = model.encode_text(given["input_ids"])
        frames = model.encode_video(video)
    frames = frames.clone().requires_grad_()
    log_scale = torch.tensor(3.0, requires_grad=True)
    loss = batch_loss(
        model.head.text_parts(tokens, given["attention_mask"].float(), end=end),
        model.head.video_parts(frames, given["ragged"]),
        owner=diagonal, video=diagonal, videos=3, weights=model.head.weights,
        scale=log_scale.exp(),
    )  # fmt: skip
    loss.backward()
    assert frames.grad is not None
    assert log_scale.grad is not None
    return {
        f"{case}.ragged.loss": loss.detach(),
        f"{case}.ragged.scale_gradient": log_scale.grad,
        f"{case}.ragged.frames_gradient": frames.grad[:, :, ::8],  # thinned out
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    save_file({name: x for case in CASES for name, x in outputs(case).items()}, OWN)

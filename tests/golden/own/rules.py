"""Rules of the papers on made inputs: frames, pictures, ranks, optimiser.

Inputs come from NumPy's frozen RandomState. Run as a script it writes what the project's code makes
of them into `rules.safetensors` beside it:

    python tests/golden/own/rules.py

Do that only after `pytest tests/golden` has passed against the reference's own outputs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from c2v.encoder.architecture import Preprocess
from c2v.encoder.towers.clip_image_torch import normalised
from c2v.evaluation.metrics import retrieval_metrics
from c2v.evaluation.ranks import Ties
from c2v.media.published_pictures import resize_and_crop
from c2v.media.published_positions import FrameClock, PublishedSampling, clip2video_positions
from c2v.training.bertadam import BertAdam

RULES = Path(__file__).with_name("rules.safetensors")
TIES: tuple[Ties, ...] = ("optimistic", "average", "pessimistic", "legacy")
VIDEOS = ((300, 25.0), (301, 29.97), (900, 29.97), (1800, 60.0), (40, 10.0), (26, 25.0), (1, 25.0))


def rows(found: list[tuple[int, ...]]) -> NDArray[np.int16]:
    """Positions of several videos, filled up with -1."""
    table = np.full((len(found), 12), -1, np.int16)
    for row, positions in enumerate(found):
        table[row, : len(positions)] = positions
    return table


def frames() -> dict[str, NDArray[Any]]:
    """Which frames of videos of so many frames and such a rate are taken."""
    out: dict[str, NDArray[Any]] = {}
    for protocol in ("clip4clip", "clip2video"):
        found = []
        for count, rate in VIDEOS:
            clock = FrameClock(tuple(n / rate for n in range(count)), (1 / rate,) * count, rate)
            found.append(PublishedSampling(protocol).positions(clock))  # type: ignore[arg-type]
        out[f"frames.{protocol}"] = rows(found)
    counts = ((n, step) for n in (0, 1, 2, 5, 7, 24, 25, 100) for step in (1, 2, 3))
    out["frames.extracted"] = rows([clip2video_positions(n, divisor=step) for n, step in counts])
    return out


def pictures() -> dict[str, NDArray[Any]]:
    """Pictures of several shapes as squares of 16, and one as the image tower reads it."""
    random = np.random.RandomState(3)
    out: dict[str, NDArray[Any]] = {}
    for height, width in ((48, 64), (64, 48), (33, 77), (12, 12)):
        picture = random.randint(0, 256, (height, width, 3)).astype(np.uint8)
        out[f"picture.{height}x{width}"] = resize_and_crop(picture, 16).copy()
    clip = Preprocess()
    square = torch.from_numpy(out["picture.48x64"])
    out["picture.normalised"] = normalised(
        square, mean=torch.tensor(clip.mean), std=torch.tensor(clip.std)
    ).numpy()
    return out


def metrics() -> dict[str, NDArray[Any]]:
    """All figures of both directions, one and several captions a video, with many ties."""
    random = np.random.RandomState(5)
    several = np.repeat(np.arange(8), random.randint(1, 5, 8))
    out = {}
    for name, owner in (("one", np.arange(30)), ("several", several)):
        scores = random.randint(0, 7, (len(owner), owner.max() + 1)).astype(np.float64)
        for ties in TIES:
            found = retrieval_metrics(scores, owner, ties=ties)
            both = (found.text_to_video, found.video_to_text, found.video_to_text_by_caption)
            figures = [list(direction.as_dict().values()) for direction in both]
            out[f"metrics.{name}.{ties}"] = np.asarray(figures)
    return out


def optimiser() -> dict[str, NDArray[Any]]:
    """Two tensors after a dozen steps of BertAdam."""
    random = np.random.RandomState(9)
    tensors = [
        torch.nn.Parameter(torch.from_numpy(random.standard_normal(n).astype(np.float32)))
        for n in (6, 3)
    ]
    groups = [
        {"params": tensors[:1], "lr": 0.01, "weight_decay": 0.2},
        {"params": tensors[1:], "lr": 0.1, "weight_decay": 0.0},
    ]
    made = BertAdam(groups, lr=0.01, total_steps=15)
    for _ in range(12):
        for tensor in tensors:
            gradient = 3 * random.standard_normal(len(tensor)).astype(np.float32)
            tensor.grad = torch.from_numpy(gradient)
        made.step()
    return {f"optimiser.{i}": tensor.detach().numpy() for i, tensor in enumerate(tensors)}


def outputs() -> dict[str, NDArray[Any]]:
    """Everything, by name."""
    found = frames() | pictures() | metrics() | optimiser()
    return {name: np.ascontiguousarray(array) for name, array in found.items()}


if __name__ == "__main__":
    save_file(outputs(), RULES)

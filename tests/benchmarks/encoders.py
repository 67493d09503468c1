"""Encoders of real shapes for benchmarks."""

from __future__ import annotations

from pathlib import Path

from c2v.encoder.clip_bundle import ClipSource, write_clip_bundle


def make_vit_b_32(folder: Path) -> Path:
    """A bundle of ViT-B/32 with random weights: what it says means nothing, its speed does.

    Made on first use.
    """
    if folder.exists():
        return folder
    import open_clip
    import torch

    torch.manual_seed(0)
    name = "ViT-B-32-quickgelu"
    clip = ClipSource(
        state=dict(open_clip.create_model(name, pretrained=None).state_dict()),
        model=open_clip.get_model_config(name),
        source="a benchmark",
        licence="none",
    )
    write_clip_bundle(folder, name="random-vit-b-32", clip=clip)
    return folder

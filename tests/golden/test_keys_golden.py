"""Key lists of full-size checkpoints: understood, built, and written back bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from c2v.encoder.sources.official.keys import infer, join_official, split_official
from c2v.encoder.sources.official.reference import from_official


def listed(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_full_size_clip2video(golden: Path) -> None:
    torch.manual_seed(0)
    state = {
        name: torch.randn(shape).to(getattr(torch, dtype))
        for name, (shape, dtype) in listed(golden / "keys_clip2video_vitb32.json").items()
    }
    assert len(state) == 380
    assert sum(value.numel() for value in state.values()) == 170_238_209

    towers, head, layout = split_official(state)
    assert layout.head.as_dict() == {"type": "clip2video", "feature_dim": 512}
    assert {name: list(x.shape) for name, x in towers.items()} == listed(
        golden / "keys_open_clip_vitb32_quickgelu.json"
    )
    joined = join_official(towers, head, layout.head)
    assert joined.keys() == state.keys()
    for name, value in state.items():
        assert joined[name].dtype == value.dtype
        assert torch.equal(joined[name], value)

    model = from_official(state)
    assert sum(value.numel() for value in model.parameters()) == 170_238_209
    assert torch.equal(model.head.state_dict()["emb_center"], state["emb_center"].float())


@pytest.mark.parametrize("name", ["meanP", "meanP_3d", "seqLSTM", "seqTransf", "tightTransf"])
def test_full_size_clip4clip(golden: Path, name: str) -> None:
    keys = listed(golden / "keys_clip4clip_vitb32.json")[name]
    state = {key: torch.empty(shape, device="meta") for key, (shape, _) in keys.items()}
    layout = infer(state)
    assert layout.head.as_dict() == {"type": name.removesuffix("_3d"), "feature_dim": 512}
    assert layout.clip["linear_patch"] == ("3d" if name.endswith("3d") else "2d")
    assert layout.clip["image_size"] == 224
    towers, head, layout = split_official(state)
    assert join_official(towers, head, layout.head).keys() == state.keys()

"""CLIP4Clip's heads against the outputs of the released code, at toy size, fp32."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from c2v.encoder.heads.base import sentence_feature
from c2v.encoder.heads.seq import SeqLSTM, SeqTransf
from c2v.encoder.heads.tight import TightTransf
from c2v.encoder.sources.official.reference import from_official
from c2v.training.objective import contrast

HEADS = ("meanP", "meanP_3d", "seqLSTM", "seqTransf", "tightTransf")
RELATIVE = 5e-6
ABSOLUTE = 5e-5


@pytest.mark.parametrize("mask", ["full", "ragged"])
@pytest.mark.parametrize("name", HEADS)
def test_head(golden: Path, name: str, mask: str) -> None:
    case = load_file(golden / f"clip4clip_{name}.safetensors")
    model = from_official({k[3:]: v for k, v in case.items() if k.startswith("sd.")})
    real = case[f"in.mask_{mask}"].float()
    video = case["in.video"].float() * real[:, :, None, None, None]
    ids, text_mask = case["in.input_ids"].long(), case["in.attention_mask"]

    assert model.head.settings.type == name.removesuffix("_3d")
    logits = model.score(ids, text_mask, video, real)
    assert (logits - case[f"out.{mask}.sim"]).abs().max() <= ABSOLUTE
    loss = contrast(logits, torch.arange(len(logits)))
    assert (loss - case[f"out.{mask}.loss"]).abs() <= ABSOLUTE

    with torch.no_grad():
        tokens, end = model.encode_text(ids)
        frames = model.encode_video(video)
        text = sentence_feature(tokens, text_mask, end)
        got = {"frame_emb": frames, "text_global": text}
        if isinstance(model.head, SeqLSTM):
            got["lstm_out_padded"] = model.head.context(frames, real)
        if isinstance(model.head, SeqTransf):
            got["temporal_transformer_out"] = model.head.context(frames, real)
        if isinstance(model.head, TightTransf):
            got["cross_hidden"], got["cross_pooled"] = all_pairs(model.head, text, frames, real)
    for key in [key for key in got if f"out.{mask}.{key}" in case]:
        wanted = case[f"out.{mask}.{key}"]
        assert got[key].shape == wanted.shape
        assert (got[key] - wanted).abs().max() <= RELATIVE * wanted.abs().max(), key


def all_pairs(
    head: TightTransf, text: Tensor, frames: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Every text with every video, texts outermost."""
    texts, videos = len(text), len(frames)
    return head.encode_pairs(
        text.repeat_interleave(videos, 0), frames.repeat(texts, 1, 1), mask.repeat(texts, 1)
    )

"""Frame positions, preprocessing, optimiser and metrics against the reference's own outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from c2v.encoder.architecture import Preprocess
from c2v.encoder.towers.clip_image_torch import normalised
from c2v.errors import MediaError
from c2v.evaluation.metrics import retrieval_metrics
from c2v.evaluation.ranks import Ties, text_ranks, video_ranks
from c2v.media.published_pictures import resize_and_crop
from c2v.media.published_positions import (
    clip2video_positions,
    clip4clip_positions,
    slice_positions,
)
from c2v.training.bertadam import BertAdam, warmup_cosine


@pytest.fixture(scope="module")
def sampling(golden: Path) -> Any:
    return json.loads((golden / "frame_sampling.json").read_text(encoding="utf-8"))


def test_clip2video_positions(sampling: Any) -> None:
    rows = sampling["clip2video"]["rows"]
    assert len(rows) == 126
    for count, divisor, most, wanted in rows:
        got = clip2video_positions(count, divisor=divisor, max_frames=most)
        assert list(got) == wanted


def test_clip4clip_positions(sampling: Any) -> None:
    rows = sampling["clip4clip_decode"]["rows"]
    assert len(rows) == 81
    for count, rate, per_second, start, end, wanted, error in rows:
        arguments = {"per_second": per_second, "start_second": start, "end_second": end}
        if error is None:
            assert list(clip4clip_positions(count, rate, **arguments)) == wanted
        else:
            with pytest.raises(MediaError):
                clip4clip_positions(count, rate, **arguments)


def test_slice_positions(sampling: Any) -> None:
    for count, rows in sampling["slice_framepos2_linspace"].items():
        for most, wanted in rows.items():
            assert list(slice_positions(int(count), int(most))) == wanted


@pytest.mark.parametrize("name", "abcde")
def test_preprocessing_is_exact(golden: Path, name: str) -> None:
    case = load_file(golden / "preprocess.safetensors")
    size = 224 if name == "e" else 32  # e is stored thinned out
    pixels = torch.from_numpy(resize_and_crop(case[f"in.{name}"], size).copy())
    clip = Preprocess()
    got = normalised(pixels, mean=torch.tensor(clip.mean), std=torch.tensor(clip.std)).numpy()
    np.testing.assert_array_equal(got[:, ::7, ::7] if name == "e" else got, case[f"out.{name}"])


def test_bertadam(golden: Path) -> None:
    case = load_file(golden / "bertadam.safetensors")
    tensors = [torch.nn.Parameter(torch.from_numpy(case[f"in.p{i}"])) for i in range(2)]
    groups = [
        {"params": tensors[:1], "lr": 0.01, "weight_decay": 0.2},
        {"params": tensors[1:], "lr": 0.1, "weight_decay": 0.0},
    ]
    optimiser = BertAdam(groups, lr=0.01, total_steps=20)
    for step in range(20):
        for i, tensor in enumerate(tensors):
            tensor.grad = torch.from_numpy(case[f"in.g{i}"][step])
        rates = [warmup_cosine(step / 20, 0.1) * group["lr"] for group in groups]
        np.testing.assert_allclose(rates, case["out.lr"][step], rtol=1e-6, atol=0)
        optimiser.step()
        for i, tensor in enumerate(tensors):
            np.testing.assert_allclose(
                tensor.detach().numpy(), case[f"out.p{i}"][step], rtol=5e-6, atol=1e-7
            )


@pytest.mark.parametrize("name", ["square", "square_ties", "multi", "multi_ties"])
def test_metrics_are_exact(golden: Path, name: str) -> None:
    case = load_file(golden / "metrics_inputs.safetensors")
    wanted = json.loads((golden / "metrics_expected.json").read_text(encoding="utf-8"))["results"]
    owner = np.repeat(np.arange(12), case["in.counts"]) if name.startswith("multi") else None
    scores = case[f"in.{name}"]
    every: tuple[Ties, ...] = ("legacy", "optimistic", "average", "pessimistic")
    # without ties all ways of counting them are one, but for the released code's lower median
    for ties in every[:1] if name.endswith("ties") else every:
        ours = retrieval_metrics(scores, owner, ties=ties)
        for mine, direction in ((ours.text_to_video, "t2v"), (ours.video_to_text, "v2t")):
            theirs = wanted[f"{name}.{direction}"]
            assert mine.recall_at_1 == pytest.approx(theirs["R1"], abs=1e-5)
            assert mine.recall_at_5 == pytest.approx(theirs["R5"], abs=1e-5)
            assert mine.recall_at_10 == pytest.approx(theirs["R10"], abs=1e-5)
            assert mine.mean_rank == pytest.approx(theirs["MeanR"], abs=1e-12)
            if ties == "legacy":
                assert mine.median_rank == theirs["MedianR"]


@pytest.mark.parametrize("name", ["square", "square_ties"])
def test_ranks_are_exact(golden: Path, name: str) -> None:
    scores = load_file(golden / "metrics_inputs.safetensors")[f"in.{name}"]
    wanted = json.loads((golden / "metrics_expected.json").read_text(encoding="utf-8"))["results"]
    owner = np.arange(len(scores))
    for ranks, direction in ((text_ranks, "t2v"), (video_ranks, "v2t")):
        got = ranks(scores, owner, ties="legacy") - 1
        assert got.tolist() == wanted[f"{name}.{direction}"]["cols"]

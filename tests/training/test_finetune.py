"""Fine-tuning a head on stored features."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.heads.meanp import MeanP
from c2v.encoder.heads.settings import HeadSettings
from c2v.errors import DataError, UsageError
from c2v.evaluation.captions import Captions
from c2v.evaluation.retrieval import evaluate_library
from c2v.indexing.reembedding import reembed
from c2v.library import Store
from c2v.training.choices import Choices, plan
from c2v.training.distributed import Group
from c2v.training.objective import batch_loss, best_segment, contrast
from c2v.training.optimiser import freeze
from c2v.training.pairs import hold_out
from c2v.training.ragged import Ragged
from c2v.training.recipe import Recipe, validation_count
from c2v.training.run import Finetuned, Run, check_texts, train_bundle
from c2v.training.start import first_head
from c2v.training.step import PairBatch, StepSettings, backward
from c2v.training.trainee import Draw, Features, HeadTrainee

HEADS = ("meanP", "seqLSTM", "seqTransf", "clip2video", "wti")
FAST = Choices(head="meanP", epochs=6, batch=8, learning_rate=1e-3, patience=12, validation=0.1)


Train = Callable[..., Finetuned]


# -- the objective ---------------------------------------------------------------------------------


def test_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    rows = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-2))) / 2
    columns = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-3))) / 2
    loss = contrast(logits, torch.arange(2))
    assert loss.item() == pytest.approx((rows + columns) / 2, rel=1e-6)


def test_one_caption_a_video_is_the_published_loss() -> None:
    torch.manual_seed(0)
    logits, diagonal = torch.randn(7, 7), torch.arange(7)
    rows, columns = (torch.nn.functional.cross_entropy(x, diagonal) for x in (logits, logits.T))
    torch.testing.assert_close(contrast(logits, diagonal), (rows + columns) / 2)
    torch.testing.assert_close(contrast(logits, diagonal), contrast(logits.T, diagonal))


def unit(*shape: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


def loss_of(
    text: tuple[torch.Tensor, ...], video: tuple[torch.Tensor, ...], weights: tuple[float, ...],
    scale: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """The loss of a batch with one segment a video and one caption each."""
    diagonal = torch.arange(len(text[0]))
    return batch_loss(text, video, owner=diagonal, video=diagonal, videos=len(diagonal),
                      weights=weights, scale=scale)  # fmt: skip


def test_branches_are_weighted_losses_not_a_loss_of_the_fused_score() -> None:
    torch.manual_seed(0)
    text, video = (unit(5, 16), unit(5, 16)), (unit(5, 16), unit(5, 16))
    scale, diagonal = torch.tensor(20.0), torch.arange(5)
    total = loss_of(text, video, (0.3, 0.7), scale)
    logits = [scale * t @ v.T for t, v in zip(text, video, strict=True)]
    first, second = (contrast(x, diagonal) for x in logits)
    torch.testing.assert_close(total, 0.3 * first + 0.7 * second)
    assert (contrast(0.3 * logits[0] + 0.7 * logits[1], diagonal) - total).abs() > 1e-3
    with pytest.raises(ValueError, match="shorter"):
        loss_of(text[:1], video[:1], (0.5, 0.5), scale)


def test_gradients_flow_to_the_scale() -> None:
    torch.manual_seed(0)
    text, video = unit(4, 8), unit(4, 8)
    log_scale = torch.nn.Parameter(torch.tensor(2.0))
    total = loss_of((text,), (video,), (1.0,), log_scale.exp())
    total.backward()  # type: ignore[no-untyped-call]
    assert log_scale.grad is not None
    assert log_scale.grad != 0


def test_captions_of_one_video_are_not_each_others_negatives() -> None:
    torch.manual_seed(0)
    logits = torch.randn(5, 3, dtype=torch.float64)
    owner = torch.tensor([0, 0, 1, 2, 2])
    to_text = []
    for text, video in enumerate(owner.tolist()):
        rivals = [other for other in range(5) if owner[other] != video]
        column = torch.stack([logits[text, video], *(logits[other, video] for other in rivals)])
        to_text.append(torch.logsumexp(column, 0) - logits[text, video])
    to_video = torch.nn.functional.cross_entropy(logits, owner)
    expected = (to_video + torch.stack(to_text).mean()) / 2
    torch.testing.assert_close(contrast(logits, owner), expected)


def test_a_video_is_as_good_as_its_best_segment() -> None:
    scores = torch.tensor([[1.0, 5.0, 3.0], [2.0, 0.0, 4.0]])
    best = best_segment(scores, torch.tensor([0, 0, 1]), 2)
    assert best.tolist() == [[5.0, 3.0], [2.0, 4.0]]


# -- first weights ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HEADS)
def test_step_zero_is_zero_shot_to_the_bit(bundle: Bundle, kind: str) -> None:
    head = first_head(bundle, head=kind, start="identity", projected=True, small=True, seed=3)
    plain = MeanP(HeadSettings(type="meanP", feature_dim=64))
    torch.manual_seed(0)
    frames, tokens = torch.randn(6, 5, 64), torch.randn(9, 4, 64)
    mask = torch.ones(6, 5)
    mask[2:, 3:] = 0
    words = torch.ones(9, 4)
    with torch.no_grad():
        texts, videos = head.text(tokens, words), head.video(frames * mask[..., None], mask)
        expected = plain.text(tokens, words) @ plain.video(frames * mask[..., None], mask).T
    assert head.weights[0] == 1.0
    torch.testing.assert_close(texts @ videos.T, expected, rtol=0, atol=1e-6)
    assert torch.equal((texts @ videos.T).argsort(1), expected.argsort(1))


@pytest.mark.parametrize("kind", HEADS)
def test_never_worse_than_zero_shot(
    train: Train, library: Store, bundle: Bundle, captions: Captions, toys: ModuleType, kind: str
) -> None:
    """A rate that ruins the head: what is kept is still as good as the model it came from."""
    ruinous = replace(FAST, head=kind, learning_rate=30.0, epochs=2)
    result = train(ruinous)
    held = [path for path in captions.videos if path in _held_back(captions)]
    zero_shot = evaluate_library(library, bundle, toys.only(captions, held)).metrics
    before, after = result.outcome.before, result.outcome.after
    assert before["text_to_video"] == zero_shot.text_to_video.as_dict()
    assert _score(after) >= _score(before)
    tuned = evaluate_library(library, load_bundle("tuned"), toys.only(captions, held)).metrics
    assert _score(tuned.as_dict()) >= _score(before)


def _held_back(captions: Captions) -> list[str]:
    videos = captions.videos
    _, held = hold_out(videos, count=validation_count(len(videos), 0.1), seed=0)
    return [videos[number] for number in held]


def _score(metrics: dict[str, Any]) -> float:
    return sum(metrics[d][f"R@{k}"] for d in ("text_to_video", "video_to_text") for k in (1, 5, 10))


# -- a whole run -----------------------------------------------------------------------------------


def test_a_run_learns_and_leaves_a_bundle(train: Train, library: Store, bundle: Bundle) -> None:
    result = train(replace(FAST, head="clip2video", epochs=12, layers=1))
    history = result.outcome.history
    assert history[-1]["loss"] < 0.9 * history[1]["loss"]
    tuned = load_bundle("tuned", device="cpu")
    tuned.verify()
    assert tuned.config.head.type == "clip2video"
    assert tuned.towers_fingerprint == bundle.towers_fingerprint
    record = json.loads((tuned.directory / "metrics.json").read_text())
    assert record["recipe"]["seed"] == 0
    assert record["before"] == result.outcome.before
    assert record["after"] == result.outcome.after
    assert record["parent"]["name"] == "tiny"
    assert record["data"]["digest"]
    with library.writer():
        reembed(library, tuned)
    assert library.model is not None
    assert library.model.name == "tuned"


def test_search_needs_no_torch_after_fine_tuning(train: Train) -> None:
    """The text side of a projected head in NumPy is that of torch."""
    from c2v.encoder.heads.adapters import TorchHead
    from c2v.encoder.heads.settings import HeadSettings
    from c2v.encoder.sources.weight_files import load_state

    for kind in ("meanP", "clip2video"):
        train(replace(FAST, head=kind, epochs=3, layers=1), name=f"t-{kind}")
        tuned = load_bundle(f"t-{kind}", device="cpu")
        described = {**tuned.config.head.settings, "type": kind}
        settings = HeadSettings.from_dict(described)
        slow = TorchHead(settings, load_state(tuned.directory / "head.safetensors"))
        features = tuned.encode_text(["a red dog", "a river in the night"])
        np.testing.assert_allclose(
            tuned.embed_text(["a red dog", "a river in the night"]),
            slow.embed_text(features.tokens, features.mask),
            atol=1e-5,
        )
        assert settings.projected


def test_long_videos_and_several_captions(toys: ModuleType, tmp_path: Path, bundle: Bundle) -> None:
    captions = toys.captions_for(tmp_path, 12, a_video=3)
    run = Run(name="long", watcher=toys.Watch(), keep=True)
    with toys.fill_library(tmp_path / "long", bundle, captions, segments=6) as library:
        result = train_bundle(library, bundle, captions, FAST, run)
    assert result.pairs == 36
    assert result.outcome.history[-1]["loss"] < result.outcome.history[1]["loss"]


def test_videos_that_are_not_there_are_reported(
    toys: ModuleType, tmp_path: Path, bundle: Bundle, captions: Captions
) -> None:
    gone = captions.videos[4]
    run = Run(name="gappy", watcher=toys.Watch(), keep=True)
    with toys.fill_library(tmp_path / "gappy", bundle, captions, without=[gone]) as library:
        result = train_bundle(library, bundle, captions, FAST, run)
    assert [(miss.path, miss.reason) for miss in result.missing] == [(gone, "no such file")]
    assert result.pairs == 23


# -- pieces ----------------------------------------------------------------------------------------


def _trainee(count: int = 8, kind: str = "clip2video") -> HeadTrainee:
    torch.manual_seed(1)
    settings = HeadSettings(
        type=kind,  # type: ignore[arg-type]
        feature_dim=32,
        layers=1,
        projected=True,
        strict_difference_mask=True,
    )
    from c2v.encoder.heads.build import build_head
    from c2v.encoder.heads.initialise import random_head

    head = build_head(settings, random_head(settings, seed=2).state_dict())
    random = np.random.default_rng(0)
    frames = [random.standard_normal((3 + n % 3, 32)).astype(np.float16) for n in range(count)]
    tokens = [random.standard_normal((2 + n % 4, 32)).astype(np.float32) for n in range(count)]
    features = Features(
        Ragged(tokens, device=torch.device("cpu")), Ragged(frames, device=torch.device("cpu")),
        [[n] for n in range(count)], 0.3,
    )  # fmt: skip
    return HeadTrainee(head, features, scale=20.0)


def _gradients(trainee: HeadTrainee, micro_batch: int) -> tuple[float, dict[str, torch.Tensor]]:
    settings = StepSettings(micro_batch, 4, (0.5, 0.5))
    batch = PairBatch(tuple(range(7)), tuple((n,) for n in range(6)) + ((6, 7),))
    trainee.zero_grad(set_to_none=True)
    loss = backward(trainee, batch, Draw(0, 3), settings, Group())
    return loss, {n: p.grad for n, p in trainee.named_parameters() if p.grad is not None}


def test_gradient_caching_is_the_full_batch() -> None:
    trainee = _trainee()
    loss, whole = _gradients(trainee, 64)
    for micro_batch in (1, 2, 3):
        again, cached = _gradients(trainee, micro_batch)
        assert again == pytest.approx(loss, rel=1e-6)
        assert whole.keys() == cached.keys()
        for name, gradient in whole.items():
            torch.testing.assert_close(cached[name], gradient, rtol=1e-4, atol=1e-6)


def test_freezing_by_name() -> None:
    trainee = _trainee()
    patterns = ("transformerClip.*", "*_center")
    recipe = Recipe(train="head", init="identity", epochs=1, freeze=patterns)
    freeze(trainee, recipe)
    still = {name for name, p in trainee.named_parameters() if not p.requires_grad}
    assert any("transformerClip" in name for name in still)
    assert {"head.tab.weight_center", "head.tab.emb_center"} <= still
    with pytest.raises(UsageError, match="fits no weight"):
        freeze(trainee, replace(recipe, freeze=("nothing*",)))
    with pytest.raises(UsageError, match="nothing is left"):
        freeze(trainee, replace(recipe, freeze=("*",)))


def test_a_video_keeps_its_side_when_others_come() -> None:
    few = [f"/a/{n}.mp4" for n in range(40)]
    _, held = hold_out(few, count=8, seed=0)
    _, later = hold_out([*few, "/a/x.mp4"], count=8, seed=0)
    assert len({few[n] for n in held} & {[*few, "/a/x.mp4"][n] for n in later}) >= 7


@pytest.mark.parametrize(("count", "held"), [(3, 1), (6, 2), (24, 8), (100, 10), (1000, 100)])
def test_validation_split_sizes(count: int, held: int) -> None:
    assert validation_count(count, 0.1) == held


# -- what is not possible --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (Choices(head="tightTransf"), "scores pairs"),
        (Choices(head="nonsense"), "--head nonsense"),
        (Choices(init="nonsense"), "--init nonsense"),
        (Choices(init="model"), "no trained"),
        (Choices(train="nonsense"), "--train nonsense"),
        (Choices(optimiser="sgd"), "--optimizer sgd"),
        (Choices(head="meanP", projected=False), "nothing is left to train"),
        (Choices(freeze=("1", "2")), "one number"),
        (Choices(learning_rate=-1.0), "not above 0"),
        (Choices(validation=1.5), "not between 0 and 1"),
    ],
)
def test_choices_that_are_none(train: Train, choices: Choices, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        train(choices)
    assert caught.value.message


def test_nothing_is_better_than_perfect(
    toys: ModuleType, tmp_path: Path, bundle: Bundle, captions: Captions
) -> None:
    with toys.fill_library(tmp_path / "easy", bundle, captions, noise=0.01) as library:
        for patience, epochs in ((0, 1), (12, 6)):
            choices = replace(FAST, patience=patience)
            run = Run(name="easy", watcher=toys.Watch(), overwrite=True, keep=True)
            result = train_bundle(library, bundle, captions, choices, run)
            assert result.outcome.history[-1]["epoch"] == epochs


def test_two_videos_are_too_few(toys: ModuleType, tmp_path: Path, bundle: Bundle) -> None:
    captions = toys.captions_for(tmp_path, 2)
    with (
        toys.fill_library(tmp_path / "few", bundle, captions) as library,
        pytest.raises(DataError, match="nothing to tell") as caught,
    ):
        train_bundle(library, bundle, captions, FAST, Run(name="few", watcher=toys.Watch()))
    assert "at least three" in caught.value.hint


def test_a_loss_that_is_no_number_is_said(train: Train) -> None:
    with pytest.raises(DataError, match="the loss of step"):
        train(replace(FAST, learning_rate=1e30, head="seqTransf", layers=1))


def test_captions_that_are_too_long_are_counted(bundle: Bundle, toys: ModuleType) -> None:
    captions = toys.captions_for(Path("/v"), 3)
    assert check_texts(bundle, captions) == ""
    long = replace(captions, texts=(" ".join(["word"] * 200), *captions.texts[1:]))
    assert "1 caption is longer than the 77 tokens" in check_texts(bundle, long)


def test_the_plan_follows_from_the_data(bundle: Bundle) -> None:
    few = plan(Choices(), bundle, pairs=300, videos=300).recipe
    assert (few.train, few.init, few.batch) == ("head", "identity", 38)
    assert few.epochs * math.ceil(300 / few.batch) >= 400
    many = plan(Choices(), bundle, pairs=180_000, videos=9000).recipe
    assert (many.train, many.init, many.batch) == ("all", "clip", 256)


def test_clip_start_is_the_published_one(bundle: Bundle) -> None:
    clip_start = first_head(
        bundle, head="clip2video", start="clip", projected=False, small=True, seed=0, layers=2
    )
    assert clip_start.settings.center_weight == 0.5

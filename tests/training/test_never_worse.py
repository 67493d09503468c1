"""Fine-tuning never makes it worse: what is taken of the way from the start to the end."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.tensors import read_tensors
from c2v.errors import DataError
from c2v.evaluation.captions import Captions, from_pairs
from c2v.evaluation.retrieval import evaluate_library
from c2v.library import Store
from c2v.search.sentences import SENTENCES
from c2v.training.choices import Choices, plan
from c2v.training.choosing import CLEAR, Verdict, choose
from c2v.training.cross_validation import part_in_folds, pooled
from c2v.training.guard import FOUND_FIRST, Guard, moved_clips
from c2v.training.interpolation import SHARES, ShareTrial, mixed_center, mixed_weights
from c2v.training.naming import run_folder
from c2v.training.optimiser import pull_back
from c2v.training.recipe import FEW_VIDEOS, FOLDS, anchor_for
from c2v.training.run import Finetuned, Run, train_bundle
from c2v.training.start import first_head
from c2v.training.trainee import HeadTrainee
from c2v.training.validation import Ranking

IN_TURNS = Choices(head="meanP", epochs=3, batch=8, learning_rate=1e-3)
HELD_BACK = replace(IN_TURNS, validation=0.4, patience=3)
Train = Callable[..., Finetuned]


# -- the line from the start to the end ------------------------------------------------------------


def test_weights_between_two_states() -> None:
    torch.manual_seed(0)
    start = {"a": torch.randn(3, 4), "count": torch.tensor(3)}
    end = {"a": torch.randn(3, 4), "count": torch.tensor(3)}
    assert torch.equal(mixed_weights(start, end, 0.0)["a"], start["a"])
    assert torch.equal(mixed_weights(start, end, 1.0)["a"], end["a"])
    torch.testing.assert_close(
        mixed_weights(start, end, 0.2)["a"], 0.8 * start["a"] + 0.2 * end["a"]
    )
    assert mixed_center(1.0, 0.5, 0.2) == pytest.approx(0.9)
    assert SHARES[0] == 0.0
    assert list(SHARES) == sorted(SHARES)


def test_what_is_written_is_the_interpolation(
    toys: ModuleType, tmp_path: Path, bundle: Bundle
) -> None:
    """With the share that was chosen, of the start and of the end in the checkpoint."""
    captions = toys.captions_for(tmp_path, 60)
    choices = replace(HELD_BACK, epochs=20, patience=20)
    run = Run(name="tuned", watcher=toys.Watch(), everyday=SENTENCES[:40])
    with toys.fill_library(tmp_path / "gap", bundle, captions, noise=0.5, apart=5.0) as library:
        result = train_bundle(library, bundle, captions, choices, run)
    choice = result.outcome.choice
    assert choice is not None
    assert choice.reason == "gain", choice.as_dict()
    assert choice.share < 1
    planned = result.planned
    first = planned.first_head(bundle).state_dict()
    end = torch.load(run_folder("tuned") / "last.pt", weights_only=True)["best_weights"]
    assert result.directory is not None
    written = read_tensors(result.directory / "head.safetensors")
    assert set(written) == set(first)
    for name, weight in first.items():
        expected = weight.lerp(end[f"head.{name}"], choice.share)
        assert np.array_equal(written[name], expected.numpy()), name
    record = json.loads((result.directory / "metrics.json").read_text())
    assert record["choice"] == choice.as_dict()


# -- which share -----------------------------------------------------------------------------------


def ranking(*ranks: int) -> Ranking:
    """Videos with one text each, of the same rank both ways."""
    values = np.array(ranks, np.float64)
    return Ranking(values, values, values, np.arange(len(ranks)))


def trials(*found: tuple[float, Ranking], guards: tuple[Ranking, ...] = ()) -> list[ShareTrial]:
    return [
        ShareTrial(share, 1.0, of, guards[n] if guards else None)
        for n, (share, of) in enumerate(found)
    ]


START = ranking(*[8] * 10)


@pytest.mark.parametrize(
    ("found", "share", "reason"),
    [
        ([ranking(*[8] * 10), ranking(*[20] * 10)], 0.0, "none"),
        ([ranking(1, 1, 1, *[8] * 7), ranking(3, *[20] * 9)], 0.1, "gain"),
        ([ranking(*[8] * 9, 4), ranking(*[3] * 10)], 1.0, "gain"),
        ([ranking(*[8] * 9, 1), ranking(*[8] * 8, 1, 1)], 0.0, "chance"),  # two videos
        ([ranking(3, *[8] * 8, 20), ranking(*[1] * 8, *[11] * 2)], 0.0, "harm"),
        ([ranking(*[1] * 8, 8, 8), ranking(*[1] * 9, 8)], 1.0, "gain"),
    ],
)
def test_what_is_chosen(found: list[Ranking], share: float, reason: str) -> None:
    shares = (0.1, 1.0)
    choice = choose(trials((0.0, START), *zip(shares, found, strict=True)))
    assert (choice.share, choice.reason) == (share, reason), choice.as_dict()
    assert (choice.more_pairs is None) == (reason == "gain")


def test_a_gain_that_chance_gives_too_is_none() -> None:
    """One video better, one worse: the mean is above zero, and below its error."""
    found = ranking(1, *[8] * 8, 11)
    choice = choose(trials((0.0, START), (1.0, found)))
    assert choice.reason == "chance"
    assert 0 < choice.gain < choice.error
    least, most = choice.more_pairs or (0, 0)
    factor = (CLEAR + 1) * choice.error / choice.gain
    assert least == math.ceil(10 * (factor - 1))
    assert most == math.ceil(10 * (factor**2 - 1))


def test_nothing_is_taken_where_everything_stood_first() -> None:
    first = ranking(1, 1, 1)
    choice = choose(trials((0.0, first), (1.0, first)))
    assert (choice.share, choice.reason, choice.more_pairs) == (0.0, "perfect", None)


def test_guarded_the_nearest_of_about_the_same_gain_is_taken() -> None:
    found = [(0.0, START), (0.1, ranking(*[1] * 8, 8, 8)), (1.0, ranking(*[1] * 9, 8))]
    knew = ranking(*[1] * 20)
    assert choose(trials(*found)).share == 1.0
    assert choose(trials(*found, guards=(knew, knew, knew))).share == 0.1


def test_what_the_start_knew_is_not_given_up() -> None:
    """The larger share gains more, and finds fewer of the everyday clips."""
    knew = ranking(*[1] * 100)
    forgot = ranking(*[1] * 99, 2)
    found = [(0.0, START), (0.3, ranking(*[4] * 10)), (1.0, ranking(*[1] * 10))]
    free = choose(trials(*found))
    assert free.share == 1.0
    kept = choose(trials(*found, guards=(knew, knew, forgot)))
    assert kept.share == 0.3
    nothing = choose(trials(*found, guards=(knew, forgot, forgot)))
    assert (nothing.share, nothing.reason) == (0.0, "harm")


# -- each held back once ---------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "folds"), [(3, 3), (21, 5), (49, 5)])
def test_every_video_is_held_back_once(count: int, folds: int) -> None:
    parts = part_in_folds(count, folds, seed=3)
    assert sorted(video for part in parts for video in part) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts != part_in_folds(count, folds, seed=4)


def test_a_video_is_ranked_by_the_model_without_it() -> None:
    """Model n gives the rank n + 1 to everything."""
    owner = np.array([0, 1, 2, 2])
    models = [np.full(4, float(n + 1)) for n in range(3)]
    found = [[ShareTrial(0.5, 1.0, Ranking(m, m[:3], m[:3], owner), ranking(n + 1))]
             for n, m in enumerate(models)]  # fmt: skip
    (trial,) = pooled(found, [[1], [2], [0]])
    assert trial.ranking.videos.tolist() == [3.0, 1.0, 2.0]
    assert trial.ranking.texts.tolist() == [3.0, 1.0, 2.0, 2.0]
    assert trial.guard is not None
    assert trial.guard.texts.tolist() == [1.0, 2.0, 3.0]


def test_few_videos_are_held_back_in_turns(
    train: Train, library: Store, bundle: Bundle, captions: Captions, toys: ModuleType
) -> None:
    watch = toys.Watch()
    result = train(IN_TURNS, watcher=watch)
    recipe = result.planned.recipe
    assert (recipe.folds, result.videos, result.held_back) == (FOLDS, 24, 0)
    zero_shot = evaluate_library(library, bundle, captions).metrics
    assert result.outcome.before["text_to_video"] == zero_shot.text_to_video.as_dict()
    assert result.outcome.before["video_to_text"] == zero_shot.video_to_text.as_dict()
    assert [report.epoch for report in watch.epochs][0] == 0
    assert watch.steps == FOLDS * 3 * 3 + 3 * 3  # 19 or 20 videos, and 24, eight a step


def test_many_videos_and_a_share_that_is_given_are_held_back_once(
    bundle: Bundle, train: Train
) -> None:
    assert train(HELD_BACK).held_back == 10
    few = plan(Choices(), bundle, pairs=30, videos=30, in_turns=True)
    many = plan(Choices(), bundle, pairs=FEW_VIDEOS, videos=FEW_VIDEOS)
    assert (few.head, few.recipe.folds) == ("meanP", FOLDS)
    assert (many.head, many.recipe.folds) == ("clip2video", 0)


@pytest.mark.parametrize("after", [2, 20])
def test_in_turns_it_goes_on_where_it_was_stopped(
    train: Train, toys: ModuleType, after: int
) -> None:
    whole = train(IN_TURNS, name="whole")
    stop = threading.Event()
    halted = train(IN_TURNS, name="cut", stop=stop, watcher=toys.Watch(stop=stop, after=after))
    assert halted.outcome.interrupted
    assert halted.as_dict()["before"] is None
    watch = toys.Watch()
    resumed = train(IN_TURNS, name="cut", resume=True, watcher=watch)
    assert watch.done == after
    assert _weights(resumed) == _weights(whole)
    assert resumed.outcome.after == whole.outcome.after


def test_folds_of_another_run_are_refused(train: Train, toys: ModuleType) -> None:
    stop = threading.Event()
    train(IN_TURNS, name="cut", stop=stop, watcher=toys.Watch(stop=stop, after=20))
    with pytest.raises(DataError, match="other data, another start or other settings"):
        train(replace(IN_TURNS, seed=5), name="cut", resume=True)
    ranks = run_folder("cut") / "fold-1.json"
    ranks.write_text(ranks.read_text()[:100])
    with pytest.raises(DataError, match=r"fold-1\.json cannot be read"):
        train(IN_TURNS, name="cut", resume=True)


def _weights(result: Finetuned) -> bytes:
    assert result.directory is not None
    return (result.directory / "head.safetensors").read_bytes()


# -- what is not worth it --------------------------------------------------------------------------


@pytest.mark.parametrize("choices", [IN_TURNS, HELD_BACK])
def test_what_only_overfits_is_not_written(
    train: Train, library: Store, captions: Captions, choices: Choices
) -> None:
    """Every caption is of another video: there is nothing to learn but by heart."""
    moved = captions.texts[7:] + captions.texts[:7]
    wrong = from_pairs(captions.file, list(zip(captions.paths, moved, strict=True)))
    by_heart = replace(choices, epochs=30, learning_rate=3e-3)
    result = train(by_heart, captions=wrong, keep=False)
    choice = result.outcome.choice
    assert choice is not None
    assert choice.share == 0.0, choice.as_dict()
    assert (result.written, result.outcome.best_epoch) == (False, 0)
    assert result.outcome.after == result.outcome.before
    assert result.as_dict()["choice"]["more_pairs"]["least"] > 0
    assert not list(run_folder("tuned").rglob("*.pt"))
    assert not list(run_folder("tuned").glob("fold-*"))
    kept = train(by_heart, captions=wrong, keep=True)
    assert kept.written
    texts = list(captions.texts[:4])
    start = load_bundle("tiny", device="cpu").embed_text(texts)
    np.testing.assert_allclose(load_bundle("tuned").embed_text(texts), start, atol=1e-6)


# -- the guard -------------------------------------------------------------------------------------


def test_the_start_finds_four_fifths_of_the_everyday_clips(bundle: Bundle) -> None:
    sentences = bundle.encode_text(list(SENTENCES[:60])).pooled()
    captions = bundle.encode_text(["a red dog", "an old ship at night"]).pooled()
    random = np.random.default_rng(0)
    frames = [caption + random.standard_normal((n + 3, 64)) for n, caption in enumerate(captions)]
    clips = moved_clips(sentences, captions, frames, seed=0)
    assert {len(clip) for clip in clips} == {3, 4}
    means = np.stack([(c / np.linalg.norm(c, axis=1, keepdims=True)).mean(0) for c in clips])
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (sentences, means)]
    found = ((unit[0] @ unit[1].T).argmax(1) == np.arange(60)).mean()
    assert found == pytest.approx(FOUND_FIRST, abs=0.06)


def test_weights_that_forget_are_seen(bundle: Bundle) -> None:
    sentences = bundle.encode_text(list(SENTENCES[:60])).pooled()
    frames = [np.random.default_rng(0).standard_normal((4, 64))]
    clips = moved_clips(sentences, sentences[:1], frames, seed=0)
    guard = Guard([text[None] for text in sentences], clips, device=torch.device("cpu"))
    head = first_head(bundle, head="meanP", start="identity", projected=True, small=True, seed=0)
    trainee = HeadTrainee(head, None, scale=1.0)  # type: ignore[arg-type]
    before = Ranking.of(guard.view(trainee).mixed(1.0), range(60)).metrics().text_to_video
    assert head.word_projection is not None
    with torch.no_grad():
        head.word_projection.weight.normal_(std=1.0)
    after = Ranking.of(guard.view(trainee).mixed(1.0), range(60)).metrics().text_to_video
    assert after.recall_at_1 < before.recall_at_1 - 10


def test_with_a_guard_less_is_taken(
    toys: ModuleType, library: Store, bundle: Bundle, captions: Captions
) -> None:
    """A rate that ruins what everyday sentences mean: nothing that does so is taken."""
    for guard in (True, False):
        choices = replace(HELD_BACK, guard=guard, learning_rate=0.05, epochs=6, patience=6)
        run = Run(name="g", watcher=toys.Watch(), overwrite=True, everyday=SENTENCES[:60])
        choice: Verdict | None = train_bundle(
            library, bundle, captions, choices, run
        ).outcome.choice
        assert choice is not None
        said = choice.as_dict()["guard"]
        if not guard:
            assert said is None
            continue
        assert said["after"]["R@1"] >= said["before"]["R@1"] - 0.5


# -- near to the start -----------------------------------------------------------------------------


def test_l2_is_towards_the_start() -> None:
    weight, other = torch.nn.Parameter(torch.full((2,), 3.0)), torch.nn.Parameter(torch.ones(1))
    groups = [{"params": [weight, other], "lr": 0.1, "peak": 0.1}]
    optimiser = torch.optim.AdamW(groups)
    pull_back(optimiser, {weight: torch.ones(2)}, strength=2.0, share=0.5)
    torch.testing.assert_close(weight.detach(), torch.full((2,), 3.0 - 2.0 * 0.1 * 0.5 * 2.0))
    assert other.item() == 1.0
    assert anchor_for(200) == 1.0
    assert anchor_for(20) == 10.0
    assert anchor_for(20_000) < 0.02


def test_only_a_start_that_works_is_stayed_near_to(bundle: Bundle) -> None:
    near = plan(Choices(), bundle, pairs=20, videos=20).recipe
    assert (near.guard, near.anchor) == (True, 10.0)
    assert plan(Choices(guard=False), bundle, pairs=20, videos=20).recipe.guard is False
    for free in (Choices(init="clip"), Choices(train="all")):
        recipe = plan(free, bundle, pairs=20, videos=20).recipe
        assert (recipe.guard, recipe.anchor) == (False, 0.0)


def test_what_is_written_ranks_as_the_model_it_came_from_does(
    toys: ModuleType, tmp_path: Path
) -> None:
    """The hub bias and the ways of asking stay: a run that learnt nothing changes nothing."""
    mini = load_bundle("mini", device="cpu")
    captions = toys.captions_for(tmp_path, 6)
    run = Run(name="same", watcher=toys.Watch(), keep=True)
    choices = Choices(epochs=1, learning_rate=1e-12)
    with toys.fill_library(tmp_path / "mini", mini, captions) as library:
        result = train_bundle(library, mini, captions, choices, run)
        tuned = load_bundle("same", device="cpu")
        scores = [evaluate_library(library, of, captions).scores for of in (mini, tuned)]
    assert result.outcome.choice is not None
    assert result.outcome.choice.share == 0.0
    assert (tuned.config.hubs, tuned.config.questions) == (mini.config.hubs, mini.config.questions)
    assert mini.config.hubs is not None
    np.testing.assert_allclose(scores[1].text_to_video, scores[0].text_to_video, atol=1e-4)

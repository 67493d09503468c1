"""What helps an encoder is measured on videos that had no say in it."""

from __future__ import annotations

import numpy as np
import pytest

from c2v.encoder.hubs import biases
from c2v.evaluation.confidence_trial import (
    ConfidenceTrial,
    best_scores,
    confidence_of,
    is_better,
)
from c2v.evaluation.trial_questions import Questions, short_questions, with_prefixes
from c2v.evaluation.tuning import (
    Figures,
    Gallery,
    SettingsTrial,
    Way,
    choose,
    deal,
    held_out,
    held_out_biases,
    helps,
    scores_of,
)

TEXTS = ("a dog on the grass", "two men play cards", "a dog in a red boat", "a lighthouse at night")
VIDEOS, WIDTH = 40, 24


def captions(texts: tuple[str, ...] = TEXTS) -> Questions:
    return Questions.of_own(texts, np.arange(len(texts)), len(texts))


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def test_prefixes_keep_the_caption_and_what_it_means() -> None:
    asked = with_prefixes(captions())
    assert asked.texts[0] == "find the video where a dog on the grass"
    assert all(text in long for text, long in zip(TEXTS, asked.texts, strict=True))
    assert (asked.meant == np.eye(4, dtype=bool)).all()


def test_short_questions_are_telling_words_and_mean_all_videos_that_have_them() -> None:
    many = (*TEXTS, *(f"the thing number{n:c} there" for n in range(97, 107)))
    asked = short_questions(captions(many))
    found = dict(zip(asked.texts, asked.meant, strict=True))
    assert np.flatnonzero(found["dog"]).tolist() == [0, 2]
    assert np.flatnonzero(found["red boat"]).tolist() == [2]
    assert "the" not in found
    assert "there" not in found
    assert "thing" not in found  # of most videos
    assert all(1 <= len(text.split()) <= 2 for text in asked.texts)


def test_no_bank_holds_captions_of_the_video_or_of_the_question() -> None:
    """A bias changes only with the captions of folds that have nothing to do with it."""
    random = np.random.default_rng(0)
    vectors = unit(random.standard_normal((VIDEOS, WIDTH)))
    gallery = Gallery(vectors, np.arange(VIDEOS), deal(VIDEOS))
    parts = [vectors[gallery.fold == fold] for fold in range(gallery.folds)]
    everyday = unit(random.standard_normal((20, WIDTH)))
    first = held_out_biases(gallery, parts, everyday, neighbours=5)
    assert first.shape == (5, VIDEOS)
    changed = [*parts]
    changed[3] = np.repeat(vectors[gallery.fold == 0][:1], len(parts[3]), axis=0)
    second = held_out_biases(gallery, changed, everyday, neighbours=5)
    np.testing.assert_array_equal(first[3], second[3])
    np.testing.assert_array_equal(first[:, gallery.fold == 3], second[:, gallery.fold == 3])
    assert (first != second).any()
    here = gallery.fold == 1
    bank = np.concatenate([everyday, parts[2], parts[3], parts[4]])
    np.testing.assert_allclose(first[0, here], biases(vectors[here], bank, neighbours=5))
    bank = np.concatenate([everyday, parts[0], parts[3], parts[4]])
    np.testing.assert_allclose(first[1, here], biases(vectors[here], bank, neighbours=5))


def test_scores_are_the_best_segment_less_its_bias() -> None:
    gallery = Gallery(np.eye(3, dtype=np.float32), np.array([0, 1, 1]), np.array([0, 1], np.int64))
    asked = Questions.of_own(("a", "b"), np.array([0, 1]), 2)
    put = np.array([[0.5, 0.4, 0.3], [0.5, 0.4, 0.3]], np.float32)
    bias = np.array([[0.2, 0.2, 0.0], [0.0, 0.0, 0.0]], np.float32)
    np.testing.assert_allclose(scores_of(asked, put, gallery, bias), [[0.3, 0.3], [0.5, 0.4]])
    np.testing.assert_allclose(scores_of(asked, put, gallery, None), [[0.5, 0.4]] * 2)


def test_a_gain_is_one_only_above_its_error_and_never_for_lost_first_places() -> None:
    owner = np.arange(12)
    before = np.full(12, 4.0)
    assert helps(before, np.full(12, 2.0), owner) == pytest.approx(0.25)
    assert helps(before, before, owner) == 0
    one = before.copy()
    one[0] = 3.0
    assert helps(before, one, owner) == 0  # a video of twelve
    swapped = np.full(12, 2.0)
    better = np.full(12, 1.9)
    swapped[0], better[0] = 1.0, 1.5
    assert helps(swapped, better, owner) == 0


def trial(*, hubs: bool) -> SettingsTrial:
    """Videos near their captions; with ``hubs`` a quarter of them near to everything."""
    random = np.random.default_rng(1)
    texts = unit(random.standard_normal((VIDEOS, WIDTH)) + 1.5 * hubs)
    vectors = unit(random.standard_normal((VIDEOS, WIDTH)) * 0.7 + texts * WIDTH**0.5 * 0.6)
    if hubs:
        vectors[::4] = unit(vectors[::4] + 1.2 * unit(texts.mean(0)))
    gallery = Gallery(vectors, np.arange(VIDEOS), deal(VIDEOS))
    by_fold = [texts[gallery.fold == fold] for fold in range(gallery.folds)]
    found = held_out_biases(gallery, by_fold, texts[:0], neighbours=10)
    names = tuple(f"text {n}" for n in range(VIDEOS))
    put = dict(zip(names, texts, strict=True))
    return SettingsTrial(
        gallery,
        {"captions": Questions.of_own(names, np.arange(VIDEOS), VIDEOS)},
        {"as it is": None, "1": found - found.mean()},
        lambda asked, _strip, _template: np.stack([put[text] for text in asked]),
    )


START = Way("as it is", False, "")


def test_a_bias_is_chosen_where_there_are_hubs_and_not_where_there_are_none() -> None:
    with_hubs = trial(hubs=True)
    assert choose(with_hubs, START, (), {"captions"}).hubs == "1"
    before = Figures.of(with_hubs.ranks("captions", START))
    after = Figures.of(held_out(with_hubs, START, (), {"captions"})["captions"])
    assert after.mean_reciprocal_rank > before.mean_reciprocal_rank + 3
    assert choose(with_hubs, START, (), set()) == START
    np.testing.assert_array_equal(
        held_out(with_hubs, START, (), set())["captions"], with_hubs.ranks("captions", START)
    )
    assert choose(trial(hubs=False), START, (), {"captions"}) == START


def test_a_fold_has_no_say_in_what_it_is_measured_with() -> None:
    """Whatever the questions of a fold rank, the setting it is measured with stays."""
    made = trial(hubs=True)
    ways = [choose(made, START, (), {"captions"}, without=n) for n in range(5)]
    other = trial(hubs=True)
    for way in (START, Way("1", False, "")):
        mine = other.gallery.fold == 2
        other.ranks("captions", way)[mine] = 1 if way == START else VIDEOS
    assert choose(other, START, (), {"captions"}, without=2) == ways[2]
    assert choose(other, START, (), {"captions"}) == START


def test_best_scores_with_and_without_the_video_that_is_meant() -> None:
    scores = np.array([[0.9, 0.5, 0.1], [0.3, 0.2, 0.4]], np.float32)
    owner, segments = np.array([0, 1]), np.array([2, 1, 5])
    best = best_scores(scores, owner, segments)
    np.testing.assert_allclose(best.matched, [0.9, 0.4])
    np.testing.assert_allclose(best.stray, [0.5, 0.4])
    assert best.matched_among.tolist() == [8, 8]
    assert best.stray_among.tolist() == [6, 7]
    shown = np.array([False, True, True])
    best = best_scores(scores, owner, segments, shown)
    np.testing.assert_allclose(best.matched, [0.9, 0.4])
    assert best.matched_among.tolist() == [8, 6]
    assert best.stray_among.tolist() == [6, 5]


def test_confidence_is_fitted_on_the_others_and_refuses_one_in_ten() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(0.2, 0.03, (VIDEOS, VIDEOS)).astype(np.float32)
    scores[np.arange(VIDEOS), np.arange(VIDEOS)] += 0.12
    made = ConfidenceTrial(
        scores, np.arange(VIDEOS), np.zeros(VIDEOS, np.float32), fold=deal(VIDEOS),
        segments=np.ones(VIDEOS, np.int64),
    )  # fmt: skip
    fitted = made.fit()
    assert fitted is not None
    assert fitted.weights[0] > 0
    assert fitted.weights[1] <= 0
    found = made.held_out()
    assert found is not None
    figures = confidence_of(found, bar=0.5)
    assert figures.refused <= 20
    assert figures.accepted <= 35
    guess = np.full((VIDEOS, 2), 0.5)
    assert is_better(guess, found, np.arange(VIDEOS))
    assert not is_better(found, guess, np.arange(VIDEOS))

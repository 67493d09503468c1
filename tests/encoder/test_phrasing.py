"""How questions are put to the text tower."""

from __future__ import annotations

import numpy as np
import pytest

from c2v.encoder.bundle import load_bundle
from c2v.encoder.bundle_config import QuestionConfig
from c2v.encoder.phrasing import phrasings, without_prefix
from c2v.errors import ModelError
from c2v.search.ranking import text_queries

HOW = QuestionConfig(strip=True, short_template="there is a {} in the picture")


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("find the video where a dog jumps", "a dog jumps"),
        ("Find me a video where a dog jumps", "a dog jumps"),
        ("show me videos of two cats", "two cats"),
        ("a video of a man cooking", "a man cooking"),
        ("video of a man cooking", "a man cooking"),
        ("the clip in which she laughs", "she laughs"),
        ("a clip of a video of a boat", "a boat"),
        ("please find the moment when the ball drops", "the ball drops"),
        ("search for footage showing a red car", "a red car"),
        ("can you show me the scene with the bears", "the bears"),
        ("  a video about   space", "space"),
    ],
)
def test_words_that_only_ask_are_left_away(typed: str, asked: str) -> None:
    assert without_prefix(typed) == asked


@pytest.mark.parametrize(
    "typed",
    [
        "a dog jumps",
        "video games",
        "a man watches a video of a cat",
        "a film crew at work",
        "showing off",
        "two clips",
        "find",
        "a video of",
        "show me",
        "movie night with friends at home",
        "scenes",
        "finding a way",
        "a shot glass on the table",
        "moments before the crash",
        "",
        "vidéo d'un chien",
    ],
)
def test_all_else_stays_as_it_is(typed: str) -> None:
    assert without_prefix(typed) == typed


@pytest.mark.parametrize(
    ("typed", "put"),
    [
        ("dog", ["dog", "there is a dog in the picture"]),
        ("the dogs", ["the dogs", "there is a dogs in the picture"]),
        ("a video of a dog", ["a dog", "there is a dog in the picture"]),
        ("birthday cake", ["birthday cake", "there is a birthday cake in the picture"]),
        ("a dog on grass", ["a dog on grass"]),
        ("{} {0}", ["{} {0}", "there is a {} {0} in the picture"]),
        ("the", ["the"]),
    ],
)
def test_one_or_two_words_are_asked_in_a_sentence_too(typed: str, put: list[str]) -> None:
    assert phrasings(typed, HOW) == put
    assert phrasings(typed, None) == [typed]


def test_a_question_is_the_mean_of_its_phrasings() -> None:
    mini = load_bundle("mini", device="cpu")
    assert mini.config.questions == HOW
    word, sentence, prefixed = text_queries(
        mini, ["dog", "a dog runs over grass", "a video of a dog that runs"]
    )
    both = mini.embed_text(["dog", "there is a dog in the picture"])
    np.testing.assert_allclose(word.vector, both.sum(0) / np.linalg.norm(both.sum(0)), atol=1e-5)
    assert np.linalg.norm(word.feature) == pytest.approx(1.0, abs=1e-5)
    (plain,) = mini.embed_text(["a dog runs over grass"])
    np.testing.assert_allclose(sentence.vector, plain, atol=1e-5)
    (stripped,) = mini.embed_text(["a dog that runs"])
    np.testing.assert_allclose(prefixed.vector, stripped, atol=1e-5)
    assert [one.label for one in (word, prefixed)] == ["dog", "a video of a dog that runs"]


def test_a_template_without_a_place_is_refused() -> None:
    with pytest.raises(ModelError, match="no {}"):
        QuestionConfig(strip=False, short_template="a photo")

"""Questions of several parts as one vector."""

from __future__ import annotations

import numpy as np
import pytest

from c2v.errors import UsageError
from c2v.search import questions
from c2v.search.questions import Part, Weighted, combine
from c2v.search.ranking import Query


def query(name: str, *numbers: float) -> Query:
    vector = np.array(numbers, np.float32)
    return Query(name, vector / np.linalg.norm(vector), 3 * vector)


EAST, NORTH = query("east", 1, 0, 0), query("north", 0, 1, 0)


@pytest.mark.parametrize(
    ("typed", "text", "weight"),
    [
        ("a dog", "a dog", 1.0),
        ("a dog^2", "a dog", 2.0),
        ("a dog^.5", "a dog", 0.5),
        ("a dog^0.25 ", "a dog", 0.25),
        (r"2\^8", "2^8", 1.0),
        (r"2\^8^3", "2^8", 3.0),
        ("x^n", "x^n", 1.0),
        ("^_^", "^_^", 1.0),
        ("a^2 b", "a^2 b", 1.0),
    ],
)
def test_weights_are_read(typed: str, text: str, weight: float) -> None:
    assert Weighted.parse(typed) == Weighted(text, weight)


@pytest.mark.parametrize("typed", ["", "  ", "^2", "dog^0", "dog^101"])
def test_what_makes_no_sense_is_named(typed: str) -> None:
    with pytest.raises(UsageError, match="--not") as caught:
        Weighted.parse(typed, option="--not")
    assert caught.value.hint


def test_one_part_stays_as_it_is() -> None:
    made = combine("east", [Part(EAST, 7.0)])
    np.testing.assert_array_equal(made.vector, EAST.vector)
    np.testing.assert_array_equal(made.feature, EAST.feature)


def test_a_score_is_the_weighted_sum_of_the_parts_scores() -> None:
    made = combine("both", [Part(EAST, 2.0), Part(NORTH), Part(query("up", 0, 0, 1), -1.0)])
    assert np.linalg.norm(made.vector) == pytest.approx(1.0, abs=1e-6)
    expected = np.array([2.0, 1.0, -questions.NOT_WEIGHT])
    np.testing.assert_allclose(made.vector, expected / np.linalg.norm(expected), atol=1e-6)
    np.testing.assert_allclose(made.feature, expected, atol=1e-6)


def test_a_picture_counts_less_beside_words_and_fully_without() -> None:
    beside = combine("x", [Part(EAST, is_seen=True), Part(NORTH)])
    assert beside.vector[0] / beside.vector[1] == pytest.approx(questions.SEEN_WEIGHT)
    without = combine("x", [Part(EAST, is_seen=True), Part(NORTH, -1.0)])
    assert without.vector[1] / without.vector[0] == pytest.approx(-questions.NOT_WEIGHT)


def test_nothing_wanted_and_parts_that_cancel_are_refused() -> None:
    with pytest.raises(UsageError, match="--not needs something"):
        combine("x", [Part(EAST, -1.0)])
    with pytest.raises(UsageError, match="cancel"):
        combine("x", [Part(EAST), Part(EAST, -1.0 / questions.NOT_WEIGHT)])

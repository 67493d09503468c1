"""The hub bias: what a library keeps beside a vector, and what it changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.bundle_config import HubConfig
from c2v.encoder.hubs import GAIN, HUBS_NAME, Hubs, bank_tensors
from c2v.encoder.tensors import read_tensors, write_tensors
from c2v.errors import ModelError


@pytest.fixture(scope="module")
def mini() -> Bundle:
    return load_bundle("mini", device="cpu")


def unit_rows(count: int, width: int, *, seed: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((count, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_a_score_is_the_cosine_less_half_the_mean_of_the_nearest(mini: Bundle) -> None:
    settings = HubConfig(neighbours=3, weight=0.5, typical=0.1)
    bank, segments, texts = (unit_rows(*size, seed=n) for n, size in enumerate(
        [(40, 8), (5, 8), (6, 8)]))  # fmt: skip
    kept = np.concatenate([segments, Hubs(settings, bank).column(segments)[:, None]], axis=1)
    asked = np.concatenate([texts, np.full((6, 1), 1 / GAIN, np.float32)], axis=1)
    for text, row in zip(texts, asked @ kept.T, strict=True):
        for segment, score in zip(segments, row, strict=True):
            nearest = sorted((float(one @ segment) for one in bank), reverse=True)[:3]
            assert score == pytest.approx(text @ segment - 0.5 * np.mean(nearest) + 0.1, abs=1e-6)


def test_a_segment_near_to_everything_stands_back() -> None:
    bank = unit_rows(50, 8, seed=1)
    hub = bank.mean(axis=0) / np.linalg.norm(bank.mean(axis=0))
    away = unit_rows(1, 8, seed=2)[0]
    column = Hubs(HubConfig(10, 0.5, 0.0), bank).column(np.stack([hub, away - (away @ hub) * hub]))
    assert column[0] < column[1]


def test_what_stands_beside_a_vector_does_not_depend_on_the_others(mini: Bundle) -> None:
    vectors = unit_rows(9, mini.head_dim, seed=3)
    together = mini.for_library(vectors)
    alone = np.concatenate([mini.for_library(vector[None]) for vector in vectors])
    np.testing.assert_array_equal(alone, together)
    assert together.shape == (9, mini.vector_dim)
    np.testing.assert_array_equal(mini.from_library(together), vectors)


def test_pictures_are_compared_without_it(mini: Bundle) -> None:
    vectors = unit_rows(4, mini.head_dim, seed=4)
    scores = mini.as_questions(vectors, 0.0) @ mini.for_library(vectors).T
    np.testing.assert_allclose(scores, vectors @ vectors.T, atol=1e-6)


def test_scores_stay_where_cosines_are(mini: Bundle) -> None:
    """The average bias is given back, so that a score still says what a cosine says."""
    texts = mini.embed_text(["a dog runs over the grass", "a man plays the guitar"])
    segments = unit_rows(200, mini.head_dim, seed=5)
    cosines = texts @ segments.T
    scores = mini.as_questions(texts) @ mini.for_library(segments).T
    assert np.ptp(scores - cosines, axis=0).max() < 1e-6  # the same for every question
    assert 0.05 < (scores - cosines).mean() < 0.25  # random directions are near to no sentence


def test_an_encoder_without_it_keeps_the_heads_own(mini: Bundle) -> None:
    config = replace(mini.config, hubs=None, vector_dim=mini.head_dim)
    plain = Bundle(mini.directory, config, device="cpu")
    vectors = unit_rows(3, mini.head_dim, seed=6)
    assert plain.for_library(vectors) is vectors
    assert plain.as_questions(vectors) is vectors
    assert plain.head_dim == plain.vector_dim


def test_the_bank_is_rounded_to_eight_bits(tmp_path: Path) -> None:
    features = unit_rows(20, 16, seed=7) * 3
    write_tensors(tmp_path / HUBS_NAME, bank_tensors(features))
    read = read_tensors(tmp_path / HUBS_NAME)
    rebuilt = read["sentences.int8"] * read["sentences.scale"][:, None]
    assert np.abs(rebuilt - features).max() <= np.abs(features).max() / 127


def test_a_bank_that_cannot_be_one_is_refused(mini: Bundle, tmp_path: Path) -> None:
    few = bank_tensors(unit_rows(4, mini.feature_dim, seed=8))
    write_tensors(tmp_path / HUBS_NAME, few)
    with pytest.raises(ModelError, match="has 4 sentences, 10 are needed"):
        Hubs.load(tmp_path, HubConfig(10, 0.5, 0.2), mini.head)
    write_tensors(tmp_path / HUBS_NAME, {"sentences.int8": few["sentences.int8"]})
    with pytest.raises(ModelError, match="lacks 'sentences.scale'"):
        Hubs.load(tmp_path, HubConfig(10, 0.5, 0.2), mini.head)
    with pytest.raises(ModelError, match="numbers that cannot be"):
        HubConfig(0, 0.5, 0.2)

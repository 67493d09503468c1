"""Where stretches of like frames begin: against trying every division, and the limits."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from c2v.encoder import stretches
from c2v.encoder.stretches import STRETCH_COST, divide, unit_rows


def scenes(*lengths: int, seed: int = 0, noise: float = 0.1) -> NDArray[np.float32]:
    """Frames [T, 16] of scenes that have nothing to do with each other."""
    random = np.random.default_rng(seed)
    middles = np.repeat(np.eye(16, dtype=np.float32)[: len(lengths)], lengths, axis=0)
    shaken = middles + noise * random.standard_normal(middles.shape).astype(np.float32)
    scales: NDArray[np.float32] = random.uniform(0.5, 3, (len(shaken), 1)).astype(np.float32)
    return shaken * scales


def cost(unit: NDArray[np.float32], edges: list[int]) -> float:
    """What a division costs, straight from its definition."""
    spread = sum(
        float(((unit[a:b] - unit[a:b].mean(axis=0)) ** 2).sum()) for a, b in pairwise(edges)
    )
    mean = unit.mean(axis=0)
    scatter = max(1.0 - float(mean @ mean), 0.1)
    return spread + STRETCH_COST * scatter * (len(edges) - 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(0, 10_000), st.booleans())
def test_no_other_division_is_cheaper(count: int, shortest: int, seed: int, long: bool) -> None:
    random = np.random.default_rng(seed)
    features = random.standard_normal((count, 3)).astype(np.float32)
    longest = count if long else 5
    found = divide(features, shortest=shortest, longest=longest)
    least, most = min(shortest, min(longest, count)), min(longest, count)
    allowed = [
        [0, *inner, count]
        for many in range(count)
        for inner in combinations(range(1, count), many)
        if all(least <= b - a <= most for a, b in pairwise([0, *inner, count]))
    ]
    unit = unit_rows(features)
    assert found in allowed
    assert cost(unit, found) == pytest.approx(min(cost(unit, one) for one in allowed), abs=1e-4)


def test_scenes_end_where_they_end() -> None:
    assert divide(scenes(5, 9, 3, 12, 7)) == [0, 5, 14, 17, 29, 36]


def test_one_scene_is_not_cut_but_by_its_length() -> None:
    assert divide(scenes(40)) == [0, 40]
    edges = divide(scenes(40), shortest=2, longest=12)
    assert all(2 <= b - a <= 12 for a, b in pairwise(edges))
    assert len(edges) - 1 == 4


def test_noise_is_not_cut() -> None:
    noise = np.random.default_rng(3).standard_normal((60, 64)).astype(np.float32)
    assert divide(noise) == [0, 60]


def test_a_long_film_is_divided_as_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    film = scenes(*[7, 11, 4, 9] * 4, seed=5, noise=0.3)
    whole = divide(film, shortest=2, longest=12)
    monkeypatch.setattr(stretches, "_ROWS_AT_ONCE", 10)
    assert divide(film, shortest=2, longest=12) == whole


def test_frames_of_nothing() -> None:
    assert divide(np.zeros((5, 8), np.float16)) == [0, 5]
    assert divide(np.ones((1, 8), np.float16), shortest=2, longest=12) == [0, 1]

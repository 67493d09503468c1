"""Cells of a map: each vector in one, like ones beside each other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.search.grid_layout import grid_layout, grid_size


def mean_rank_of_neighbours(vectors: NDArray, cells: NDArray) -> float:
    """Where in likeness, from 0 (the likest of all others) to 1, those stand that touch it."""
    columns, _ = grid_size(len(vectors))
    row, column = np.divmod(cells, columns)
    apart = np.maximum(abs(row[:, None] - row), abs(column[:, None] - column))
    products = vectors @ vectors.T
    np.fill_diagonal(products, np.inf)
    ranks = np.argsort(np.argsort(-products, axis=1), axis=1) - 1
    return float(ranks[apart == 1].mean() / (len(vectors) - 2))


def unit(vectors: NDArray) -> NDArray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 43, 300])
def test_each_vector_has_a_cell_of_its_own(count: int) -> None:
    vectors = unit(np.random.default_rng(count).normal(size=(count, 16)))
    columns, rows = grid_size(count)
    assert columns * (rows - 1) < count <= columns * rows
    cells = grid_layout(vectors)
    assert sorted(cells) == list(range(count))
    assert np.array_equal(cells, grid_layout(vectors))


def test_the_same_vectors_are_no_trouble() -> None:
    assert sorted(grid_layout(np.ones((50, 8), np.float32))) == list(range(50))


@pytest.mark.parametrize(("count", "least"), [(48, 0.2), (1000, 0.08)])
def test_neighbours_are_alike(count: int, least: float) -> None:
    """Kinds of vectors; a random layout has 0.5."""
    random = np.random.default_rng(5)
    centres = random.normal(size=(count // 12, 64))
    kinds = random.integers(len(centres), size=count)
    vectors = unit(centres[kinds] + 0.7 * random.normal(size=(count, 64)))
    found = mean_rank_of_neighbours(vectors, grid_layout(vectors))
    assert 0.45 < mean_rank_of_neighbours(vectors, random.permutation(count)) < 0.55
    assert found < least

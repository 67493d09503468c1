"""Groups of like vectors: the same as by the definition, few or many."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.search import grouping
from c2v.search.grouping import group


def kinds_of(count: int, kinds: int, *, spread: float, seed: int) -> tuple[NDArray, NDArray]:
    """Vectors [N, 64] of unit length around some centres, and the centre of each."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(kinds, 64))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    kind = random.integers(kinds, size=count)
    vectors = (centres[kind] + random.normal(size=(count, 64)) * spread).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), kind


def by_definition(vectors: NDArray, count: int) -> set[frozenset[int]]:
    """Average linkage as it is written down: the two likest groups, over and over."""
    products = vectors @ vectors.T
    groups = [[row] for row in range(len(vectors))]
    while len(groups) > count:
        pairs = [
            (products[np.ix_(one, other)].mean(), a, b)
            for a, one in enumerate(groups)
            for b, other in enumerate(groups[:a])
        ]
        _, a, b = max(pairs)
        groups[b] += groups.pop(a)
    return {frozenset(one) for one in groups}


def as_sets(groups: NDArray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(groups == one).tolist()) for one in np.unique(groups)}


@pytest.mark.parametrize("seed", range(4))
def test_the_same_as_by_the_definition(seed: int) -> None:
    vectors, _ = kinds_of(30, 5, spread=0.15, seed=seed)
    for count in (1, 2, 4, 7, 29, 30):
        assert as_sets(group(vectors, count)) == by_definition(vectors, count)


def test_the_number_of_groups_is_found() -> None:
    vectors, kind = kinds_of(200, 6, spread=0.04, seed=0)
    assert as_sets(group(vectors)) == as_sets(kind)


def test_numbered_by_size() -> None:
    vectors, _ = kinds_of(200, 6, spread=0.04, seed=1)
    sizes = np.bincount(group(vectors))
    assert sizes.tolist() == sorted(sizes, reverse=True)


def test_none_one_two_and_the_same() -> None:
    one = np.float32([[1, 0]])
    assert group(one[:0]).tolist() == []
    assert group(one).tolist() == [0]
    assert group(np.repeat(one, 2, axis=0)).tolist() == [0, 0]
    assert group(np.repeat(one, 50, axis=0)).tolist() == [0] * 50
    assert group(np.eye(2, dtype=np.float32), 2).tolist() == [0, 1]
    assert group(np.eye(2, dtype=np.float32), 9).tolist() == [0, 1]


def test_many_are_put_together_before() -> None:
    """10,000 take a third of a second and 90 MB, and the groups are as right as of few."""
    vectors, kind = kinds_of(grouping.MOST_LINKED + 1000, 25, spread=0.05, seed=2)
    found = group(vectors, 25)
    pure = sum(np.bincount(kind[found == one]).max() for one in np.unique(found))
    assert pure > 0.99 * len(vectors)
    assert len(np.unique(found)) == 25

"""The exact scan equals brute force; the graph, given its head, equals the exact scan."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from c2v.errors import MissingPartError
from c2v.library import Filter, HnswSettings
from c2v.library.records import Identity
from c2v.library.sqlite import nearest, parts
from c2v.library.sqlite.hnsw import build_graph, load_graph
from c2v.library.sqlite.matrix import Matrix
from c2v.library.sqlite.parts import MemoryPart
from c2v.library.sqlite.principal_components import learn_projection
from c2v.library.sqlite.store import SqliteStore

from .conftest import DIM, MODEL, segments, unit_rows, video

Fill = Callable[..., NDArray[np.float32]]


def brute_force(
    vectors: NDArray[np.float32], ids: NDArray[np.int64], query: NDArray[np.float32], k: int
) -> tuple[list[int], NDArray[np.float32]]:
    """Written apart from the product: one sum a row, in double precision, then a plain sort."""
    scores = [
        np.float32(sum(float(a) * float(b) for a, b in zip(row, query, strict=True)))
        for row in vectors
    ]
    order = sorted(range(len(ids)), key=lambda i: (-scores[i], ids[i]))[:k]
    return [int(ids[i]) for i in order], np.array([scores[i] for i in order], np.float32)


def matrix_of(vectors: NDArray[np.float32], alive: NDArray[np.bool_], cuts: list[int]) -> Matrix:
    """A matrix of ids 1, 3, 5, ... in parts cut at some rows."""
    ids = np.arange(len(vectors), dtype=np.int64) * 2 + 1
    edges = [0, *sorted(cuts), len(vectors)]
    pieces = tuple(
        MemoryPart(vectors[a:b]) for a, b in zip(edges, edges[1:], strict=False) if b > a
    )
    identity = Identity("u", "f", vectors.shape[1], 1, 1)
    none, sums = np.zeros(len(ids), np.bool_), tuple(np.empty(0, np.uint64) for _ in pieces)
    return Matrix(identity, ids, alive, none, pieces, sums)


@st.composite
def small_matrices(draw: st.DrawFn) -> tuple[Matrix, NDArray[np.float32], int]:
    """A matrix with removed rows, repeated rows and several parts; some queries; a k."""
    rows = draw(st.integers(1, 60))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    vectors = unit_rows(rows, 5, seed=seed)
    repeats = draw(st.lists(st.integers(0, rows - 1), max_size=20))
    for row in repeats:
        vectors[row] = vectors[repeats[0]]
    alive = random.random(rows) < draw(st.sampled_from([1.0, 0.7, 0.1]))
    cuts = draw(st.lists(st.integers(0, rows), max_size=3))
    queries = unit_rows(draw(st.integers(1, 4)), 5, seed=seed + 1)
    return matrix_of(vectors, alive, cuts), queries, draw(st.integers(1, 70))


@settings(deadline=None, max_examples=150)
@given(small_matrices(), st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_exact_equals_brute_force(
    case: tuple[Matrix, NDArray[np.float32], int], seed: int, filtered: bool, tiny: bool
) -> None:
    matrix, queries, k = case
    rows = np.flatnonzero(matrix.alive)
    if filtered:
        rows = rows[np.random.default_rng(seed).random(len(rows)) < 0.5]
    with pytest.MonkeyPatch.context() as patch:
        if tiny:  # many groups of queries, many blocks, picked rows
            patch.setattr(nearest, "_SCORES_AT_ONCE", 40)
            patch.setattr(nearest, "_GATHER_FRACTION", 0.6)
            patch.setattr(nearest, "_ROWS_AT_ONCE", 3)
            patch.setattr(parts, "BLOCK_BYTES", 60)
        found = nearest.search_exact(matrix, queries, k, rows=rows if filtered else None)
    vectors = matrix.take(rows)
    assert found.strategy == "exact"
    assert found.scores.shape == found.segment_ids.shape == (len(queries), min(k, len(rows)))
    for line, query in enumerate(queries):
        ids, scores = brute_force(vectors, matrix.ids[rows], query, k)
        assert found.segment_ids[line].tolist() == ids
        np.testing.assert_array_equal(found.scores[line], scores)


@settings(deadline=None, max_examples=60)
@given(small_matrices(), st.integers(0, 2**32 - 1), st.booleans())
def test_the_graph_with_ef_of_all_rows_equals_the_exact_order(
    case: tuple[Matrix, NDArray[np.float32], int], seed: int, filtered: bool
) -> None:
    matrix, queries, k = case
    everything = HnswSettings(m=16, ef_construction=200, ef=len(matrix.ids))
    graph = build_graph(matrix, everything)
    rows = None
    if filtered:
        alive = np.flatnonzero(matrix.alive)
        rows = alive[np.random.default_rng(seed).random(len(alive)) < 0.5]
    exact = nearest.search_exact(matrix, queries, k, rows=rows)
    found = nearest.search_graph(matrix, graph, queries, k, rows=rows)
    np.testing.assert_array_equal(found.scores, exact.scores)
    # Among equal scores the graph may have stopped at any: where all differ, order is one.
    for line in range(len(queries)):
        if len(np.unique(exact.scores[line])) == exact.scores.shape[1]:
            np.testing.assert_array_equal(found.segment_ids[line], exact.segment_ids[line])


def test_order_is_that_of_the_weighted_sum_of_two_similarities() -> None:
    """One inner product of fused vectors is w * S_g + (1 - w) * S_a."""
    weight, dim, rows = np.float32(0.3), 64, 1500
    sides = [unit_rows(rows, dim, seed=s) for s in (1, 2)]
    asked = [unit_rows(20, dim, seed=s) for s in (3, 4)]
    scales = (np.sqrt(weight), np.sqrt(1 - weight))
    fused = np.hstack([scale * side for scale, side in zip(scales, sides, strict=True)])
    queries = np.hstack([scale * side for scale, side in zip(scales, asked, strict=True)])
    full = sum(
        w * (a.astype(np.float64) @ s.astype(np.float64).T)
        for w, a, s in zip((weight, 1 - weight), asked, sides, strict=True)
    )
    matrix = matrix_of(fused, np.ones(rows, np.bool_), [700])
    order = np.argsort(-full, axis=1, kind="stable")
    exact = nearest.search_exact(matrix, queries, rows)
    graph = build_graph(matrix, HnswSettings(m=32, ef_construction=400, ef=rows))
    through_graph = nearest.search_graph(matrix, graph, queries, rows)
    assert through_graph.strategy == "hnsw"
    for found in (exact, through_graph):
        rank = (found.segment_ids - 1) // 2
        gaps = np.abs(np.take_along_axis(full, rank, 1) - np.take_along_axis(full, order, 1))
        assert gaps.max() < 3e-7  # only scores that float32 cannot tell apart may trade places
        assert (rank == order).mean() > 0.999


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """6,000 segments around 300 centres: shots of one video look alike."""
    random = np.random.default_rng(3)
    centres = random.standard_normal((300, DIM))
    vectors = np.repeat(centres, 20, axis=0) + 0.6 * random.standard_normal((6000, DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    folder: Path = tmp_path_factory.mktemp("clustered") / "library"
    with SqliteStore.create(folder, hnsw=HnswSettings(from_rows=5000)) as library:
        library.set_model(MODEL)
        with library.batch():
            for i in range(300):
                rows = segments(vectors[i * 20 : i * 20 + 20], frames=1)
                library.put_video(video(f"/{i:04d}.mp4"), rows)
        library.refresh()
        yield library


def test_recall_of_the_graph_against_the_exact_scan(clustered: SqliteStore) -> None:
    queries = unit_rows(200, seed=11)
    exact = clustered.nearest(queries, 10, strategy="exact")
    graph = clustered.nearest(queries, 10, strategy="hnsw")
    hits = [
        len(set(a) & set(b))
        for a, b in zip(exact.segment_ids.tolist(), graph.segment_ids.tolist(), strict=True)
    ]
    assert sum(hits) / 2000 >= 0.98


def test_what_auto_chooses(clustered: SqliteStore) -> None:
    with SqliteStore.open(clustered.directory, hnsw=HnswSettings(from_rows=5000)) as cold:
        one = unit_rows(1)
        assert cold.nearest(one, 5).strategy == "exact"  # loading a graph for one question is slow
        cold.warm()
        many = unit_rows(3000, seed=2)
        assert cold.nearest(many, 5).strategy == "exact"  # 16 numbers a row: scanning is nothing
        few = Filter(paths=("/0001.mp4", "/0002.mp4"))
        assert cold.nearest(one, 5, where=few).strategy == "exact"
    wide = HnswSettings(from_rows=5000)
    with (
        SqliteStore.open(clustered.directory, hnsw=wide) as resident,
        pytest.MonkeyPatch.context() as p,
    ):
        p.setattr("c2v.library.sqlite.searcher._SCAN_BYTES_PER_SECOND", 1e6)
        assert resident.nearest(one, 5).strategy == "hnsw"
        assert resident.nearest(one, 5, strategy="exact").strategy == "exact"
        assert resident.nearest(one, 5, where=few).strategy == "exact"


def test_auto_without_hnswlib_scans_and_says_so(
    clustered: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hnswlib", None)  # as if it were not installed
    one = unit_rows(1)
    with SqliteStore.open(clustered.directory, hnsw=HnswSettings(from_rows=5000)) as library:
        assert library.nearest(one, 5).strategy == "exact"
        library.warm()
        assert library.slower_because == "", "a scan of so few rows is as fast as the graph"
        with pytest.raises(MissingPartError, match="--strategy hnsw needs hnswlib, which is not"):
            library.nearest(one, 5, strategy="hnsw")
        monkeypatch.setattr("c2v.library.sqlite.searcher._SCAN_BYTES_PER_SECOND", 1e6)
        assert library.nearest(one, 5).strategy == "exact"
        assert library.slower_because.startswith("6,000 segments are searched one by one without")
        assert "[hnsw]" in library.slower_because
        assert library.problems() == []


def flat_vectors(rows: int, dim: int, *, seed: int) -> NDArray[np.float32]:
    """Unit vectors that fill few of their dimensions, as those of real videos do."""
    random = np.random.default_rng(seed)
    strengths = 1 / np.arange(1, dim + 1)
    vectors = (random.standard_normal((rows, dim)) * strengths).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def test_the_graph_keeps_the_strong_directions_only() -> None:
    vectors = flat_vectors(2000, 256, seed=1)
    matrix = matrix_of(vectors, np.ones(2000, np.bool_), [500])
    basis = learn_projection(matrix)
    assert basis is not None
    assert basis.shape == (256, 64)
    np.testing.assert_allclose(basis.T @ basis, np.eye(64), atol=1e-5)
    lengths = np.linalg.norm(vectors @ basis, axis=1)
    assert (lengths**2).mean() > 0.8
    spread = matrix_of(unit_rows(2000, 256), np.ones(2000, np.bool_), [])
    assert learn_projection(spread) is None  # nothing to leave out


@pytest.mark.parametrize("patience", [2000, 100])
def test_what_a_projected_graph_finds_is_scored_in_full(patience: int, tmp_path: Path) -> None:
    vectors = flat_vectors(2000, 256, seed=1)
    queries = flat_vectors(50, 256, seed=2)
    matrix = matrix_of(vectors, np.random.default_rng(3).random(2000) < 0.9, [])
    settings_ = HnswSettings(ef=patience)
    graph = build_graph(matrix, settings_).saved(tmp_path, matrix)
    again = load_graph(tmp_path, matrix.identity, settings_)
    exact = nearest.search_exact(matrix, queries, 10)
    for one in (graph, again):
        found = nearest.search_graph(matrix, one, queries, 10)
        if patience == 2000:  # ef = N: the exact order
            np.testing.assert_array_equal(found.segment_ids, exact.segment_ids)
            np.testing.assert_array_equal(found.scores, exact.scores)
        hits = np.mean(
            [
                np.isin(a, b).mean()
                for a, b in zip(found.segment_ids, exact.segment_ids, strict=True)
            ]
        )
        assert hits > 0.98
    grown = flat_vectors(2300, 256, seed=1)
    later = matrix_of(grown, np.ones(2300, np.bool_), [])
    wider = build_graph(matrix_of(vectors, np.ones(2000, np.bool_), []), settings_)
    assert wider.lag(later) == 300
    wider.extend(later)
    assert wider.lag(later) == 0
    found = nearest.search_graph(later, wider, grown[2200:2210], 1)
    assert found.segment_ids[:, 0].tolist() == later.ids[2200:2210].tolist()

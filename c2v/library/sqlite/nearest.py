"""Nearest rows of the matrix to a query: the exact scan, the graph, and the choice between them.

Both find candidates only. What is returned is computed again in double precision, row by row, in
an order that does not depend on where a row lies in the matrix: so the result is the same after
any rebuild, and equal scores are ordered by segment id.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2v.cores import share_out, usable_cores
from c2v.library.records import Nearest, UsedStrategy
from c2v.library.sqlite.hnsw import Graph
from c2v.library.sqlite.matrix import Matrix

_SCORES_AT_ONCE = 16 << 20
"""Scores held at a time (64 MiB): queries are taken in groups that fit."""
_GATHER_FRACTION = 0.125
"""Below this share of allowed rows they are picked one by one instead of scanning all."""
_ROWS_AT_ONCE = 4096
_SHARE_BYTES = 16 << 20
"""So much of a scan is worth a thread: a millisecond, against 0.1 to start one."""
_MOST_THREADS = 4
"""Few cores use up all that the memory can deliver."""
_SPARE = 16
"""Labels asked of the graph beyond k, so that ties with the k-th are ordered by id as well."""
_ROUNDING = 4e-6
"""Twice the largest error seen of a float32 inner product of unit vectors, 64 to 4096 numbers:
rows this close below the k-th score are candidates too."""


def search_exact(
    matrix: Matrix, queries: NDArray[np.float32], k: int, *, rows: NDArray[np.intp] | None = None
) -> Nearest:
    """The k best of all living rows (or of ``rows``, ascending) for each query [Q, V]."""
    candidates = exact_candidates(matrix, queries, k, rows=rows)
    return _ranked(matrix, queries, k, candidates, "exact")


def search_graph(
    matrix: Matrix,
    graph: Graph,
    queries: NDArray[np.float32],
    k: int,
    *,
    rows: NDArray[np.intp] | None = None,
) -> Nearest:
    """The same through the graph, with an exact scan of the rows that it does not hold yet.

    Falls back to the exact scan, and says so, when the graph cannot reach k rows.
    """
    first = len(matrix.ids) - graph.lag(matrix)
    if rows is None:
        tail = first + np.flatnonzero(matrix.alive[first:])
        inside, allowed = graph.live_count, None
    else:
        inside = int(np.searchsorted(rows, first))
        tail, allowed = rows[inside:], matrix.ids[rows[:inside]]
    labels = graph.query(queries, min(k + _SPARE, inside), allowed=allowed)
    if labels is None:
        return search_exact(matrix, queries, k, rows=rows)
    newer = exact_candidates(matrix, queries, k, rows=tail)
    candidates = []
    for line, query in enumerate(queries):
        # Sorted: looked up and read in the order in which they lie, a third of the time.
        proposed = np.searchsorted(matrix.ids, np.sort(labels[line]))
        scores = _gathered_scores(matrix, query[np.newaxis], proposed)
        (best,) = _best(scores, query[np.newaxis], k)
        candidates.append(np.concatenate([proposed[best], newer[line]]))
    return _ranked(matrix, queries, k, candidates, "hnsw")


def exact_candidates(
    matrix: Matrix, queries: NDArray[np.float32], k: int, *, rows: NDArray[np.intp] | None = None
) -> list[NDArray[np.intp]]:
    """For each query the rows of the k best scores, and those that rounding could have hidden."""
    total = len(matrix.ids) if rows is None else len(rows)
    gather = rows is not None and len(rows) < _GATHER_FRACTION * len(matrix.ids)
    width = len(rows) if rows is not None and gather else len(matrix.ids)
    step = max(1, _SCORES_AT_ONCE // max(width, 1))
    result: list[NDArray[np.intp]] = []
    if total == 0 or k == 0:
        return [np.empty(0, np.intp) for _ in queries]
    outside = None if gather else _outside(matrix, rows)
    for start in range(0, len(queries), step):
        group = queries[start : start + step]
        if rows is not None and gather:
            scores = _gathered_scores(matrix, group, rows)
            result += [rows[best] for best in _best(scores, group, k)]
        else:
            scores = _scanned_scores(matrix, group)
            if outside is not None:
                scores[:, outside] = -np.inf
            result += _best(scores, group, k)
    return result


def _outside(matrix: Matrix, rows: NDArray[np.intp] | None) -> NDArray[np.bool_] | None:
    """Which rows must not be found; None when there is none."""
    if rows is None:
        return None if matrix.alive.all() else ~matrix.alive
    outside = np.ones(len(matrix.ids), np.bool_)
    outside[rows] = False
    return outside


def _scanned_scores(matrix: Matrix, queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inner products of all rows [Q, N], block by block."""
    scores = np.empty((len(queries), len(matrix.ids)), np.float32)

    def score(numbered: tuple[int, NDArray[np.float32]]) -> None:
        start, block = numbered
        end = start + len(block)
        if len(queries) == 1:
            np.dot(block, queries[0], out=scores[0, start:end])
        else:
            scores[:, start:end] = queries @ block.T

    shares = len(matrix.ids) * matrix.identity.dim * 4 // _SHARE_BYTES
    threads = max(1, min(usable_cores(), _MOST_THREADS, shares)) if matrix.is_mapped else 1
    share_out(matrix.blocks(), score, threads=threads)
    return scores


def _gathered_scores(
    matrix: Matrix, queries: NDArray[np.float32], rows: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Inner products of some rows [Q, R]."""
    scores = np.empty((len(queries), len(rows)), np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        chunk = rows[start : start + _ROWS_AT_ONCE]
        scores[:, start : start + len(chunk)] = queries @ matrix.take(chunk).T
    return scores


def _best(
    scores: NDArray[np.float32], queries: NDArray[np.float32], k: int
) -> list[NDArray[np.intp]]:
    """Columns of the k highest scores of each line, plus near ties of the last one."""
    found = []
    for line, query in zip(scores, queries, strict=True):
        if k >= len(line):
            found.append(np.flatnonzero(np.isfinite(line)))
            continue
        kth = np.partition(line, len(line) - k)[len(line) - k]
        slack = _ROUNDING * max(1.0, float(np.linalg.norm(query)))
        found.append(np.flatnonzero((line >= kth - slack) & np.isfinite(line)))
    return found


def _ranked(
    matrix: Matrix,
    queries: NDArray[np.float32],
    k: int,
    candidates: list[NDArray[np.intp]],
    strategy: UsedStrategy,
) -> Nearest:
    """Score the candidates again, order them, cut to k."""
    width = min([k, *(len(rows) for rows in candidates)])
    scores = np.empty((len(queries), width), np.float32)
    ids = np.empty((len(queries), width), np.int64)
    for line, (query, rows) in enumerate(zip(queries, candidates, strict=True)):
        exact = _double_scores(matrix, query, rows)
        order = np.lexsort((matrix.ids[rows], -exact))[:width]
        scores[line], ids[line] = exact[order], matrix.ids[rows[order]]
    return Nearest(strategy, scores, ids)


def _double_scores(
    matrix: Matrix, query: NDArray[np.float32], rows: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Inner products summed in double precision, rounded once to float32 [R]."""
    result = np.empty(len(rows), np.float32)
    precise = query.astype(np.float64)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        chunk = matrix.take(rows[start : start + _ROWS_AT_ONCE]).astype(np.float64)
        result[start : start + len(chunk)] = np.einsum("rv,v->r", chunk, precise)
    return result

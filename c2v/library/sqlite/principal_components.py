"""Fewer numbers for the graph: the directions in which a library's vectors really differ.

A graph spends its time and memory on inner products of whole vectors, but head vectors of real
videos fill few of their dimensions. An orthonormal basis W [V, P] of the directions in which they
differ most (principal components) makes the graph several times smaller and faster to build; what
it proposes is scored again with the whole vectors, so recall does not suffer. The components are
those around the mean: what all vectors share (CLIP's pictures lie in a narrow cone, half of their
squared length or more) adds the same to every score of a query and tells none from another.
Measured, 60,000 x 1024, clustered, queries off the videos'
distribution as text is: P = 256 builds 2.8 times faster, asks 2 times faster, and finds 97.1 %
of the ten best at ef 400 against 97.5 % with whole vectors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2v.library.sqlite.matrix import Matrix

_SAMPLE_ROWS = 20_000
_ENERGY = 0.8
"""Share of the variance of all vectors that the kept directions must have."""
_STEP = 64


def learn_projection(matrix: Matrix) -> NDArray[np.float32] | None:
    """Basis [V, P] with the fewest columns (a multiple of 64) that keep ``_ENERGY``.

    None where that would be more than half of the dimensions: whole vectors are better then.
    """
    dim = matrix.identity.dim
    rows = np.flatnonzero(matrix.alive)
    if dim < 2 * _STEP or len(rows) < dim:
        return None
    # Evenly spread, not random: the same matrix gives the same basis.
    picked = rows[np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE_ROWS)).astype(np.intp)]
    moments, total = np.zeros((dim, dim), np.float64), np.zeros(dim, np.float64)
    for start in range(0, len(picked), 1024):
        chunk = matrix.take(picked[start : start + 1024])
        moments += chunk.T @ chunk
        total += chunk.sum(axis=0, dtype=np.float64)
    moments -= np.outer(total, total) / len(picked)
    energies, directions = np.linalg.eigh(moments)  # ascending
    kept = np.cumsum(energies[::-1]) / energies.sum()
    needed = int(np.searchsorted(kept, _ENERGY)) + 1
    width = -(-needed // _STEP) * _STEP
    if width > dim // 2:
        return None
    return np.ascontiguousarray(directions[:, -width:], dtype=np.float32)

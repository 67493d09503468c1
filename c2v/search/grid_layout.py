"""Vectors on a grid of cells, like ones beside each other: a picture of what a library holds.

First they are laid out by their two principal directions, cell by cell. Then cells trade places for
as long as that brings each nearer to the mean of what lies around it: around it at first means
half of the grid, in the end the cells that touch it (as linear assignment sorting does, Barthel et
al. 2023, with trades in place of assignments).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_WIDER = 4 / 3
"""Columns a row."""
_DIRECTIONS = 48
"""Principal directions that are looked at: what is beyond them is noise to a neighbourhood."""
_SHRINKING = 0.95
"""Of the radius, from one round to the next."""
_LAST_ROUNDS = 40
"""With the smallest radius."""
_TRADES = 30
"""Of all cells, a round."""
_LEAST_GAIN = 1e-4
_FEW = 256
"""Of no more than these every pair of cells is tried."""


def grid_size(count: int) -> tuple[int, int]:
    """Columns and rows of a grid with a cell for each of ``count`` >= 1, few of them empty.

    >>> grid_size(1), grid_size(2), grid_size(43), grid_size(1000)
    ((1, 1), (2, 1), (9, 5), (40, 25))
    """
    if count < 4:
        return count, 1
    wished = math.sqrt(count * _WIDER)
    choices = range(math.floor(wished * 0.9), math.ceil(wished * 1.1) + 1)
    columns = min(choices, key=lambda one: (-count % one, abs(one - wished)))
    return columns, math.ceil(count / columns)


def grid_layout(vectors: NDArray[np.float32]) -> NDArray[np.intp]:
    """A cell for each of N vectors [N, V]: its number in reading order [N], each of 0 to N - 1.

    The cells are those of :func:`grid_size`; what is left over in the last row stays empty. The
    same vectors always give the same layout.
    """
    count = len(vectors)
    if count < 3:
        return np.arange(count)
    columns, rows = grid_size(count)
    reduced = _principal(vectors)  # [N, D]
    order = _first_layout(reduced, columns)  # [N] which vector is in each cell
    random = np.random.default_rng(0)
    radius = max(columns, rows) / 4
    last = 0
    while last < _LAST_ROUNDS:
        last += radius <= 1
        around = _around(reduced[order], columns, rows, max(1, round(radius)))
        for _ in range(_TRADES):
            order = _traded(order, reduced, around, columns, radius, random)
        radius *= _SHRINKING
    if count <= _FEW:
        order = _polished(order, vectors, columns)
    cells = np.empty(count, np.intp)
    cells[order] = np.arange(count)
    return cells


def _principal(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors less their mean [N, D] in their principal directions, the first ones."""
    centred = vectors - vectors.mean(axis=0)
    if len(vectors) < vectors.shape[1]:
        values, sides = np.linalg.eigh(centred @ centred.T)
        found = sides[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0))
    else:
        _, directions = np.linalg.eigh(centred.T @ centred)
        found = centred @ directions[:, ::-1]
    return np.ascontiguousarray(found[:, :_DIRECTIONS], np.float32)


def _first_layout(reduced: NDArray[np.float32], columns: int) -> NDArray[np.intp]:
    """Rows by the second direction, and inside of each by the first one."""
    across, down = reduced[:, 0], reduced[:, min(1, reduced.shape[1] - 1)]
    order = np.argsort(-down, kind="stable")
    parts = [order[first : first + columns] for first in range(0, len(order), columns)]
    return np.concatenate([part[np.argsort(across[part], kind="stable")] for part in parts])


def _around(laid: NDArray[np.float32], columns: int, rows: int, radius: int) -> NDArray[np.float32]:
    """The mean of what lies around each of N cells, itself left out: [N, D].

    What touches counts most: a box is laid over boxes.
    """
    count, width = laid.shape
    grid = np.zeros((rows * columns, width + 1), np.float32)
    grid[:count, :width] = laid
    grid[:count, width] = 1.0  # how many there are
    summed = grid.reshape(rows, columns, width + 1)
    for _ in range(2):
        summed = _boxed(_boxed(summed, radius, 0), radius, 1)
    summed = summed.reshape(rows * columns, width + 1)[:count]
    lines = (_boxed(np.ones(length, np.float32), radius) for length in (rows, columns))
    own = np.outer(*lines)  # how often a cell is in its own sum
    rest = summed - own.reshape(-1, 1)[:count] * grid[:count]
    return np.asarray(rest[:, :width] / np.maximum(rest[:, width:], 1e-6), np.float32)


def _boxed(grid: NDArray[np.float32], radius: int, axis: int = 0) -> NDArray[np.float32]:
    """Sums over ``radius`` cells to both sides along an axis."""
    length = grid.shape[axis]
    sums = np.concatenate(
        [np.zeros_like(grid.take([0], axis=axis)), grid.cumsum(axis=axis)], axis=axis
    )
    places = np.arange(length)
    upper = np.minimum(places + radius + 1, length)
    lower = np.maximum(places - radius, 0)
    boxed: NDArray[np.float32] = sums.take(upper, axis=axis) - sums.take(lower, axis=axis)
    return boxed


def _traded(
    order: NDArray[np.intp],
    reduced: NDArray[np.float32],
    around: NDArray[np.float32],
    columns: int,
    radius: float,
    random: np.random.Generator,
) -> NDArray[np.intp]:
    """Pairs of cells trade what they hold where both together are then nearer to their place."""
    count = len(order)
    one, other = _pairs(count, columns, radius, random)
    a, b = reduced[order[one]], reduced[order[other]]
    gain = np.einsum("nd,nd->n", a - b, around[other] - around[one])
    better = gain > 0
    new: NDArray[np.intp] = order.copy()
    new[one[better]] = order[other[better]]
    new[other[better]] = order[one[better]]
    return new


def _polished(
    order: NDArray[np.intp], vectors: NDArray[np.float32], columns: int
) -> NDArray[np.intp]:
    """The best pair trades, over and over, until none makes the cells that touch more alike."""
    count = len(order)
    row, column = np.divmod(np.arange(count), columns)
    apart = np.maximum(abs(row[:, None] - row), abs(column[:, None] - column))
    touches = (apart == 1).astype(np.float32)  # [N, N] of cells
    alike = vectors @ vectors.T
    order = order.copy()
    for _ in range(4 * count):
        laid = alike[np.ix_(order, order)]
        sums = touches @ laid
        own, lengths = np.diagonal(sums), np.diagonal(laid)
        gain = sums + sums.T - own[:, None] - own
        gain -= touches * (lengths[:, None] + lengths - 2 * laid)
        one, other = divmod(int(gain.argmax()), count)
        if gain[one, other] < _LEAST_GAIN:
            break
        order[[one, other]] = order[[other, one]]
    return order


def _pairs(
    count: int, columns: int, radius: float, random: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Disjoint pairs of cells, about as far from each other as the radius."""
    reach = max(1, math.ceil(radius)) + 1
    down, across = random.integers(-reach, reach + 1, 2)
    cells = random.permutation(count)
    row, column = np.divmod(cells, columns)
    row, column = row + down, column + across
    partner = row * columns + column
    fits = (row >= 0) & (column >= 0) & (column < columns) & (partner >= 0) & (partner < count)
    one, other = cells[fits], partner[fits]
    # Each cell in one pair at most: where steps lead on, every other cell begins one.
    colour = _colour(one, columns, int(down), int(across))
    chosen = (one != other) & (colour == 0)
    return one[chosen], other[chosen]


def _colour(cells: NDArray[np.intp], columns: int, down: int, across: int) -> NDArray[np.intp]:
    """0 and 1 in turn along the steps (down, across)."""
    row, column = np.divmod(cells, columns)
    if down:
        return np.asarray(np.floor_divide(row, abs(down)) % 2, np.intp)
    if across:
        return np.asarray(np.floor_divide(column, abs(across)) % 2, np.intp)
    return np.ones(len(cells), np.intp)

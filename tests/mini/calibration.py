"""Ranges for 8-bit activations, from a run of the network in 32 bits on training photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.mini.lite0 import CEILING, INPUT, Layer, activations
from tests.mini.repeatable import one_thread

PHOTOS = 96
_BATCH = 8
_SAMPLES = 20_000  # values kept of each tensor and batch
_LEVELS = 255
_SHRINKS = np.linspace(0.3, 1.0, 36)

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Range:
    """An 8-bit tensor: value = scale * (level - zero), level 0 to 255.

    ``mean`` is the mean of each channel in 32 bits, for the correction of biases.
    """

    scale: np.float32
    zero: np.uint8
    mean: Array


def calibrate(
    network: Sequence[Layer], pictures: NDArray[np.uint8], *, seed: int = 0
) -> dict[str, Range]:
    """The range of each tensor of the network, by its name.

    Args:
        network: from :func:`tests.mini.lite0.layers`.
        pictures: [N, 224, 224, 3] RGB.
        seed: chooses the values that are kept.
    """
    values: dict[str, list[Array]] = {}
    means: dict[str, list[Array]] = {}
    with one_thread():
        _collect(network, pictures, np.random.default_rng(seed), values, means)
    relu = {layer.name for layer in network if layer.relu}
    ranges: dict[str, Range] = {INPUT: _pixels(means)}
    for name in values.keys() - {INPUT}:
        scale, zero = best_range(np.concatenate(values[name]), relu=name in relu)
        ranges[name] = Range(scale, zero, np.mean(means[name], axis=0))
    return ranges


def _collect(
    network: Sequence[Layer],
    pictures: NDArray[np.uint8],
    random: np.random.Generator,
    values: dict[str, list[Array]],
    means: dict[str, list[Array]],
) -> None:
    """Add values of each tensor, the least and the greatest among them, and channel means."""
    for start in range(0, len(pictures), _BATCH):
        for name, tensor in activations(network, pictures[start : start + _BATCH]):
            flat = tensor.numpy().ravel()
            kept = flat[random.integers(0, len(flat), _SAMPLES)]
            extremes = np.array([flat.min(), flat.max()], np.float32)
            values.setdefault(name, []).append(np.concatenate([kept, extremes]))
            means.setdefault(name, []).append(tensor.mean((0, 2, 3)).numpy())


def best_range(values: Array, *, relu: bool) -> tuple[np.float32, np.uint8]:
    """Scale and zero of the range that rounds ``values`` with the least squared error.

    Rare large values may be cut off. Zero is a level, so padding and ReLU6 are exact.
    """
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    high = min(high, CEILING) if relu else high
    best = (np.inf, np.float32(1), np.uint8(0))
    for shrink in _SHRINKS:
        scale = max(shrink * (high - low), 1e-6) / _LEVELS
        zero = round(-shrink * low / scale)
        levels = np.clip(np.rint(values / scale) + zero, 0, _LEVELS)
        error = float(np.square((levels - zero) * scale - values).mean())
        best = min(best, (error, np.float32(scale), np.uint8(zero)))
    return best[1], best[2]


def _pixels(means: Mapping[str, list[Array]]) -> Range:
    """A pixel is its own level: (p - 127.5) / 127.5, but for half a level (see the stem's bias)."""
    return Range(np.float32(1 / 127.5), np.uint8(128), np.mean(means[INPUT], axis=0))

"""The layers that the towers and heads without torch are made of, in NumPy alone.

All are over the last axis and in float32. What is written into is always an array of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


_FEW_ROWS = 128
"""Up to here a product is a fifth to two fifths faster with the weights as its left side: BLAS
copies the right side into blocks first, and of a few tokens that is little. The numbers are the
same."""


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x [..., in] with weight [out, in] as one matrix product (NumPy loops over a stack)."""
    rows = x.reshape(-1, x.shape[-1])
    if len(rows) <= _FEW_ROWS:
        flat: Array = np.ascontiguousarray((weight @ rows.T).T)
    else:
        flat = rows @ weight.T
    if bias is not None:
        flat += bias
    return flat.reshape(*x.shape[:-1], -1)


def layer_norm(x: Array, weight: Array, bias: Array, *, eps: float) -> Array:
    """(x - mean) / sqrt(variance + eps) * weight + bias."""
    centred: Array = x - x.mean(-1, keepdims=True)
    centred /= np.sqrt(np.square(centred).mean(-1, keepdims=True) + np.float32(eps))
    centred *= weight
    centred += bias
    return centred


def softmax_(x: Array) -> Array:
    """exp(x) / sum exp(x), written into ``x``: scores of attention are large."""
    x -= x.max(-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(-1, keepdims=True)
    return x


def unit(x: Array) -> Array:
    """x / ||x||; a zero vector stays zero."""
    norm = np.sqrt(np.einsum("...d,...d->...", x, x, dtype=np.float32))
    scaled: Array = x / np.maximum(norm, np.float32(1e-12))[..., None]
    return scaled


def gelu(x: Array) -> Array:
    """x times the normal distribution function at x, to 2e-7.

    NumPy has no erf: Abramowitz and Stegun, 7.1.26.
    """
    z = np.abs(x) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = np.full_like(t, 1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        poly *= t
        poly += np.float32(coefficient)
    poly *= t
    poly *= np.exp(-z * z)  # 1 - erf(|x| / sqrt 2)
    tail = np.float32(0.5) * x * poly
    result: Array = np.where(x < 0, tail, x - tail)
    return result


def quick_gelu(x: Array) -> Array:
    """x sigmoid(1.702 x)."""
    gate = np.multiply(x, np.float32(-1.702))
    # exp of a very negative input overflows to infinity, and 1 / infinity is the right answer, 0.
    with np.errstate(over="ignore"):
        np.exp(gate, out=gate)
    gate += 1
    out: Array = x / gate
    return out


def gelu_tanh(x: Array) -> Array:
    """GELU's approximation by tanh."""
    inner = np.float32((2 / np.pi) ** 0.5) * (x + np.float32(0.044715) * x * x * x)
    out: Array = np.float32(0.5) * x * (1 + np.tanh(inner))
    return out


def relu(x: Array) -> Array:
    """max(x, 0)."""
    out: Array = np.maximum(x, np.float32(0))
    return out


ACTIVATIONS: dict[str, Callable[[Array], NDArray[Any]]] = {
    "quick_gelu": quick_gelu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "relu": relu,
}

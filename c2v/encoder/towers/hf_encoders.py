"""BERT, RoBERTa, M2M-100's and T5's encoders in NumPy: texts of one length to their last layer.

Nothing is padded here, so nothing has to be masked. Sources: Devlin et al. 2018, Liu et al. 2019
(positions begin behind the number of the padding token), Fan et al. 2020 (sines as positions, norms
in front), Raffel et al. 2019 (norms without a mean, no scale of the scores, positions relative).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.numpy_layers import ACTIVATIONS, Array, layer_norm, linear, softmax_
from c2v.encoder.towers.hf_text_shape import HFTextArchitecture

Encoder = Callable[[NDArray[np.int64]], Array]
"""Ids [n, L] without padding to tokens of the last layer [n, L, W]."""


class _Weights:
    """Weights by name, all of them below ``transformer.``; memory-mapped, nothing is copied."""

    def __init__(self, shape: HFTextArchitecture, tensors: Mapping[str, NDArray[Any]]) -> None:
        self.shape = shape
        self._tensors = tensors
        self.activation = ACTIVATIONS[shape.activation]

    def __getitem__(self, name: str) -> Array:
        found: Array = self._tensors[f"transformer.{name}"]
        return found

    def linear(self, x: Array, name: str) -> Array:
        return linear(x, self[f"{name}.weight"], self[f"{name}.bias"])

    def matrix(self, x: Array, name: str) -> Array:
        return linear(x, self[f"{name}.weight"])

    def norm(self, x: Array, name: str) -> Array:
        return layer_norm(x, self[f"{name}.weight"], self[f"{name}.bias"], eps=self.shape.eps)

    def root_norm(self, x: Array, name: str) -> Array:
        """x / sqrt(mean of squares + eps) * weight."""
        root = np.sqrt(np.square(x).mean(-1, keepdims=True) + np.float32(self.shape.eps))
        normed: Array = (x / root) * self[f"{name}.weight"]
        return normed

    def attend(self, q: Array, k: Array, v: Array, *, scale: float, bias: Array | None) -> Array:
        """q, k, v [n, L, heads * head_width], bias [heads, L, L] to the same shape as q."""
        n, length, width = q.shape
        split = (n, length, self.shape.heads, self.shape.head_width)
        q, k, v = (part.reshape(split).transpose(0, 2, 1, 3) for part in (q, k, v))
        scores = (q * np.float32(scale)) @ k.swapaxes(-1, -2)  # [n, heads, L, L]
        if bias is not None:
            scores += bias
        mixed: Array = softmax_(scores) @ v
        joined: Array = mixed.transpose(0, 2, 1, 3).reshape(n, length, width)
        return joined


def make_encoder(shape: HFTextArchitecture, tensors: Mapping[str, NDArray[Any]]) -> Encoder:
    """The encoder of a tower over its (checked) weights."""
    weights = _Weights(shape, tensors)
    if shape.kind == "m2m_100":
        return _M2M(weights)
    return _T5(weights) if shape.kind == "mt5" else _Bert(weights)


class _Bert:
    """Embeddings with positions, then layers with a norm behind attention and MLP."""

    def __init__(self, weights: _Weights) -> None:
        self._w = weights

    def __call__(self, ids: NDArray[np.int64]) -> Array:
        w, shape = self._w, self._w.shape
        first = shape.pad_id + 1 if shape.kind == "roberta" else 0
        places = w["embeddings.position_embeddings.weight"][first : first + ids.shape[1]]
        x = w["embeddings.word_embeddings.weight"][ids] + places
        x = w.norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(shape.layers):
            x = self._layer(x, f"encoder.layer.{layer}.")
        return x

    def _layer(self, x: Array, start: str) -> Array:
        w = self._w
        q, k, v = (w.linear(x, f"{start}attention.self.{n}") for n in ("query", "key", "value"))
        mixed = w.attend(q, k, v, scale=w.shape.head_width**-0.5, bias=None)
        attended = w.linear(mixed, f"{start}attention.output.dense")
        x = w.norm(x + attended, f"{start}attention.output.LayerNorm")
        inner = w.activation(w.linear(x, f"{start}intermediate.dense"))
        return w.norm(x + w.linear(inner, f"{start}output.dense"), f"{start}output.LayerNorm")


class _M2M:
    """Scaled embeddings and sines, layers with a norm in front, a norm at the end."""

    def __init__(self, weights: _Weights) -> None:
        self._w = weights

    def __call__(self, ids: NDArray[np.int64]) -> Array:
        w, shape = self._w, self._w.shape
        scale = np.float32(math.sqrt(shape.width) if shape.scaled else 1.0)
        places = np.arange(ids.shape[1]) + shape.pad_id + 1
        x = w["embed_tokens.weight"][ids] * scale + sine_positions(places, shape.width)
        for layer in range(shape.layers):
            x = self._layer(x, f"layers.{layer}.")
        return w.norm(x, "layer_norm")

    def _layer(self, x: Array, start: str) -> Array:
        w = self._w
        y = w.norm(x, f"{start}self_attn_layer_norm")
        q, k, v = (w.linear(y, f"{start}self_attn.{name}_proj") for name in "qkv")
        mixed = w.attend(q, k, v, scale=w.shape.head_width**-0.5, bias=None)
        x = x + w.linear(mixed, f"{start}self_attn.out_proj")
        inner = w.activation(w.linear(w.norm(x, f"{start}final_layer_norm"), f"{start}fc1"))
        return x + w.linear(inner, f"{start}fc2")


class _T5:
    """Layers with a norm in front and none of them with a bias; one table of relative positions."""

    def __init__(self, weights: _Weights) -> None:
        self._w = weights

    def __call__(self, ids: NDArray[np.int64]) -> Array:
        w, shape = self._w, self._w.shape
        table = w["block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
        buckets = relative_buckets(ids.shape[1], count=shape.buckets, farthest=shape.farthest)
        bias = np.ascontiguousarray(table[buckets].transpose(2, 0, 1))  # [heads, L, L]
        x = w["embed_tokens.weight"][ids]
        for layer in range(shape.layers):
            x = self._layer(x, f"block.{layer}.layer.", bias)
        return w.root_norm(x, "final_layer_norm")

    def _layer(self, x: Array, start: str, bias: Array) -> Array:
        w = self._w
        y = w.root_norm(x, f"{start}0.layer_norm")
        q, k, v = (w.matrix(y, f"{start}0.SelfAttention.{name}") for name in "qkv")
        mixed = w.attend(q, k, v, scale=1.0, bias=bias)
        x = x + w.matrix(mixed, f"{start}0.SelfAttention.o")
        y, dense = w.root_norm(x, f"{start}1.layer_norm"), f"{start}1.DenseReluDense."
        if w.shape.gated:
            inner = w.activation(w.matrix(y, f"{dense}wi_0")) * w.matrix(y, f"{dense}wi_1")
        else:
            inner = w.activation(w.matrix(y, f"{dense}wi"))
        return x + w.matrix(inner, f"{dense}wo")


def sine_positions(places: NDArray[np.int64], width: int) -> Array:
    """Sines, then cosines, of places [L] at width / 2 frequencies: [L, width]."""
    half = width // 2
    frequencies = np.exp(
        np.arange(half, dtype=np.float32) * np.float32(-math.log(10000) / (half - 1))
    )
    angles = places.astype(np.float32)[:, None] * frequencies
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    return np.pad(waves, ((0, 0), (0, width % 2)))


def relative_buckets(length: int, *, count: int, farthest: int) -> NDArray[np.int64]:
    """Which of ``count`` buckets the distance from one token (row) to another (column) falls in.

    Half of the buckets are for what follows. In each half the first half are single distances, the
    rest grow with the logarithm up to ``farthest``.
    """
    distance = np.arange(length)[None, :] - np.arange(length)[:, None]  # [L, L]
    half = count // 2
    exact = half // 2
    far = np.maximum(np.abs(distance), 1).astype(np.float32)
    grown = (
        np.log(far / np.float32(exact)) / np.float32(math.log(farthest / exact)) * (half - exact)
    )
    large = np.minimum(exact + grown.astype(np.int64), half - 1)
    near = np.abs(distance)
    buckets: NDArray[np.int64] = half * (distance > 0) + np.where(near < exact, near, large)
    return buckets

"""The text tower of ``mini``: a BERT encoder with 8-bit weights and a projection, in NumPy alone.

Source: all-MiniLM-L6-v2 (BERT with 6 layers of width 384, mean pooling), then the projection and
the blend that ``tests.mini`` made. Why NumPy: a search answers one text from a cold process, and
importing ONNX Runtime and making a session costs several times what these layers cost. Weights
are read through a memory map, rounded to 8 bits per output channel; activations stay float32, so
the features depend neither on the kind of CPU nor, beyond rounding, on the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.cores import share_out, usable_cores
from c2v.encoder.numpy_layers import Array, gelu, layer_norm, softmax_, unit
from c2v.encoder.tensors import read_tensors
from c2v.encoder.towers import TextFeatures
from c2v.encoder.towers.equal_lengths import equally_long
from c2v.errors import ModelError

TENSORS_NAME = "text.safetensors"
_HEAD_WIDTH = 32
_EPSILON = 1e-12  # of layer norm, as in BERT


class MiniLMTextTower:
    """Token ids to one feature a text. Thread-safe: nothing is written after it is made."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Take weights by name, as :mod:`tests.mini` writes them.

        Raises:
            ModelError: a weight is missing.
        """
        try:
            self._encoder = MiniLM(tensors)
            self._projection = _Projection(tensors)
            self._blend = _Blend(tensors) if "blend.learned.int8" in tensors else None
        except KeyError as error:
            raise ModelError(f"the text tower lacks the weight {error}") from error

    @classmethod
    def load(cls, directory: Path) -> MiniLMTextTower:
        """The tower of the bundle in ``directory``; its weights are memory-mapped.

        Raises:
            ModelError: the file of weights is absent or damaged.
        """
        return cls(read_tensors(directory / TENSORS_NAME))

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> TextFeatures:
        """Ids [N, L], mask [N, L] (True up to the end token) to one token [N, 1, D] a text."""
        features = self._features(self._encoder.pool(ids, mask))  # [N, D]
        return TextFeatures(features[:, None], np.ones((len(ids), 1), np.bool_))

    def _features(self, pooled: Array) -> Array:
        """Means of MiniLM's tokens, or tokens, [..., 384] to features [..., D]."""
        features = self._projection(pooled)
        return features if self._blend is None else self._blend(features, pooled)

    def encode_words(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> TextFeatures:
        """Ids [N, L], mask [N, L] to features [N, L, D]: tokens, and at the end token the text.

        The projection was made for means of tokens; of a token alone it says something about it,
        but not where in the space of pictures it belongs. A head has to learn that.
        """
        tokens = self._encoder.tokens(ids, mask)  # [N, L, 384]
        features = self._features(tokens)
        lengths = mask.sum(1)
        means = tokens.sum(1) / np.maximum(lengths, 1)[:, None].astype(np.float32)
        features[np.arange(len(ids)), lengths - 1] = self._features(means)
        return TextFeatures(features, mask)


class MiniLM:
    """The transformer and the mean of its last layer's tokens."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._words = _Rounded.named(tensors, "words")
        self._positions = tensors["positions"]  # [context, 384], segment embedding included
        self._norm = _Norm.named(tensors, "norm")
        count = len({name.split(".")[1] for name in tensors if name.startswith("layer.")})
        self._layers = [_Layer(tensors, f"layer.{index}") for index in range(count)]

    def pool(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> Array:
        """Ids [N, L], mask [N, L] to pooled features [N, 384].

        Texts of equal length run together, a few on each core: no padding is computed, and the
        feature of a text does not depend on the texts beside it.
        """
        pooled = np.zeros((len(ids), self._positions.shape[1]), np.float32)

        def pool(length: int, rows: NDArray[np.intp]) -> None:
            pooled[rows] = self._tokens(ids[rows, :length]).mean(1)

        _share_out(mask, pool)
        return pooled

    def tokens(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> Array:
        """Ids [N, L], mask [N, L] to the tokens of the last layer [N, L, 384], zero behind them."""
        found = np.zeros((*ids.shape, self._positions.shape[1]), np.float32)

        def fill(length: int, rows: NDArray[np.intp]) -> None:
            found[rows, :length] = self._tokens(ids[rows, :length])

        _share_out(mask, fill)
        return found

    def _tokens(self, ids: NDArray[np.int64]) -> Array:
        """Ids [N, L] without padding to the tokens of the last layer, [N, L, 384]."""
        x = self._norm(self._words.rows(ids) + self._positions[: ids.shape[1]])
        for layer in self._layers:
            x = layer(x)
        return x


def _share_out(mask: NDArray[np.bool_], work: Callable[[int, NDArray[np.intp]], None]) -> None:
    """Do ``work`` on every length and rows that have it, a few on each core."""
    threads = max(1, min(usable_cores(), len(mask)))
    groups = equally_long(mask.sum(1), groups=threads)
    share_out(groups, lambda group: work(*group), threads=threads)


class _Rounded:
    """A matrix in 8 bits with one scale a column (or a row, for embeddings)."""

    def __init__(self, values: NDArray[np.int8], scale: Array) -> None:
        self.values = values
        self.scale = scale

    @classmethod
    def named(cls, tensors: Mapping[str, NDArray[Any]], name: str) -> _Rounded:
        return cls(tensors[f"{name}.int8"], tensors[f"{name}.scale"])

    def rows(self, index: NDArray[np.int64]) -> Array:
        picked: Array = self.values[index] * self.scale[index][..., None]
        return picked

    def after(self, x: Array) -> Array:
        """``x @ matrix`` for x [..., in]: [..., out]."""
        product: Array = x @ self.values.astype(np.float32)
        product *= self.scale
        return product


class _Linear:
    def __init__(self, tensors: Mapping[str, NDArray[Any]], name: str) -> None:
        self._matrix = _Rounded.named(tensors, name)  # [in, out]
        self._bias: Array = tensors[f"{name}.bias"]

    def __call__(self, x: Array) -> Array:
        y = self._matrix.after(x)
        y += self._bias
        return y


class _Norm:
    """Layer normalisation over the last axis."""

    def __init__(self, weight: Array, bias: Array) -> None:
        self._weight = weight
        self._bias = bias

    @classmethod
    def named(cls, tensors: Mapping[str, NDArray[Any]], name: str) -> _Norm:
        return cls(tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def __call__(self, x: Array) -> Array:
        return layer_norm(x, self._weight, self._bias, eps=_EPSILON)


class _Layer:
    """One transformer layer: attention and MLP, each with a residual and a norm after it."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]], name: str) -> None:
        self._qkv = _Linear(tensors, f"{name}.qkv")
        self._out = _Linear(tensors, f"{name}.out")
        self._attention_norm = _Norm.named(tensors, f"{name}.attention_norm")
        self._up = _Linear(tensors, f"{name}.up")
        self._down = _Linear(tensors, f"{name}.down")
        self._mlp_norm = _Norm.named(tensors, f"{name}.mlp_norm")

    def __call__(self, x: Array) -> Array:
        x = self._attention_norm(x + self._out(self._attend(x)))
        return self._mlp_norm(x + self._down(gelu(self._up(x))))

    def _attend(self, x: Array) -> Array:
        texts, length, width = x.shape
        split = self._qkv(x).reshape(texts, length, 3, width // _HEAD_WIDTH, _HEAD_WIDTH)
        q, k, v = split.transpose(2, 0, 3, 1, 4)  # each [N, heads, L, 32]
        scores = q @ k.swapaxes(-1, -2)  # [N, heads, L, L]
        scores *= np.float32(_HEAD_WIDTH**-0.5)
        mixed: Array = softmax_(scores) @ v  # [N, heads, L, 32]
        joined: Array = mixed.transpose(0, 2, 1, 3).reshape(x.shape)
        return joined


class _Blend:
    """The learnt feature [N, U] and MiniLM's own [N, 384], each of unit length, as one [N, D].

    The second meets the names of classes that the image tower saw (ConSE, Norouzi et al. 2014).
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._learned = _Rounded.named(tensors, "blend.learned")
        self._pooled = _Rounded.named(tensors, "blend.pooled")

    def __call__(self, learned: Array, pooled: Array) -> Array:
        return self._learned.after(unit(learned)) + self._pooled.after(unit(pooled))


class _Projection:
    """Standardise, then a linear layer plus a two-layer MLP: [N, in] to [N, D]."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._mean: Array = tensors["projection.mean"]
        self._std: Array = tensors["projection.std"]
        self._linear = _Linear(tensors, "projection.linear")
        self._up = _Linear(tensors, "projection.up")
        self._down = _Linear(tensors, "projection.down")

    def __call__(self, pooled: Array) -> Array:
        x: Array = (pooled - self._mean) / self._std
        return self._linear(x) + self._down(gelu(self._up(x)))

"""A vision transformer of open_clip written out as a graph over the weights of a bundle.

Three things make it cheaper than the module it stands for, and none of them changes a feature by
more than rounding: preprocessing is folded into the patch embedding; where the class token is the
feature, the last layer is computed for it alone (7 % of ViT-B/32); and biases, residuals and norms
share passes over memory. What becomes of all tokens otherwise is in
:mod:`c2v.encoder.towers.vision_pool`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.towers.vision_layers import Array, LayerGraph
from c2v.encoder.towers.vision_pool import pool_by_latent, pool_by_query
from c2v.encoder.towers.vision_shape import VisionShape

PICTURES: Final = "images"
_WAVELENGTHS: Final = 10_000  # of rotary positions: their temperature


class VisionGraph(LayerGraph):
    """The transformer, written over tokens in rows: [N * T, width], T patches and a class."""

    def write(self, *, mean: Sequence[float], std: Sequence[float]) -> str:
        """The whole tower, from pictures [N, side, side, 3] uint8 (:data:`PICTURES`).

        Returns:
            The name of its result, features [N, D].
        """
        names, shape = self.shape.names, self.shape
        x = self._tokens(mean, std)
        if shape.norm_before:
            x = self.norm(x, names.norm_before)
        h = self.norm(x, f"{names.layer(0)}{names.norm_1}")
        for number in range(shape.layers):
            layer, is_last = names.layer(number), number + 1 == shape.layers
            attention, mlp = (f"{layer}{s}" if shape.layer_scale else "" for s in self._scales())
            attended, x = self._attend(h, x, layer, is_last=is_last, scale=attention)
            x, h = self.add_and_norm(x, attended, f"{layer}{names.norm_2}")
            more = self.mlp(h, f"{layer}{names.grow}", f"{layer}{names.shrink}", scale=mlp)
            if is_last:
                return self._feature(x, more)
            x, h = self.add_and_norm(x, more, f"{names.layer(number + 1)}{names.norm_1}")
        raise ValueError("a transformer without layers")

    def _scales(self) -> tuple[str, str]:
        scales = self.shape.names.scales
        return (scales[0], scales[1]) if scales else ("", "")

    def _tokens(self, mean: Sequence[float], std: Sequence[float]) -> str:
        """Pictures [N, side, side, 3] to rows [N * T, width].

        (p / 255 - mean) / std is linear, so it is part of the kernel and of the positions.
        """
        shape, names, tensors = self.shape, self.shape.names, self.tensors
        grid, patch, width = shape.grid, shape.patch, shape.width
        x = PICTURES
        if grid * patch < shape.side:  # patches that are not whole are left out
            whole = self.integers(grid * patch, grid * patch)
            x = self.apply("Slice", x, self.integers(0, 0), whole, self.integers(1, 2))
        x = self.reshape(x, -1, grid, patch, grid, patch, 3)
        x = self.reshape(
            self.apply("Transpose", x, perm=[0, 1, 3, 2, 4, 5]), -1, grid * grid, patch * patch * 3
        )
        kernel = tensors[f"{names.patches}.weight"].astype(np.float64)  # [width, 3, patch, patch]
        centre, spread = (np.asarray(v, np.float64)[:, None, None] for v in (mean, std))
        scaled = (kernel / (255 * spread)).transpose(2, 3, 1, 0).reshape(-1, width)
        shift = -(kernel * (centre / spread)).sum((1, 2, 3))  # [width]
        if f"{names.patches}.bias" in tensors:
            shift += tensors[f"{names.patches}.bias"]
        places = tensors[names.positions].reshape(-1, width).astype(np.float64)
        x = self.apply(
            "MatMul", self.apply("Cast", x, to=1), self.constant("patches", _single(scaled))
        )
        moved = _single(places[int(shape.has_class) :] + shift)[None]
        x = self.apply("Add", x, self.constant("places", moved))
        if shape.has_class:
            first = (places[0] + tensors[names.class_token].ravel()).reshape(1, 1, width)
            count = self.apply("Shape", x, start=0, end=1)
            one_each = self.apply("Concat", count, self.integers(1, width), axis=0)
            head = self.apply("Expand", self.constant("first", _single(first)), one_each)
            x = self.apply("Concat", head, x, axis=1)
        return self.reshape(x, -1, width)

    def _attend(self, h: str, x: str, layer: str, *, is_last: bool, scale: str) -> tuple[str, str]:
        """Attention over the normed tokens ``h``, and the rows of ``x`` that go on from there."""
        names, shape = self.shape.names, self.shape
        width, weight, bias = shape.width, layer + names.qkv_weight, layer + names.qkv_bias
        # Biases are added by the attention itself, but where tokens are turned before it.
        added, later = (bias, "") if shape.rotary is not None else ("", self.vector(bias))
        if not (is_last and shape.pool == "class"):
            joined = self.by_picture(self.linear(h, weight, added), 3 * width)
            q, k, v = self.apply_many(
                "Split", joined, self.integers(width, width, width), outputs=3, axis=-1
            )
        else:  # the class token looks at all the others, and nobody looks at them any more
            rows = slice(width, None)
            joined = self.by_picture(self.linear(h, weight, added, rows=rows), 2 * width)
            k, v = self.apply_many("Split", joined, self.integers(width, width), outputs=2, axis=-1)
            x, h = self._class_rows(x), self._class_rows(h)
            q = self.reshape(self.linear(h, weight, added, rows=slice(width)), -1, 1, width)
        if shape.rotary is not None:
            q, k = self._turned(q), self._turned(k)
        mixed = self.apply(
            "MultiHeadAttention",
            *(q, k, v, *([later] if later else [])),
            contrib=True,
            num_heads=shape.heads,
        )
        out = layer + names.out
        return self.linear(
            self.reshape(mixed, -1, width), f"{out}.weight", f"{out}.bias", scale=scale
        ), x

    def _turned(self, x: str) -> str:
        """Queries or keys [N, T, width], each pair of channels turned by the place of its token."""
        cosines, sines = rotary_tables(self.shape)
        return self.apply(
            "RotaryEmbedding",
            x,
            self.integers(0),  # the place of the first token
            self.constant("cosines", cosines),
            self.constant("sines", sines),
            contrib=True,
            interleaved=1,
        )

    def _feature(self, x: str, more: str) -> str:
        """What the last layer adds to its tokens, and the feature [N, D] of both."""
        shape, last = self.shape, self.shape.names.norm_after
        if shape.norm_last:
            x = self._pooled(self.apply("Add", x, more))
            x = self.norm(x, last)
        else:
            _, x = self.add_and_norm(x, more, last)
            x = self._pooled(x)
        if shape.projection == "matrix":
            return self.apply("MatMul", x, self.constant("proj", self.tensors["proj"]))
        if shape.projection == "linear":
            head = self.vector("trunk.head.weight"), self.vector("trunk.head.bias")
            return self.apply("Gemm", x, *head, transB=1)
        return x

    def _pooled(self, x: str) -> str:
        """Tokens in rows [N * T, width] to one row for each picture."""
        pool, width = self.shape.pool, self.shape.width
        if pool == "latent":
            return pool_by_latent(self, x)
        if pool == "query":
            return pool_by_query(self, x)
        if pool == "average":
            seen = self.by_picture(x, width)
            ends = self.integers(1), self.integers(self.shape.tokens), self.integers(1)
            return self.apply("ReduceMean", self.apply("Slice", seen, *ends), axes=[1], keepdims=0)
        return x  # the last layer left the class token alone

    def _class_rows(self, x: str) -> str:
        """[N * T, width] to the first row of each picture, [N, width]."""
        first = self.apply("Gather", self.by_picture(x, self.shape.width), self.integers(0), axis=1)
        return self.reshape(first, -1, self.shape.width)


def rotary_tables(shape: VisionShape) -> tuple[Array, Array]:
    """Cosines and sines [T, width of a head / 2] by which pairs of channels are turned.

    The first half of them by the column of a patch, the second by its row; a class token is not
    turned.
    """
    assert shape.rotary is not None
    quarter = shape.width // shape.heads // 4
    bands = _WAVELENGTHS ** -(np.arange(quarter) / quarter)
    places = np.arange(shape.grid) + shape.rotary
    rows, columns = np.meshgrid(places, places, indexing="ij")
    angles = np.concatenate([columns.reshape(-1, 1) * bands, rows.reshape(-1, 1) * bands], axis=1)
    if shape.has_class:
        angles = np.concatenate([np.zeros((1, 2 * quarter)), angles])
    return _single(np.cos(angles)), _single(np.sin(angles))


def _single(array: NDArray[np.float64]) -> Array:
    return array.astype(np.float32)

"""The text towers that open_clip takes from transformers, in NumPy: no framework, no transformers.

The table of embeddings (a quarter of a million pieces of many languages) is memory-mapped: of a
query's pieces alone are rows read. Texts of one length run together and without padding, so the
feature of a text does not depend on the texts beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.cores import share_out, usable_cores
from c2v.encoder.numpy_layers import Array, gelu, linear
from c2v.encoder.tensors import tensor_shapes
from c2v.encoder.towers import TextFeatures, require_keys
from c2v.encoder.towers.equal_lengths import equally_long
from c2v.encoder.towers.hf_encoders import make_encoder
from c2v.encoder.towers.hf_text_shape import HFTextArchitecture
from c2v.errors import ModelError


class HFTextTower:
    """An encoder of transformers, pooled and projected, over (memory-mapped) float32 weights."""

    def __init__(
        self, architecture: HFTextArchitecture, tensors: Mapping[str, NDArray[Any]]
    ) -> None:
        """Check the weights and take them; nothing is copied.

        Raises:
            ModelError: a weight is missing, unknown, of another shape or not float32.
        """
        require_keys(tensor_shapes(tensors), architecture.shapes(), what="the text tower")
        for name, value in tensors.items():
            if value.dtype != np.float32:
                raise ModelError(f"the text tower: {name} is {value.dtype}, not float32")
        self.architecture = architecture
        self._weights = dict(tensors)
        self._encoder = make_encoder(architecture, self._weights)

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> TextFeatures:
        """Ids [N, context] and mask [N, context] to token features [N, L, D] and mask [N, L].

        L is the longest masked length of the batch. The last masked position of a row holds the
        pooled feature.
        """
        lengths = mask.sum(axis=1)
        longest = int(lengths.max(initial=1))
        tokens = np.zeros((len(ids), longest, self.architecture.output_dim), np.float32)

        def encode(group: tuple[int, NDArray[np.intp]]) -> None:
            length, rows = group
            tokens[rows, :length] = self._encode(ids[rows, :length])

        threads = max(1, min(usable_cores(), len(ids)))
        share_out(equally_long(lengths, groups=threads), encode, threads=threads)
        return TextFeatures(tokens, mask[:, :longest].copy())

    def _encode(self, ids: NDArray[np.int64]) -> Array:
        """[n, L] without padding to [n, L, D]; the pooled feature stands last."""
        x = self._encoder(ids)  # [n, L, W]
        pool = self.architecture.pool
        pooled = x.mean(axis=1) if pool == "mean" else x[:, 0]
        if pool == "first_dense":
            dense = (
                self._weights[f"transformer.pooler.dense.{name}"] for name in ("weight", "bias")
            )
            pooled = np.tanh(linear(pooled, *dense))
        x[:, -1] = pooled
        return self._project(x)

    def _project(self, x: Array) -> Array:
        w = self._weights
        if self.architecture.projection == "linear":
            return linear(x, w["proj.weight"])
        if self.architecture.projection == "mlp":
            inner = gelu(linear(x, w["proj.0.weight"]))
            return linear(inner, w["proj.2.weight"])
        return x

"""The layers that a vision transformer is written of: linear maps, norms, activations.

Where a graph is ``rounded``, the matrices of linear maps stand in it in 8 bits with a scale for
each block of inputs, and activations are rounded likewise, row by row, as they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.towers.onnx_graph import OnnxGraph
from c2v.encoder.towers.vision_shape import VisionShape

Array = NDArray[np.float32]

_BLOCK: Final = 128  # inputs that share a scale


class LayerGraph(OnnxGraph):
    """A graph over the weights of one transformer; tokens are rows: [R, width]."""

    def __init__(
        self, tensors: Mapping[str, NDArray[Any]], shape: VisionShape, *, rounded: bool
    ) -> None:
        super().__init__()
        self.tensors = tensors
        self.shape = shape
        self._rounded = rounded

    def linear(
        self,
        x: str,
        weight: str,
        bias: str = "",
        *,
        rows: slice = slice(None),
        scale: str = "",
    ) -> str:
        """``x`` [R, in] times some rows of a matrix [out, in], transposed: [R, out].

        Args:
            x: rows of inputs.
            weight: the name of the matrix.
            bias: the name of what is added, if anything is.
            rows: of the matrix and of the bias.
            scale: the name of one factor for each output, if there is one.
        """
        matrix = self.tensors[weight][rows]
        offset = self.tensors[bias][rows] if bias else None
        if scale:
            factors = self.tensors[scale]
            matrix = matrix * factors[:, None]
            offset = None if offset is None else offset * factors
        name = f"{weight}:{rows.start}:{rows.stop}"
        added = "" if offset is None else self.constant(f"{bias}:{rows.start}:{rows.stop}", offset)
        if not self._rounded:
            inputs = [x, self.constant(name, matrix), *([added] if added else [])]
            return self.apply("Gemm", *inputs, transB=1)
        levels, scales = round_blocks(matrix)
        inputs = [x, self.constant(name, levels), self.constant(f"{name}.scale", scales.ravel())]
        return self.apply(
            "MatMulNBits",
            *inputs,
            *(["", "", added] if added else []),
            contrib=True,
            K=matrix.shape[1],
            N=len(matrix),
            bits=8,
            block_size=_BLOCK,
            accuracy_level=4,  # of activations: 8 bits
        )

    def mlp(self, x: str, grow: str, shrink: str, *, scale: str = "") -> str:
        """Two linear layers with an activation between them; ``scale`` as in :meth:`linear`."""
        hidden = self.linear(x, f"{grow}.weight", f"{grow}.bias")
        return self.linear(
            self._activation(hidden), f"{shrink}.weight", f"{shrink}.bias", scale=scale
        )

    def _activation(self, x: str) -> str:
        if self.shape.activation == "quick_gelu":
            return self.apply("QuickGelu", x, contrib=True, alpha=1.702)
        kind = "FastGelu" if self.shape.activation == "gelu_tanh" else "Gelu"
        return self.apply(kind, x, contrib=True)

    def norm(self, x: str, name: str, *, epsilon: float | None = None) -> str:
        """Rows of mean 0 and variance 1, scaled and moved by two weights."""
        epsilon = self.shape.epsilon if epsilon is None else epsilon
        return self.apply("LayerNormalization", x, *self._pair(name), axis=-1, epsilon=epsilon)

    def add_and_norm(self, x: str, more: str, name: str) -> tuple[str, str]:
        """The sum of two rows of tokens, and that sum normed."""
        normed, _, _, total = self.apply_many(
            "SkipLayerNormalization",
            x,
            more,
            *self._pair(name),
            outputs=4,
            contrib=True,
            epsilon=self.shape.epsilon,
        )
        return total, normed

    def vector(self, name: str) -> str:
        """A weight as it is."""
        return self.constant(name, self.tensors[name])

    def by_picture(self, x: str, width: int) -> str:
        """Rows [N * T, width] to [N, T, width], T the tokens of a picture."""
        return self.reshape(x, -1, self.shape.tokens, width)

    def reshape(self, x: str, *sizes: int) -> str:
        """Other sizes; -1 for the one that follows from the rest, 0 for one that stays."""
        return self.apply("Reshape", x, self.integers(*sizes))

    def integers(self, *values: int) -> str:
        """A constant of whole numbers: sizes, axes, places."""
        return self.constant("i" + "_".join(map(str, values)), np.array(values, np.int64))

    def _pair(self, name: str) -> tuple[str, str]:
        return self.vector(f"{name}.weight"), self.vector(f"{name}.bias")


def round_blocks(matrix: Array) -> tuple[NDArray[np.uint8], Array]:
    """A matrix [out, in] in 8 bits: levels [out, blocks, 128] and scales [out, blocks].

    Level 128 is zero. What is missing of the last block counts as zero.
    """
    out, inside = matrix.shape
    blocks = -(-inside // _BLOCK)
    padded = np.zeros((out, blocks * _BLOCK), np.float32)
    padded[:, :inside] = matrix
    padded = padded.reshape(out, blocks, _BLOCK)
    scales = np.maximum(np.abs(padded).max(-1) / 127, 1e-12).astype(np.float32)
    padded /= scales[..., None]
    np.rint(padded, out=padded)
    padded += 128
    return padded.astype(np.uint8), scales

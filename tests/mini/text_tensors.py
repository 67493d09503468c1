"""all-MiniLM-L6-v2 and its projection as the tensors that the text tower of ``mini`` reads.

Matrices are rounded to 8 bits, symmetric, with one scale a column (for embeddings, a row); what is
small stays in 32 bits. Matrices are stored [in, out], the order they are used in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.mini.blend import Blend

CONTEXT = 128  # tokens of a text, start and end included
_LAYERS = 6
_LEVELS = 127

Tensors = dict[str, NDArray[Any]]
Weights = Mapping[str, NDArray[Any]]


def encoder_tensors(weights: Weights) -> Tensors:
    """The transformer, from the names of its checkpoint to those of the tower."""
    embeddings = "embeddings."
    # There is one segment only, so its embedding belongs to every position.
    positions = (
        weights[f"{embeddings}position_embeddings.weight"][:CONTEXT]
        + weights[f"{embeddings}token_type_embeddings.weight"][0]
    )
    values, scale = round_columns(weights[f"{embeddings}word_embeddings.weight"].T)
    tensors: Tensors = {
        "words.int8": np.ascontiguousarray(values.T),
        "words.scale": scale,
        "positions": positions,
        **_norm("norm", weights, f"{embeddings}LayerNorm"),
    }
    for index in range(_LAYERS):
        tensors.update(_layer(f"layer.{index}", weights, f"encoder.layer.{index}."))
    return tensors


def projection_tensors(projection: Weights) -> Tensors:
    """The trained projection, named as :func:`tests.mini.fit.fit` names its parts."""
    tensors: Tensors = {
        "projection.mean": projection["mean"],
        "projection.std": projection["std"],
    }
    for part in ("linear", "up", "down"):
        tensors.update(
            _linear(f"projection.{part}", projection[f"{part}.weight"], projection[f"{part}.bias"])
        )
    return tensors


def blend_tensors(blend: Blend) -> Tensors:
    """What joins the learnt feature and MiniLM's own."""
    tensors: Tensors = {}
    for name, matrix in (("blend.learned", blend.learned), ("blend.pooled", blend.texts)):
        tensors[f"{name}.int8"], tensors[f"{name}.scale"] = round_columns(matrix)
    return tensors


def round_columns(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """[in, out] in 8 bits and the scale [out] that gives it back, to half a step of each column."""
    peak = np.abs(matrix).max(0)
    scale = np.where(peak > 0, peak / _LEVELS, 1).astype(np.float32)
    return np.rint(matrix / scale).astype(np.int8), scale


def _layer(name: str, weights: Weights, source: str) -> Tensors:
    attention = f"{source}attention."
    parts = [f"{attention}self.{part}" for part in ("query", "key", "value")]
    joined = np.concatenate([weights[f"{part}.weight"].T for part in parts], axis=1)
    bias = np.concatenate([weights[f"{part}.bias"] for part in parts])
    tensors = _linear(f"{name}.qkv", joined, bias)
    for short, long in (
        ("out", f"{attention}output.dense"),
        ("up", f"{source}intermediate.dense"),
        ("down", f"{source}output.dense"),
    ):
        matrix, bias = weights[f"{long}.weight"].T, weights[f"{long}.bias"]
        tensors.update(_linear(f"{name}.{short}", matrix, bias))
    tensors.update(_norm(f"{name}.attention_norm", weights, f"{attention}output.LayerNorm"))
    tensors.update(_norm(f"{name}.mlp_norm", weights, f"{source}output.LayerNorm"))
    return tensors


def _linear(name: str, matrix: NDArray[np.float32], bias: NDArray[np.float32]) -> Tensors:
    values, scale = round_columns(matrix)
    return {f"{name}.int8": values, f"{name}.scale": scale, f"{name}.bias": bias}


def _norm(name: str, weights: Weights, source: str) -> Tensors:
    return {f"{name}.{part}": weights[f"{source}.{part}"] for part in ("weight", "bias")}

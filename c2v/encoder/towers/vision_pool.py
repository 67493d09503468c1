"""Attention that makes one vector of all tokens of a picture.

What asks is a trained vector, the same for every picture. So its product with the matrix of the
keys is made once, and is one vector for each head: scores are the product of a token with it, and
keys are never made. The matrix of the values is taken after the sum over tokens and not before it.
Both are the same numbers but for rounding, in a fraction of the time: what would cost a sixth of a
layer costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.towers.vision_layers import LayerGraph

_LATENT: Final = "trunk.attn_pool."
_QUERY: Final = "attn_pool."
_QUERY_EPSILON: Final = 1e-5  # CoCa's pooler has norms of its own

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """What asks, and the weights of keys and values; E is the width of what is made.

    ``query`` [E] is projected already; ``keys`` and ``values`` are [E, width], ``offset`` [E] is
    added to the values. A bias of the keys would move all scores of a head alike: it is none.
    """

    name: str
    query: Doubles
    keys: NDArray[Any]
    values: NDArray[Any]
    offset: NDArray[Any]


def pool_by_latent(graph: LayerGraph, x: str) -> str:
    """SigLIP's and PE's: normed tokens in rows [N * T, width] to [N, width]."""
    tensors, width = graph.tensors, graph.shape.width
    latent = tensors[f"{_LATENT}latent"].reshape(width).astype(np.float64)
    weights, biases = tensors[f"{_LATENT}kv.weight"], tensors[f"{_LATENT}kv.bias"]
    attention = Attention(
        name=_LATENT,
        query=tensors[f"{_LATENT}q.weight"] @ latent + tensors[f"{_LATENT}q.bias"],
        keys=weights[:width],
        values=weights[width:],
        offset=biases[width:],
    )
    mixed = _attend(graph, x, attention)
    out = graph.linear(mixed, f"{_LATENT}proj.weight", f"{_LATENT}proj.bias")
    more = graph.mlp(graph.norm(out, f"{_LATENT}norm"), f"{_LATENT}mlp.fc1", f"{_LATENT}mlp.fc2")
    return graph.apply("Add", out, more)


def pool_by_query(graph: LayerGraph, x: str) -> str:
    """CoCa's: tokens in rows [N * T, width] to what the first query finds in them, [N, output].

    The other queries are for its decoder.
    """
    tensors, made = graph.tensors, graph.shape.output_dim
    attn = f"{_QUERY}attn."
    joined = tensors.get(f"{attn}in_proj_weight")
    if joined is not None:
        to_query, keys, values = joined[:made], joined[made : 2 * made], joined[2 * made :]
    else:
        to_query, keys, values = (tensors[f"{attn}{end}_proj_weight"] for end in "qkv")
    biases = tensors[f"{attn}in_proj_bias"]
    asked = _normed(tensors[f"{_QUERY}query"][0], graph, f"{_QUERY}ln_q")
    attention = Attention(
        name=attn,
        query=to_query @ asked + biases[:made],
        keys=keys,
        values=values,
        offset=biases[2 * made :],
    )
    mixed = _attend(graph, graph.norm(x, f"{_QUERY}ln_k", epsilon=_QUERY_EPSILON), attention)
    return graph.linear(mixed, f"{attn}out_proj.weight", f"{attn}out_proj.bias")


def _attend(graph: LayerGraph, x: str, attention: Attention) -> str:
    """Tokens in rows [N * T, width] to [N, E]."""
    heads, name = graph.shape.pool_heads, attention.name
    inside = len(attention.query) // heads  # of a head
    query = attention.query.reshape(heads, inside) / np.sqrt(inside)
    keys = attention.keys.reshape(heads, inside, -1)
    asks = np.einsum("hd,hdw->wh", query, keys).astype(np.float32)  # [width, heads]
    values = attention.values.reshape(heads, inside, -1).transpose(0, 2, 1)  # [heads, width, E / h]
    tokens = graph.by_picture(x, graph.shape.width)  # [N, T, width]
    scores = graph.apply("MatMul", tokens, graph.constant(f"{name}asks", asks))
    shares = graph.apply("Softmax", graph.apply("Transpose", scores, perm=[0, 2, 1]), axis=-1)
    means = graph.apply("MatMul", shares, tokens)  # [N, heads, width]
    by_head = graph.apply("Transpose", means, perm=[1, 0, 2])
    mixed = graph.apply("MatMul", by_head, graph.constant(f"{name}values", values))
    rows = graph.reshape(graph.apply("Transpose", mixed, perm=[1, 0, 2]), -1, heads * inside)
    return graph.apply("Add", rows, graph.constant(f"{name}offset", attention.offset))


def _normed(row: NDArray[Any], graph: LayerGraph, name: str) -> Doubles:
    """One row, normed."""
    x = row.astype(np.float64)
    x = (x - x.mean()) / np.sqrt(x.var() + _QUERY_EPSILON)
    scaled: Doubles = x * graph.tensors[f"{name}.weight"] + graph.tensors[f"{name}.bias"]
    return scaled

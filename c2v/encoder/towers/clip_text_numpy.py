"""The text tower of CLIP models in NumPy: a query never waits for a deep-learning framework.

It covers open_clip's own text transformer in all the forms its models use: causal (OpenAI, PE,
LAION) or not (MobileCLIP2), QuickGELU or GELU, any width, any pooling. Under the causal mask a
token never sees a later one, so nothing behind the last end token is computed: 8 tokens instead
of 77 for a short query, with the same numbers.

Source: Radford et al. 2021, section 2.4 (all tokens through ln_final and
text_projection, because TAB needs token features).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from c2v.cores import share_out, usable_cores
from c2v.encoder.numpy_layers import ACTIVATIONS, Array, layer_norm, linear, softmax_
from c2v.encoder.tensors import tensor_shapes
from c2v.encoder.towers import TextFeatures, require_keys
from c2v.errors import ModelError

_MAX_TEXTS = 128  # a batch at a time: bounds the memory of the attention scores
_TEXTS_A_THREAD = 4  # fewer take nearly as long as one: reading the weights is most of it


@dataclass(frozen=True, slots=True)
class TextArchitecture:
    """Sizes and variants of a CLIP text transformer.

    ``pool`` says which token is the feature of the text: the end token (``end``), the last of the
    padded row (``last``) or the first (``first``).
    """

    vocab_size: int
    context: int
    width: int
    heads: int
    layers: int
    mlp_width: int
    output_dim: int
    activation: Literal["quick_gelu", "gelu", "gelu_tanh"]
    causal: bool
    pool: Literal["end", "last", "first"]
    eps: float
    projection_bias: bool

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> TextArchitecture:
        """From ``text.settings`` of a bundle.

        Raises:
            ModelError: a field is missing or unknown, or the width does not divide into heads.
        """
        names = {field.name for field in fields(cls)}
        wrong = sorted(names ^ set(settings))
        if wrong:
            problem = "missing" if wrong[0] in names else "unknown"
            raise ModelError(f"text.settings: {problem} field {wrong[0]}")
        made = cls(**settings)
        if made.width % made.heads or made.activation not in ACTIVATIONS:
            raise ModelError(f"text.settings: {made} is not a CLIP text transformer")
        return made

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every weight of the tower with its shape (names of open_clip and OpenAI)."""
        width, mlp = self.width, self.mlp_width
        shapes: dict[str, tuple[int, ...]] = {
            "token_embedding.weight": (self.vocab_size, width),
            "positional_embedding": (self.context, width),
            "ln_final.weight": (width,),
            "ln_final.bias": (width,),
        }
        if self.projection_bias:
            shapes["text_projection.weight"] = (self.output_dim, width)
            shapes["text_projection.bias"] = (self.output_dim,)
        else:
            shapes["text_projection"] = (width, self.output_dim)
        block: dict[str, tuple[int, ...]] = {
            "attn.in_proj_weight": (3 * width, width),
            "attn.in_proj_bias": (3 * width,),
            "attn.out_proj.weight": (width, width),
            "attn.out_proj.bias": (width,),
            "ln_1.weight": (width,),
            "ln_1.bias": (width,),
            "ln_2.weight": (width,),
            "ln_2.bias": (width,),
            "mlp.c_fc.weight": (mlp, width),
            "mlp.c_fc.bias": (mlp,),
            "mlp.c_proj.weight": (width, mlp),
            "mlp.c_proj.bias": (width,),
        }
        for layer in range(self.layers):
            for name, shape in block.items():
                shapes[f"transformer.resblocks.{layer}.{name}"] = shape
        return shapes


class ClipTextTower:
    """A CLIP text transformer over (memory-mapped) float32 weights."""

    def __init__(self, architecture: TextArchitecture, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Check the weights and take them; nothing is copied.

        Raises:
            ModelError: a weight is missing, unknown, of another shape or not float32.
        """
        require_keys(tensor_shapes(tensors), architecture.shapes(), what="the text tower")
        for name, value in tensors.items():
            if value.dtype != np.float32:
                raise ModelError(f"the text tower: {name} is {value.dtype}, not float32")
        self.architecture = architecture
        self._activation = ACTIVATIONS[architecture.activation]
        self._weights = dict(tensors)

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> TextFeatures:
        """Ids [N, context] and mask [N, context] to token features [N, L, D] and mask [N, L].

        L is the longest masked length of the batch. The last masked position of a row holds the
        pooled feature.
        """
        length = int(mask.sum(axis=1).max(initial=1))
        tokens = np.zeros((len(ids), length, self.architecture.output_dim), np.float32)

        def encode(start: int) -> None:
            part = self._encode(ids[start : start + step], mask[start : start + step])
            tokens[start : start + len(part), : part.shape[1]] = part

        threads = min(usable_cores(), max(1, len(ids) // _TEXTS_A_THREAD))
        step = min(_MAX_TEXTS, -(-len(ids) // threads)) or 1
        share_out(range(0, len(ids), step), encode, threads=threads)
        return TextFeatures(tokens, mask[:, :length].copy())

    def _encode(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> Array:
        """[n, L, D] for a small batch; L its longest masked length."""
        shape = self.architecture
        length = int(mask.sum(axis=1).max())
        seen = length if shape.causal and shape.pool == "end" else ids.shape[1]
        x = self._weights["token_embedding.weight"][ids[:, :seen]]  # [n, seen, W]
        x = x + self._weights["positional_embedding"][:seen]
        hidden = np.triu(np.full((seen, seen), -np.inf, np.float32), 1) if shape.causal else None
        for layer in range(shape.layers):
            x = self._block(x, hidden, f"transformer.resblocks.{layer}.")
        if shape.pool != "end":  # the pooled token takes the place of the end token
            pooled = x[:, -1 if shape.pool == "last" else 0]
            x[np.arange(len(x)), mask.sum(axis=1) - 1] = pooled
        return self._project(self._norm(x[:, :length], "ln_final"))

    def _block(self, x: Array, hidden: Array | None, prefix: str) -> Array:
        """One pre-norm residual block, x [n, L, W]; ``hidden`` [L, L] is -inf where masked."""
        w = self._weights
        n, length, width = x.shape
        heads = self.architecture.heads
        qkv = linear(
            self._norm(x, prefix + "ln_1"),
            w[prefix + "attn.in_proj_weight"],
            w[prefix + "attn.in_proj_bias"],
        )
        qkv = qkv.reshape(n, length, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
        q, k, v = qkv  # each [n, heads, L, W / heads]
        scores = (q * np.float32((width // heads) ** -0.5)) @ k.swapaxes(-1, -2)  # [n, heads, L, L]
        if hidden is not None:
            scores += hidden
        context = (softmax_(scores) @ v).transpose(0, 2, 1, 3).reshape(n, length, width)
        x = x + linear(
            context, w[prefix + "attn.out_proj.weight"], w[prefix + "attn.out_proj.bias"]
        )
        inner = linear(
            self._norm(x, prefix + "ln_2"),
            w[prefix + "mlp.c_fc.weight"],
            w[prefix + "mlp.c_fc.bias"],
        )
        inner = self._activation(inner)
        return x + linear(inner, w[prefix + "mlp.c_proj.weight"], w[prefix + "mlp.c_proj.bias"])

    def _norm(self, x: Array, name: str) -> Array:
        weight, bias = self._weights[name + ".weight"], self._weights[name + ".bias"]
        return layer_norm(x, weight, bias, eps=self.architecture.eps)

    def _project(self, x: Array) -> Array:
        w = self._weights
        if self.architecture.projection_bias:
            return linear(x, w["text_projection.weight"], w["text_projection.bias"])
        projected: Array = x.reshape(-1, x.shape[-1]) @ w["text_projection"]
        return projected.reshape(*x.shape[:-1], -1)

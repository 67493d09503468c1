"""The text tower of CLIP models in NumPy: a query never waits for a deep-learning framework.

It covers open_clip's own text transformer in all the forms its models use: causal (OpenAI, PE,
LAION) or not (MobileCLIP2, SigLIP, CLIPA), QuickGELU or GELU, any width, any pooling, with or
without a class token behind the text (CoCa). Under the causal mask a token never sees a later
one, so nothing behind the last end token is computed: 8 tokens instead of 77 for a short query,
with the same numbers. Without it padding is seen like words, and all of it is computed.

The table of embeddings stays on the disk: the rows of the words of a query are all that is read
of it, a few hundred kilobytes of the 790 MB that 256,000 pieces of width 768 take.

Source: Radford et al. 2021, section 2.4 (all tokens through ln_final and
text_projection, because TAB needs token features).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from c2v.cores import share_out, usable_cores
from c2v.encoder.numpy_layers import ACTIVATIONS, Array, layer_norm, linear, softmax_
from c2v.encoder.tensors import tensor_shapes
from c2v.encoder.towers import TextFeatures, require_keys
from c2v.encoder.towers.text_settings import from_text_settings, to_text_settings
from c2v.errors import ModelError

_MAX_TEXTS = 128  # a batch at a time: bounds the memory of the attention scores
_TEXTS_A_THREAD = 4  # fewer take nearly as long as one: reading the weights is most of it


@dataclass(frozen=True, slots=True)
class TextArchitecture:
    """Sizes and variants of a CLIP text transformer.

    ``pool`` says which token is the feature of the text: the end token (``end``), the last of the
    padded row (``last``), the first (``first``) or that of the largest id (``largest``).
    ``projection`` is False where the joint space is the tower's own. With ``class_token`` a learnt
    token follows the padded text, whose feature counts, whatever ``pool`` says; it sees the tokens
    in front of the first ``pad_id`` and that one, as CoCa was trained.
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
    pool: Literal["end", "last", "first", "largest"]
    eps: float
    projection_bias: bool
    projection: bool = True
    class_token: bool = False
    pad_id: int = 0

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> TextArchitecture:
        """From ``text.settings`` of a bundle.

        Raises:
            ModelError: a field is missing or unknown, or the width does not divide into heads.
        """
        made = from_text_settings(cls, settings)
        if made.width % made.heads or made.activation not in ACTIVATIONS:
            raise ModelError(f"text.settings: {made} is not a CLIP text transformer")
        if not made.projection and made.width != made.output_dim:
            raise ModelError(f"text.settings: {made} has no projection to its joint space")
        return made

    def settings(self) -> dict[str, Any]:
        """For ``text.settings``: what most towers do without is left out where it is not used."""
        return to_text_settings(self)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every weight of the tower with its shape (names of open_clip and OpenAI)."""
        width, mlp = self.width, self.mlp_width
        shapes: dict[str, tuple[int, ...]] = {
            "token_embedding.weight": (self.vocab_size, width),
            "positional_embedding": (self.context + self.class_token, width),
            "ln_final.weight": (width,),
            "ln_final.bias": (width,),
        }
        if self.class_token:
            shapes["cls_emb"] = (width,)
        if not self.projection:
            pass
        elif self.projection_bias:
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
        rows, ends = np.arange(len(ids)), mask.sum(axis=1) - 1
        length = int(ends.max()) + 1
        seen = self._seen(ids, length)
        x = self._weights["token_embedding.weight"][ids[:, :seen]]  # [n, seen, W]
        x = x + self._weights["positional_embedding"][:seen]
        if shape.class_token:
            last = self._weights["cls_emb"] + self._weights["positional_embedding"][-1]
            x = np.concatenate([x, np.broadcast_to(last, (len(x), 1, shape.width))], axis=1)
        hidden = self._hidden(ids, seen)
        for layer in range(shape.layers):
            x = self._block(x, hidden, f"transformer.resblocks.{layer}.")
        # The pooled token takes the place of the end token.
        if shape.class_token or shape.pool == "last":
            x[rows, ends] = x[:, -1]
        elif shape.pool != "end":
            x[rows, ends] = x[rows, 0 if shape.pool == "first" else ids.argmax(axis=1)]
        return self._project(self._norm(x[:, :length], "ln_final"))

    def _seen(self, ids: NDArray[np.int64], length: int) -> int:
        """How many tokens of each row the pooled one can see, the longest text being ``length``."""
        shape = self.architecture
        context: int = ids.shape[1]
        if shape.class_token and np.all(ids[:, length:] == shape.pad_id):
            return min(length + 1, context)
        return length if shape.causal and shape.pool == "end" else context

    def _hidden(self, ids: NDArray[np.int64], seen: int) -> Array | None:
        """-inf where a token (row) does not see another (column): [L, L], or [n, 1, L, L].

        L is ``seen``, and one more with a class token. There the mask of the padding stands one
        place too far to the right in the models that exist: what a token hides is the next one.
        """
        shape = self.architecture
        count = seen + shape.class_token
        if shape.causal:
            hidden = np.triu(np.full((count, count), -np.inf, np.float32), 1)
        elif shape.class_token:
            hidden = np.zeros((count, count), np.float32)
        else:
            return None
        if shape.class_token:
            padding = ids == shape.pad_id  # [n, context]
            before = np.concatenate([padding[:, : seen - 1], padding[:, -1:]], axis=1)
            behind = np.where(before, np.float32(-np.inf), np.float32(0))  # [n, seen]
            hidden = np.repeat(hidden[None, None], len(ids), axis=0)
            hidden[:, :, :, 1:] += behind[:, None, None, :]
        return hidden

    def _block(self, x: Array, hidden: Array | None, prefix: str) -> Array:
        """One pre-norm residual block, x [n, L, W]; ``hidden`` is -inf where masked."""
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
        if not self.architecture.projection:
            return x
        if self.architecture.projection_bias:
            return linear(x, w["text_projection.weight"], w["text_projection.bias"])
        projected: Array = x.reshape(-1, x.shape[-1]) @ w["text_projection"]
        return projected.reshape(*x.shape[:-1], -1)

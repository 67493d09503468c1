"""Sizes, variants and weights of the text towers that open_clip takes from transformers.

Three families: BERT and RoBERTa (also XLM-RoBERTa), the encoder of M2M-100 (NLLB) and the encoder
of T5 (mT5). The names of the weights are those of open_clip's checkpoints, without ``text.``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from c2v.encoder.numpy_layers import ACTIVATIONS
from c2v.encoder.towers.text_settings import from_text_settings, to_text_settings
from c2v.errors import ModelError

EncoderKind = Literal["bert", "roberta", "m2m_100", "mt5"]
Pooler = Literal["mean", "first", "first_dense"]
Projection = Literal["none", "linear", "mlp"]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class HFTextArchitecture:
    """Sizes and variants of a text encoder of transformers, its pooling and its projection.

    ``pool``: the mean of all tokens, the first one, or the first one through BERT's pooler
    (``first_dense``). ``positions`` is how many rows the table of positions has, 0 where they are
    computed. ``buckets`` and ``farthest`` are T5's, of relative positions; ``gated`` says that its
    layers have two matrices in.
    """

    kind: EncoderKind
    vocab_size: int
    width: int
    heads: int
    head_width: int
    layers: int
    mlp_width: int
    activation: str
    eps: float
    pad_id: int
    pool: Pooler
    projection: Projection
    output_dim: int
    positions: int = 0
    types: int = 0
    scaled: bool = False
    gated: bool = False
    buckets: int = 0
    farthest: int = 0

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> HFTextArchitecture:
        """From ``text.settings`` of a bundle.

        Raises:
            ModelError: a field is missing or unknown, or the sizes do not go together.
        """
        made = from_text_settings(cls, settings)
        known = {
            "kind": (made.kind, get_args(EncoderKind)),
            "pool": (made.pool, get_args(Pooler)),
            "projection": (made.projection, get_args(Projection)),
            "activation": (made.activation, tuple(ACTIVATIONS)),
        }
        for name, (value, values) in known.items():
            if value not in values:
                raise ModelError(f"text.settings: {name} is {value!r}, not one of {values}")
        fits = made.kind == "mt5" or made.heads * made.head_width == made.width
        if not fits or (made.projection == "none" and made.width != made.output_dim):
            raise ModelError(f"text.settings: {made} is not a text tower")
        return made

    def settings(self) -> dict[str, Any]:
        """For ``text.settings``: what a kind does without is left out."""
        return to_text_settings(self)

    def shapes(self) -> Shapes:
        """Every weight of the tower with its shape."""
        made = {"m2m_100": self._m2m, "mt5": self._t5}.get(self.kind, self._bert)()
        shapes = {f"transformer.{name}": shape for name, shape in made.items()}
        if self.projection == "linear":
            shapes["proj.weight"] = (self.output_dim, self.width)
        elif self.projection == "mlp":
            between = (self.width + self.output_dim) // 2
            shapes["proj.0.weight"] = (between, self.width)
            shapes["proj.2.weight"] = (self.output_dim, between)
        return shapes

    def _bert(self) -> Shapes:
        width, mlp = self.width, self.mlp_width
        shapes: Shapes = {
            "embeddings.word_embeddings.weight": (self.vocab_size, width),
            "embeddings.position_embeddings.weight": (self.positions, width),
            "embeddings.token_type_embeddings.weight": (self.types, width),
            **_norm("embeddings.LayerNorm", width),
        }
        for layer in range(self.layers):
            start = f"encoder.layer.{layer}."
            for name in ("query", "key", "value"):
                shapes |= _linear(f"{start}attention.self.{name}", width, width)
            shapes |= _linear(f"{start}attention.output.dense", width, width)
            shapes |= _norm(f"{start}attention.output.LayerNorm", width)
            shapes |= _linear(f"{start}intermediate.dense", mlp, width)
            shapes |= _linear(f"{start}output.dense", width, mlp)
            shapes |= _norm(f"{start}output.LayerNorm", width)
        if self.pool == "first_dense":
            shapes |= _linear("pooler.dense", width, width)
        return shapes

    def _m2m(self) -> Shapes:
        width, mlp = self.width, self.mlp_width
        shapes: Shapes = {"embed_tokens.weight": (self.vocab_size, width)}
        for layer in range(self.layers):
            start = f"layers.{layer}."
            for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
                shapes |= _linear(f"{start}self_attn.{name}", width, width)
            shapes |= _norm(f"{start}self_attn_layer_norm", width)
            shapes |= _linear(f"{start}fc1", mlp, width)
            shapes |= _linear(f"{start}fc2", width, mlp)
            shapes |= _norm(f"{start}final_layer_norm", width)
        return shapes | _norm("layer_norm", width)

    def _t5(self) -> Shapes:
        width, inner = self.width, self.heads * self.head_width
        table = "block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        shapes: Shapes = {
            "embed_tokens.weight": (self.vocab_size, width),
            table: (self.buckets, self.heads),
            "final_layer_norm.weight": (width,),
        }
        for layer in range(self.layers):
            start = f"block.{layer}.layer."
            for name in ("q", "k", "v"):
                shapes[f"{start}0.SelfAttention.{name}.weight"] = (inner, width)
            shapes[f"{start}0.SelfAttention.o.weight"] = (width, inner)
            for name in ("wi_0", "wi_1") if self.gated else ("wi",):
                shapes[f"{start}1.DenseReluDense.{name}.weight"] = (self.mlp_width, width)
            shapes[f"{start}1.DenseReluDense.wo.weight"] = (width, self.mlp_width)
            for part in (0, 1):
                shapes[f"{start}{part}.layer_norm.weight"] = (width,)
        return shapes


def _linear(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}

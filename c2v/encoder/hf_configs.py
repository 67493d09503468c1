"""Configs of text encoders of transformers, understood: their sizes, as a tower of c2v.

What open_clip's own models name is known here, so that they can be fetched and run without
transformers and without a further file; the facts are those of ``config.json`` on the hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from c2v.encoder.towers.hf_text_shape import EncoderKind, HFTextArchitecture, Pooler, Projection
from c2v.errors import ModelError

Config = dict[str, Any]

_ROBERTA: Final[Config] = {
    "model_type": "roberta",
    "vocab_size": 50265,
    "hidden_size": 768,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "pad_token_id": 1,
}
_XLM_ROBERTA: Final[Config] = _ROBERTA | {"model_type": "xlm-roberta", "vocab_size": 250002}
_MT5: Final[Config] = {
    "model_type": "mt5",
    "vocab_size": 250112,
    "d_model": 768,
    "d_kv": 64,
    "num_heads": 12,
    "num_layers": 12,
    "d_ff": 2048,
    "feed_forward_proj": "gated-gelu",
    "layer_norm_epsilon": 1e-6,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "pad_token_id": 0,
}
_NLLB: Final[Config] = {
    "model_type": "m2m_100",
    "vocab_size": 256206,
    "d_model": 1024,
    "encoder_attention_heads": 16,
    "encoder_layers": 12,
    "encoder_ffn_dim": 4096,
    "activation_function": "relu",
    "scale_embedding": True,
    "pad_token_id": 1,
}
KNOWN_HF_CONFIGS: Final[Mapping[str, Config]] = {
    "roberta-base": _ROBERTA,
    "xlm-roberta-base": _XLM_ROBERTA,
    "xlm-roberta-large": _XLM_ROBERTA
    | {
        "hidden_size": 1024,
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
        "intermediate_size": 4096,
    },
    "google/mt5-base": _MT5,
    "google/mt5-xl": _MT5 | {"d_model": 2048, "num_heads": 32, "num_layers": 24, "d_ff": 5120},
    "facebook/nllb-200-distilled-600M": _NLLB,
    "facebook/nllb-200-distilled-1.3B": _NLLB | {"encoder_layers": 24, "encoder_ffn_dim": 8192},
}
"""By the name under which open_clip's configs ask for them."""

_ACTIVATIONS: Final = {"gelu": "gelu", "gelu_new": "gelu_tanh", "relu": "relu"}
_POOLERS: Final[Mapping[str, Pooler]] = {
    "mean_pooler": "mean",
    "cls_pooler": "first_dense",
    "cls_last_hidden_state_pooler": "first",
}


def hf_text_architecture(
    config: Mapping[str, Any], *, output_dim: int, pooler: str, projection: str | None
) -> HFTextArchitecture:
    """The tower that open_clip makes of an encoder of transformers.

    Args:
        config: the encoder's ``config.json``.
        output_dim: D, of the joint space.
        pooler: open_clip's ``hf_pooler_type``.
        projection: open_clip's ``hf_proj_type``.

    Raises:
        ModelError: it is of a kind that c2v cannot run; the message names it.
    """
    kind = config.get("model_type")
    if pooler not in _POOLERS:
        raise ModelError(f"its text tower uses {pooler}, which open_clip cannot run either")
    try:
        if kind in ("bert", "roberta", "xlm-roberta"):
            sizes = _bert(config, "bert" if kind == "bert" else "roberta")
        elif kind in ("m2m_100", "mt5"):
            sizes = _m2m(config) if kind == "m2m_100" else _t5(config)
        else:
            raise ModelError(f"its text tower is a {kind!r} of transformers, which c2v cannot run")
    except KeyError as error:
        raise ModelError(f"the config of its text tower has no {error}") from error
    pool = _POOLERS[pooler]
    if pool == "first_dense" and kind in ("m2m_100", "mt5"):
        pool = "first"  # these have no pooler of their own
    return HFTextArchitecture(
        **sizes, pool=pool, projection=_projection(projection, sizes["width"], output_dim),
        output_dim=output_dim,
    )  # fmt: skip


def _projection(kind: str | None, width: int, output_dim: int) -> Projection:
    if kind is None and width == output_dim:
        return "none"
    if kind == "linear":
        return "linear"
    if kind == "mlp":
        return "mlp"
    raise ModelError(f"its text tower has a projection {kind!r}, which c2v cannot run")


def _activation(name: str) -> str:
    if name not in _ACTIVATIONS:
        raise ModelError(f"its text tower uses the activation {name!r}, which c2v cannot run")
    return _ACTIVATIONS[name]


def _bert(config: Mapping[str, Any], kind: EncoderKind) -> dict[str, Any]:
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ModelError("its text tower has positions that are not absolute, which c2v cannot run")
    width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    return {
        "kind": kind,
        "vocab_size": int(config["vocab_size"]),
        "width": width,
        "heads": heads,
        "head_width": width // heads,
        "layers": int(config["num_hidden_layers"]),
        "mlp_width": int(config["intermediate_size"]),
        "activation": _activation(config.get("hidden_act", "gelu")),
        "eps": float(config.get("layer_norm_eps", 1e-12)),
        "pad_id": int(config.get("pad_token_id", 0 if kind == "bert" else 1)),
        "positions": int(config["max_position_embeddings"]),
        "types": int(config.get("type_vocab_size", 2)),
    }


def _m2m(config: Mapping[str, Any]) -> dict[str, Any]:
    width, heads = int(config["d_model"]), int(config["encoder_attention_heads"])
    return {
        "kind": "m2m_100",
        "vocab_size": int(config["vocab_size"]),
        "width": width,
        "heads": heads,
        "head_width": width // heads,
        "layers": int(config["encoder_layers"]),
        "mlp_width": int(config["encoder_ffn_dim"]),
        "activation": _activation(config.get("activation_function", "relu")),
        "eps": 1e-5,
        "pad_id": int(config.get("pad_token_id", 1)),
        "scaled": bool(config.get("scale_embedding", True)),
    }


def _t5(config: Mapping[str, Any]) -> dict[str, Any]:
    form = str(config.get("feed_forward_proj", "gated-gelu"))
    # T5 says "gated-gelu" and means GELU's approximation by tanh.
    activation = "gelu_new" if form == "gated-gelu" else form.removeprefix("gated-")
    return {
        "kind": "mt5",
        "vocab_size": int(config["vocab_size"]),
        "width": int(config["d_model"]),
        "heads": int(config["num_heads"]),
        "head_width": int(config["d_kv"]),
        "layers": int(config["num_layers"]),
        "mlp_width": int(config["d_ff"]),
        "activation": _activation(activation),
        "eps": float(config.get("layer_norm_epsilon", 1e-6)),
        "pad_id": int(config.get("pad_token_id", 0)),
        "gated": form.startswith("gated-"),
        "buckets": int(config.get("relative_attention_num_buckets", 32)),
        "farthest": int(config.get("relative_attention_max_distance", 128)),
    }

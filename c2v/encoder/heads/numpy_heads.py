"""Heads without torch: meanP on both sides, and the text side of every other head but wti.

A search reads only these. They give the torch modules' numbers to 1e-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.numpy_layers import Array, softmax_, unit
from c2v.errors import ModelError


def project(x: Array, weights: Mapping[str, Array], name: str) -> Array:
    """x + x A + b (see `projection`), or x where the head has no such layer: [..., D]."""
    if f"{name}.weight" not in weights:
        return x
    bent: Array = x + x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]
    return bent


def global_vector(frames: Array, mask: NDArray[Any]) -> Array:
    """Unit frames, their masked mean, unit again: [B, T, D], [B, T] -> [B, D]."""
    real = mask.astype(np.float32)
    counts = real.sum(axis=1, keepdims=True)
    counts[counts == 0] = 1.0
    total = np.einsum("btd,bt->bd", unit(frames), real)
    return unit(total / counts)


def sentence_feature(tokens: Array, mask: NDArray[Any]) -> Array:
    """The feature at EOT, the last real token, not normalised: [N, L, D], [N, L] -> [N, D]."""
    real = mask > 0
    end = np.where(real, np.arange(mask.shape[1]), 0).max(axis=1)
    picked: Array = tokens[np.arange(len(tokens)), end]
    picked *= real.any(axis=1, keepdims=True)
    return picked


def aggregate(tokens: Array, mask: NDArray[Any], *, weight: Array, center: Array) -> Array:
    """The Temporal Alignment Block's sum over centres (see `tab`): [N, L, D], [N, L] -> [N, D]."""
    logits = tokens @ weight.T  # [N, L, K]
    share = softmax_(logits)
    share *= mask.astype(np.float32)[..., None]
    residual = share.transpose(0, 2, 1) @ tokens  # [N, K, D]
    residual -= share.sum(axis=1)[..., None] * center
    mean: Array = unit(residual).mean(axis=1)
    return unit(mean)


def words_only(mask: NDArray[Any]) -> NDArray[Any]:
    """The text mask without SOT (position 0); a text of one feature (L = 1) keeps it."""
    if mask.shape[1] == 1:
        return mask
    words: NDArray[Any] = mask.copy()
    words[:, 0] = 0
    return words


class NumpyTextSide:
    """Token features to the text half of a score, for any head.

    `weights` holds `weight_center` and `emb_center` [K, D] where the head has an alignment block,
    `word_projection.*` where it is projected (`text_keys` says what is needed), or nothing.
    """

    def __init__(self, settings: HeadSettings, weights: Mapping[str, NDArray[Any]]) -> None:
        self.settings = settings
        for key in self._needed(settings):
            if key not in weights:
                raise ModelError(f"the {settings.type} head has no weight {key!r}")
        self._weights = {key: weights[key].astype(np.float32) for key in self._needed(settings)}

    @staticmethod
    def _needed(settings: HeadSettings) -> tuple[str, ...]:
        return text_keys(settings)

    @property
    def vector_dim(self) -> int:
        return self.settings.vector_dim

    def embed_text(self, tokens: NDArray[Any], mask: NDArray[Any]) -> Array:
        """Tokens [N, L, D] (not normalised), mask [N, L] -> unit vectors [N, V]."""
        tokens = project(tokens.astype(np.float32, copy=False), self._weights, "word_projection")
        overall = unit(sentence_feature(tokens, mask))
        if not self.settings.aligned:
            return overall
        aligned = aggregate(
            tokens,
            words_only(mask),
            weight=self._weights["weight_center"],
            center=self._weights["emb_center"],
        )
        w, rest = self.settings.weights
        return np.concatenate(
            [np.float32(w**0.5) * overall, np.float32(rest**0.5) * aligned], axis=-1
        )


class NumpyMeanP(NumpyTextSide):
    """The whole meanP head, which has no weights unless it is projected."""

    def __init__(
        self, settings: HeadSettings, weights: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        super().__init__(settings, weights or {})

    @staticmethod
    def _needed(settings: HeadSettings) -> tuple[str, ...]:
        return meanp_keys(settings)

    def embed_video(self, features: NDArray[Any], mask: NDArray[Any]) -> Array:
        """Features [B, T, D] (not normalised), mask [B, T] -> unit vectors [B, D]."""
        frames = project(features.astype(np.float32, copy=False), self._weights, "frame_projection")
        return global_vector(frames, mask)


def text_keys(settings: HeadSettings) -> tuple[str, ...]:
    """The weights that the text side reads."""
    centers = ("weight_center", "emb_center") if settings.aligned else ()
    return centers + _layer("word_projection", settings)


def meanp_keys(settings: HeadSettings) -> tuple[str, ...]:
    """The weights of a whole meanP head: both projections, or none."""
    return text_keys(settings) + _layer("frame_projection", settings)


def _layer(name: str, settings: HeadSettings) -> tuple[str, ...]:
    return (f"{name}.weight", f"{name}.bias") if settings.projected else ()

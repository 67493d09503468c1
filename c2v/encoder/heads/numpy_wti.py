"""The head `wti` (see `wti`) without torch: both sides, and hundreds of segments a question.

Nothing as wide as a feature is made of a frame. The frame after the transformer is
f = unit(u + y B) with a narrow y, so u is multiplied once, with everything that it is compared
with, and the rest are products in the narrow space:

    |u + y B|^2 = |u|^2 + 2 (u B') . y + y (B B') y'         <w, u + y B> = <w, u> + y . (B w')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.heads.numpy_heads import (
    NumpyTextSide,
    project,
    sentence_feature,
    text_keys,
    words_only,
)
from c2v.encoder.heads.settings import HeadSettings, attention_heads
from c2v.encoder.numpy_layers import Array, layer_norm, linear, quick_gelu, softmax_, unit
from c2v.encoder.padding import pad
from c2v.errors import ModelError

NO_TOKEN = -1.0
"""The weight of what is padding."""
_FARTHEST = np.float32(-2.0)
_MASKED = np.float32(-1e6)
_EPS = 1e-12
_FRAMES_AT_ONCE = 600  # what is made of them stays in the cache of a core
_COSINES_AT_ONCE = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of one text: unit vectors [L, D] and weights [L] that add up to one."""

    vectors: Array
    weights: Array


@dataclass(frozen=True, slots=True, eq=False)
class Interaction:
    """One text and S segments."""

    scores: Array
    """[S]."""
    nearest: NDArray[np.intp]
    """[S, L]: the frame of each segment that shows each word best."""
    cosines: Array
    """[S, L]: how well it does."""


class NumpyWti(NumpyTextSide):
    """Word and frame features to vectors, and to scores."""

    @staticmethod
    def _needed(settings: HeadSettings) -> tuple[str, ...]:
        return text_keys(settings) + _own_keys(settings)

    def __init__(self, settings: HeadSettings, weights: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(settings, weights)
        self._scale = np.float32(settings.feature_dim**0.5)
        found = self._weights
        way_back = np.concatenate([found["wide.weight"].T, found["wide.bias"][None]])
        self._way_back: Array = way_back  # B [r + 1, D], of y with a 1 behind it
        self._way_back_squared: Array = way_back @ way_back.T
        self._fixed: Array = np.ascontiguousarray(
            np.concatenate([self._scale * found["narrow.weight"], way_back]).T
        )  # [D, 2r + 1]

    def words(self, tokens: NDArray[Any], mask: NDArray[Any]) -> tuple[Array, Array]:
        """Tokens [N, L, D], mask [N, L] -> unit words [N, L, D] and weights [N, L]."""
        tokens = project(tokens.astype(np.float32), self._weights, "word_projection")
        whole = unit(sentence_feature(tokens, mask))
        end = np.where(mask > 0, np.arange(mask.shape[1]), 0).max(axis=1)
        change = unit(tokens) @ self._weights["word_change.weight"].T
        change[np.arange(len(tokens)), end] = 0.0
        words = unit(whole[:, None] + change)
        logits = self._scale * words @ self._weights["word_weight.weight"][0]
        return words, _shares(logits, words_only(mask) > 0)

    def embed_video(self, features: NDArray[Any], mask: NDArray[Any]) -> Array:
        """Features [B, T, D] (not normalised), mask [B, T] -> unit vectors [B, D]."""
        frames = self._frames(features, mask > 0)
        real = mask.astype(np.float32)
        total: Array = unit(np.einsum("btd,bt->bd", frames, real))
        return total

    def score(self, words: Words, segments: Sequence[NDArray[Any]]) -> Interaction:
        """One text with S segments of frame features [T_i, D], any lengths and S."""
        scores = np.empty(len(segments), np.float32)
        shape = (len(segments), len(words.weights))
        nearest, cosines = np.zeros(shape, np.intp), np.empty(shape, np.float32)
        for rows in _of_like_length([len(features) for features in segments]):
            padded, mask = pad([segments[row] for row in rows])
            found = self._scored(words, padded, mask)
            scores[rows], nearest[rows], cosines[rows] = found
        return Interaction(scores, nearest, cosines)

    def score_all(self, words: Array, weights: Array, segments: Sequence[NDArray[Any]]) -> Array:
        """N texts with S segments: words [N, L, D], weights [N, L], features [T_i, D] -> [N, S]."""
        scores = np.empty((len(words), len(segments)), np.float32)
        for rows in _of_like_length([len(features) for features in segments]):
            padded, mask = pad([segments[row] for row in rows])
            frames = self._frames(padded, mask)
            logits = self._scale * frames @ self._weights["frame_weight.weight"][0]
            shares = _shares(logits + self._weights["frame_weight.bias"], mask)
            step = max(1, _COSINES_AT_ONCE // (mask.size * words.shape[1]))
            for first in range(0, len(words), step):
                some = slice(first, first + step)
                scores[some, rows] = _interact_all(words[some], weights[some], frames, shares)
        return scores

    def _frames(self, features: NDArray[Any], mask: NDArray[np.bool_]) -> Array:
        """Features [S, T, D], mask [S, T] -> unit features after time was looked at."""
        own = unit(features.astype(np.float32, copy=False))
        return unit(own + self._seen(own @ self._fixed, mask) @ self._way_back)

    def _scored(
        self, words: Words, features: Array, mask: NDArray[np.bool_]
    ) -> tuple[Array, NDArray[np.intp], Array]:
        """Features [S, T, D], mask [S, T] -> scores [S], nearest frames and cosines [S, L]."""
        asked = np.concatenate([words.vectors, self._weights["frame_weight.weight"]])  # [L + 1, D]
        length = np.sqrt(np.einsum("std,std->st", features, features))[..., None]
        products = features @ np.concatenate([self._fixed, asked.T], axis=1)
        products /= np.maximum(length, np.float32(_EPS))
        fixed = self._fixed.shape[1]
        seen = self._seen(products[..., :fixed], mask)  # [S, T, r + 1]
        back = products[..., self.settings.bottleneck : fixed]
        squared = (length[..., 0] > 0) + np.einsum(
            "str,str->st", seen, 2 * back + seen @ self._way_back_squared
        )
        near = products[..., fixed:] + seen @ (self._way_back @ asked.T)  # [S, T, L + 1]
        near /= np.sqrt(np.maximum(squared, np.float32(_EPS)))[..., None]
        logits = self._scale * near[..., -1] + self._weights["frame_weight.bias"]
        return _interact(near[..., :-1], _shares(logits, mask), words.weights)

    def _seen(self, products: Array, mask: NDArray[np.bool_]) -> Array:
        """What the transformer says of frames, a 1 behind it: [S, T, 2r + 1] -> [S, T, r + 1]."""
        found, width = self._weights, self.settings.bottleneck
        time = products.shape[1]
        if time > self.settings.positions:
            raise ModelError(
                f"a segment of {time} frames does not fit the {self.settings.positions} positions "
                "of this head",
                hint="use shorter segments: c2v index --segment SECONDS",
            )
        x = products[..., :width] + self._scale * found["narrow.bias"]
        x += found["frame_position_embeddings.weight"][:time]
        hidden = np.where(mask, np.float32(0), _MASKED)[:, None, None, :]
        for layer in range(self.settings.layers):
            x = self._block(f"transformerClip.resblocks.{layer}.", x, hidden)
        return np.concatenate([x, np.ones_like(x[..., :1])], axis=-1)

    def _block(self, name: str, x: Array, hidden: Array) -> Array:
        """x + attention(LN(x)), then x + mlp(LN(x)); hidden [S, 1, 1, T] is added to scores."""

        def layer(part: str, y: Array) -> Array:
            return linear(
                y, self._weights[f"{name}{part}weight"], self._weights[f"{name}{part}bias"]
            )

        def norm(part: str, y: Array) -> Array:
            weight, bias = (
                self._weights[f"{name}{part}.weight"],
                self._weights[f"{name}{part}.bias"],
            )
            return layer_norm(y, weight, bias, eps=_EPS)

        heads = attention_heads(x.shape[-1])
        qkv = layer("attn.in_proj_", norm("ln_1", x)).reshape(*x.shape[:2], 3, heads, -1)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)  # [S, heads, T, d] each
        scores = (q * np.float32(q.shape[-1] ** -0.5)) @ k.swapaxes(-1, -2)
        scores += hidden
        mixed = (softmax_(scores) @ v).transpose(0, 2, 1, 3).reshape(x.shape)
        x = x + layer("attn.out_proj.", mixed)
        return x + layer("mlp.c_proj.", quick_gelu(layer("mlp.c_fc.", norm("ln_2", x))))


def _interact(
    near: Array, frame_weights: Array, word_weights: Array
) -> tuple[Array, NDArray[np.intp], Array]:
    """Cosines [S, T, L] and weights [S, T], [L] -> scores [S], nearest [S, L], its cosines."""
    shown = np.where((frame_weights < 0)[..., None], _FARTHEST, near)
    nearest = shown.argmax(axis=1)  # [S, L]
    of_word = np.take_along_axis(shown, nearest[:, None], axis=1)[:, 0]
    of_frame = near[..., word_weights >= 0].max(axis=2)  # [S, T]
    a, b = np.maximum(word_weights, 0), np.maximum(frame_weights, 0)
    scores: Array = (of_word @ a + (of_frame * b).sum(axis=1)) / 2
    return scores, nearest, of_word


def _interact_all(words: Array, a: Array, frames: Array, b: Array) -> Array:
    """As `wti.interact`: [N, L, D], [N, L], [S, T, D], [S, T] -> [N, S]."""
    width = words.shape[-1]
    cosines = words.reshape(-1, width) @ frames.reshape(-1, width).T
    near = cosines.reshape(*words.shape[:2], *frames.shape[:2])  # [N, L, S, T]
    of_word = np.where(b < 0, _FARTHEST, near).max(axis=3)  # [N, L, S]
    of_frame = np.where((a < 0)[:, :, None, None], _FARTHEST, near).max(axis=1)  # [N, S, T]
    a, b = np.maximum(a, 0), np.maximum(b, 0)
    scores: Array = np.einsum("nls,nl->ns", of_word, a)
    scores += np.einsum("nst,st->ns", of_frame, b)
    scores *= np.float32(0.5)
    return scores


def _shares(logits: Array, real: NDArray[np.bool_]) -> Array:
    """Softmax over what is real, `NO_TOKEN` elsewhere: [B, L], [B, L] -> [B, L]."""
    shares = softmax_(np.where(real, logits, _MASKED).astype(np.float32))
    return np.where(real, shares, np.float32(NO_TOKEN))


def _of_like_length(lengths: Sequence[int]) -> list[NDArray[np.intp]]:
    """Rows in groups that are padded to one length: few frames of it are none."""
    order = np.argsort(lengths, kind="stable")
    groups: list[list[int]] = []
    for row in order.tolist():
        room = groups and (len(groups[-1]) + 1) * lengths[row] <= _FRAMES_AT_ONCE
        if room and lengths[groups[-1][0]] >= 0.75 * lengths[row]:
            groups[-1].append(row)
        else:
            groups.append([row])
    return [np.asarray(group, np.intp) for group in groups]


def _own_keys(settings: HeadSettings) -> tuple[str, ...]:
    parts = ("attn.in_proj_", "attn.out_proj.", "ln_1.", "mlp.c_fc.", "mlp.c_proj.", "ln_2.")
    blocks = [
        f"transformerClip.resblocks.{layer}.{part}{kind}"
        for layer in range(settings.layers)
        for part in parts
        for kind in ("weight", "bias")
    ]
    layers = [
        f"{layer}.{kind}"
        for layer in ("narrow", "wide", "word_weight", "frame_weight")
        for kind in ("weight", "bias")
    ]
    return ("frame_position_embeddings.weight", "word_change.weight", *layers, *blocks)

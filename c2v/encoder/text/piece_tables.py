"""The model of a ``tokenizer.json`` as tables that can be searched where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.text.subwords import BytePairs, Subwords, Tables, Unigram

_PLAIN_BPE = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")


def make_tables(model: Mapping[str, Any]) -> dict[str, NDArray[Any]] | None:
    """Tables of :mod:`c2v.encoder.text.subwords` for a model; None of one that has none.

    Such a model is left to the ``tokenizers`` library: WordPiece, byte pairs with an option that
    changes them, unigrams of which two are the same.
    """
    if model.get("type") == "Unigram":
        return _unigram_tables(model)
    if model.get("type") == "BPE":
        return _pair_tables(model)
    return None


def subwords(tables: Tables) -> Subwords:
    """The model over its tables."""
    return Unigram(tables) if "scores" in tables else BytePairs(tables)


def _unigram_tables(model: Mapping[str, Any]) -> dict[str, NDArray[Any]] | None:
    vocabulary = model["vocab"]
    unknown = model.get("unk_id")
    ids = {piece: index for index, (piece, _) in enumerate(vocabulary)}
    if unknown is None or model.get("byte_fallback") or len(ids) != len(vocabulary):
        return None
    scores = np.array([score for _, score in vocabulary], np.float64)
    return _piece_tables(ids) | {
        "scores": scores,
        "worst": scores.min(keepdims=True),
        "unknown": np.array([unknown], np.int32),
    }


def _pair_tables(model: Mapping[str, Any]) -> dict[str, NDArray[Any]] | None:
    ids: dict[str, int] = model["vocab"]
    unknown = ids.get(model.get("unk_token") or "")
    plain = not any(model.get(name) for name in _PLAIN_BPE)
    if unknown is None or not plain or not model.get("fuse_unk"):
        return None
    byte_ids = [ids.get(f"<0x{byte:02X}>", -1) for byte in range(256)]
    if not model.get("byte_fallback"):
        byte_ids = []
    elif -1 in byte_ids:
        return None
    merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
    left = np.array([ids[one] for one, _ in merges], np.uint64)
    right = np.array([ids[other] for _, other in merges], np.uint64)
    pairs = left << np.uint64(32) | right
    # Of a pair that is listed twice the later rank counts, as in a dictionary.
    order = np.argsort(pairs, kind="stable")
    last = np.append(pairs[order][1:] != pairs[order][:-1], True) if len(order) else order > 0
    kept = order[last]
    joined = np.array([ids[one + other] for one, other in merges], np.int32)
    return _piece_tables(ids) | {
        "pairs": pairs[kept],
        "ranks": kept.astype(np.int32),
        "joined": joined[kept],
        "byte_ids": np.array(byte_ids, np.int32),
        "unknown": np.array([unknown], np.int32),
        "whole_first": np.array([bool(model.get("ignore_merges"))], np.uint8),
    }


def _piece_tables(ids: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """Pieces in the order of their bytes."""
    pieces = sorted((piece.encode("utf-8", "replace"), index) for piece, index in ids.items())
    lengths = np.array([len(piece) for piece, _ in pieces], np.int64)
    return {
        "bytes": np.frombuffer(b"".join(piece for piece, _ in pieces), np.uint8),
        "ends": lengths.cumsum().astype(np.uint32),
        "ids": np.array([index for _, index in pieces], np.int32),
        "longest": lengths.max(initial=1, keepdims=True),
    }

"""Texts to token ids.

CLIP's byte-pair encoding is done here, over a table of merges that is memory-mapped: it is ready
in under a millisecond, where parsing the same vocabulary as JSON takes about 120 ms of a search.

Cleaning, cut rule and special tokens are those of CLIP and of CLIP2Video's tokenizer.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import TextConfig
from c2v.encoder.made_once import made_once
from c2v.encoder.tensors import read_tensors
from c2v.encoder.text.cleaning import CLEANERS
from c2v.encoder.text.rows import id_rows
from c2v.errors import ModelError

MERGES_NAME = "tokenizer.safetensors"

_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
# The same for text that is all ASCII, which spares the import of the regex library.
_ASCII_WORDS = _WORDS.replace(r"\p{L}", "a-zA-Z").replace(r"\p{N}", "0-9")
_CACHED_WORDS = 1 << 16
_NO_MERGE = 1 << 31


class TextTokenizer(Protocol):
    """What a bundle needs of a tokenizer."""

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Ids [N, context], padded, and mask [N, context], True from start to end token."""
        ...

    def length(self, text: str) -> int:
        """How many tokens a text has before it is cut, start and end included."""
        ...

    @property
    def unknown_id(self) -> int | None:
        """The id that stands for what has no pieces; None where there are bytes for all."""
        ...


class ClipTokenizer:
    """CLIP's byte-pair encoding.

    Token ids are 0-255 for the bytes inside a word, 256-511 for the byte that ends one, then one
    id a merge, in the order of the merges: the id of a merge is its rank.
    """

    def __init__(self, pairs: NDArray[np.uint64], ids: NDArray[np.int32], config: TextConfig):
        """``pairs``: sorted [M], left id * 2^32 + right id; ``ids`` [M]: what the pair becomes."""
        self._config = config
        self._clean = CLEANERS[config.clean]
        # bisect over a memoryview takes a microsecond a look-up and nothing at start.
        self._pairs = memoryview(pairs.data)
        self._ids = memoryview(ids.data)
        self._byte_ids = byte_ids()
        self._words: dict[str, list[int]] = {}
        specials = "".join(re.escape(text) + "|" for text in config.specials)
        self._ascii = re.compile(specials + _ASCII_WORDS, re.IGNORECASE)
        self._specials_pattern = specials

    @made_once
    def _any(self) -> _Pattern:
        import regex  # type: ignore[import-untyped]

        pattern: _Pattern = regex.compile(self._specials_pattern + _WORDS, regex.IGNORECASE)
        return pattern

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Ids [N, context], padded, and mask [N, context], True from start to end token."""
        return id_rows((self.pieces(self._clean(text)) for text in texts), self._config)

    def length(self, text: str) -> int:
        """How many tokens a text has before it is cut, start and end included."""
        start = 0 if self._config.start_id is None else 1
        return start + len(self.pieces(self._clean(text))) + 1

    @property
    def unknown_id(self) -> int | None:
        """None: there is a token for every byte."""
        return None

    def pieces(self, text: str) -> list[int]:
        """Token ids of one cleaned text, without start and end."""
        words = (self._ascii if text.isascii() else self._any).findall(text)
        return [token for word in words for token in self._word(word)]

    def _word(self, word: str) -> list[int]:
        known = self._words.get(word)
        if known is None:
            special = self._config.specials.get(word)
            known = self._merge(word) if special is None else [special]
            if len(self._words) < _CACHED_WORDS:
                self._words[word] = known
        return known

    def _merge(self, word: str) -> list[int]:
        """Join the pair of lowest rank, everywhere it stands, until no pair can be joined."""
        tokens = [self._byte_ids[byte] for byte in word.encode("utf-8", "replace")]
        tokens[-1] += 256
        while len(tokens) > 1:
            joined = [self._join(pair) for pair in zip(tokens, tokens[1:], strict=False)]
            best = min(joined)
            if best == _NO_MERGE:
                break
            at, merged = 0, []
            while at < len(tokens):
                # Two equal pairs can overlap (a a a): the left one is taken.
                join = at < len(joined) and joined[at] == best
                merged.append(best if join else tokens[at])
                at += 2 if join else 1
            tokens = merged
        return tokens

    def _join(self, pair: tuple[int, int]) -> int:
        key = pair[0] << 32 | pair[1]
        at = bisect.bisect_left(self._pairs, key)
        return self._ids[at] if at < len(self._pairs) and self._pairs[at] == key else _NO_MERGE


class _Pattern(Protocol):
    def findall(self, text: str) -> list[str]: ...


def load_tokenizer(directory: Path, config: TextConfig) -> TextTokenizer:
    """The tokenizer of a bundle.

    Raises:
        ModelError: its file is absent or damaged.
    """
    if config.tokenizer == "wordpiece":
        from c2v.encoder.text.wordpiece import WordPieceTokenizer

        return WordPieceTokenizer.load(directory, config)
    if config.tokenizer == "json":
        from c2v.encoder.text.json_tokenizer import JsonTokenizer

        return JsonTokenizer.load(directory, config)
    path = directory / MERGES_NAME
    merges = read_tensors(path)
    if set(merges) != {"pairs", "ids"} or merges["pairs"].shape != merges["ids"].shape:
        raise ModelError(f"{path} does not hold a table of merges")
    return ClipTokenizer(merges["pairs"], merges["ids"], config)


def byte_ids() -> list[int]:
    """Id of each byte inside a word: printable characters first, then the rest in order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    order = printable + [byte for byte in range(256) if byte not in set(printable)]
    ids = [0] * 256
    for index, byte in enumerate(order):
        ids[byte] = index
    return ids


def merge_table(merges: NDArray[np.integer[Any]]) -> dict[str, NDArray[Any]]:
    """The tensors of :data:`MERGES_NAME` from the ids that each merge joins [M, 2], best first."""
    left, right = merges.astype(np.uint64).T
    pairs = left << np.uint64(32) | right
    order = np.argsort(pairs)
    return {"pairs": pairs[order], "ids": (order + 512).astype(np.int32)}

"""Words to subword ids over memory-mapped tables: SentencePiece's unigrams and byte pairs.

A vocabulary of a quarter of a million pieces takes the ``tokenizers`` library two seconds and
380 MB to load; a question has ten words. Here the pieces lie sorted in a file, and those that a
word could begin with are looked up there. The ids are the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Tables = Mapping[str, NDArray[Any]]
_UNKNOWN_PENALTY = 10.0  # below the worst piece, as SentencePiece has it
_CACHED_WORDS = 1 << 16


class Subwords(Protocol):
    """The model of a tokenizer."""

    def ids(self, word: str) -> list[int]:
        """The ids of one word as the pre-tokenizer gives it."""
        ...


class Pieces:
    """Which strings are pieces, and their ids: a sorted table that stays on the disk."""

    def __init__(self, tables: Tables) -> None:
        """``bytes`` [B] of all pieces one after another, sorted; ``ends`` [P]; ``ids`` [P]."""
        self._bytes = memoryview(tables["bytes"].data)
        self._ends = memoryview(tables["ends"].data)
        self._ids = memoryview(tables["ids"].data)
        self.longest = int(tables["longest"][0])  # bytes

    def find(self, piece: bytes) -> int | None:
        """The id of a piece, None of anything else."""
        at = self._place(piece, 0)
        return self._ids[at] if at < len(self._ids) and self._piece(at) == piece else None

    def beginnings(self, text: bytes) -> list[tuple[int, int]]:
        """Length in bytes and id of each piece that ``text`` begins with, the short ones first."""
        found, low = [], 0
        for length in range(1, min(len(text), self.longest) + 1):
            start = text[:length]
            low = self._place(start, low)
            piece = self._piece(low) if low < len(self._ids) else b""
            if piece == start:
                found.append((length, self._ids[low]))
            elif not piece.startswith(start):
                break  # no piece goes on like this
        return found

    def _place(self, piece: bytes, low: int) -> int:
        """Where a piece stands, or would stand, from ``low`` on."""
        high = len(self._ids)
        while low < high:
            middle = (low + high) // 2
            if self._piece(middle) < piece:
                low = middle + 1
            else:
                high = middle
        return low

    def _piece(self, at: int) -> bytes:
        return bytes(self._bytes[self._ends[at - 1] if at else 0 : self._ends[at]])


class Unigram:
    """The division of a word whose pieces have the greatest sum of log probabilities.

    Source: Kudo 2018, as SentencePiece computes it: a character that no piece covers is unknown,
    and so is a run of them.
    """

    def __init__(self, tables: Tables) -> None:
        """``scores`` [ids] and ``unknown`` [1] beside the tables of :class:`Pieces`."""
        self._pieces = Pieces(tables)
        self._scores = memoryview(tables["scores"].data)
        self._unknown = int(tables["unknown"][0])
        self._unknown_score = float(tables["worst"][0]) - _UNKNOWN_PENALTY
        self._words: dict[str, list[int]] = {}

    def ids(self, word: str) -> list[int]:
        """The ids of one word."""
        known = self._words.get(word)
        if known is None:
            known = self._divide(word)
            if len(self._words) < _CACHED_WORDS:
                self._words[word] = known
        return known

    def _divide(self, word: str) -> list[int]:
        text = word.encode()
        best: list[tuple[float, int, int] | None] = [None] * (len(text) + 1)  # score, from, id
        at = 0
        for char in word:
            size = len(char.encode())
            here = best[at]
            so_far = here[0] if here else 0.0
            beginnings = self._pieces.beginnings(text[at : at + self._pieces.longest])
            options = [(length, float(self._scores[piece]), piece) for length, piece in beginnings]
            if not any(length == size for length, _ in beginnings):
                options.append((size, self._unknown_score, self._unknown))
            for length, score, piece in options:
                rival = best[at + length]
                if rival is None or score + so_far > rival[0]:
                    best[at + length] = (score + so_far, at, piece)
            at += size
        return self._trace(best)

    def _trace(self, best: list[tuple[float, int, int] | None]) -> list[int]:
        """The ids from the last node back to the first, runs of unknown ones as one."""
        found: list[int] = []
        at = len(best) - 1
        while at > 0:
            node = best[at]
            assert node is not None  # every character is at least unknown
            _, at, piece = node
            if not (piece == self._unknown and found and found[-1] == piece):
                found.append(piece)
        return found[::-1]


class BytePairs:
    """Characters joined pair by pair, the pair of lowest rank first, the leftmost of equals.

    Source: Sennrich et al. 2016. A character that is no piece becomes its bytes where these are
    pieces, else it is unknown, and so is a run of them.
    """

    def __init__(self, tables: Tables) -> None:
        """``pairs`` (sorted [M], left id * 2^32 + right id), ``ranks`` and ``joined`` [M],
        ``bytes_ids`` [256] or [0] and ``unknown`` [1] beside the tables of :class:`Pieces`."""
        self._pieces = Pieces(tables)
        self._pairs = tables["pairs"]
        self._ranks = memoryview(tables["ranks"].data)
        self._joined = memoryview(tables["joined"].data)
        self._bytes_ids = tables["byte_ids"].tolist()
        self._unknown = int(tables["unknown"][0])
        self._whole_first = bool(tables["whole_first"][0])
        self._words: dict[str, list[int]] = {}

    def ids(self, word: str) -> list[int]:
        """The ids of one word."""
        known = self._words.get(word)
        if known is None:
            whole = self._pieces.find(word.encode()) if self._whole_first else None
            known = self._join_all(self._symbols(word)) if whole is None else [whole]
            if len(self._words) < _CACHED_WORDS:
                self._words[word] = known
        return known

    def _symbols(self, word: str) -> list[int]:
        """One id a character, or its bytes', or one that is unknown for a run of them."""
        symbols: list[int] = []
        for char in word:
            raw = char.encode()
            piece = self._pieces.find(raw)
            if piece is not None:
                symbols.append(piece)
            elif self._bytes_ids:
                symbols += [self._bytes_ids[byte] for byte in raw]
            elif not symbols or symbols[-1] != self._unknown:
                symbols.append(self._unknown)
        return symbols

    def _join_all(self, symbols: list[int]) -> list[int]:
        before = [place - 1 for place in range(len(symbols))]
        behind = [place + 1 for place in range(len(symbols))]
        gone = [False] * len(symbols)
        queue: list[tuple[int, int, int, int]] = []  # rank, place, what stood there

        def offer(left: int) -> None:
            right = behind[left]
            if left < 0 or right >= len(symbols):
                return
            rank = self._rank(symbols[left], symbols[right])
            if rank is not None:
                heapq.heappush(
                    queue, (rank[0], left, symbols[left] << 32 | symbols[right], rank[1])
                )

        for place in range(len(symbols) - 1):
            offer(place)
        while queue:
            _, left, pair, joined = heapq.heappop(queue)
            right = behind[left]
            if gone[left] or right >= len(symbols) or symbols[left] << 32 | symbols[right] != pair:
                continue  # one of the two was joined meanwhile
            symbols[left] = joined
            gone[right] = True
            behind[left] = behind[right]
            if behind[right] < len(symbols):
                before[behind[right]] = left
            if before[left] >= 0:
                offer(before[left])
            offer(left)
        return [symbol for symbol, absent in zip(symbols, gone, strict=True) if not absent]

    def _rank(self, left: int, right: int) -> tuple[int, int] | None:
        """Rank of a pair and what it becomes."""
        key = np.uint64(left << 32 | right)
        at = int(self._pairs.searchsorted(key))
        if at < len(self._ranks) and self._pairs[at] == key:
            return self._ranks[at], self._joined[at]
        return None

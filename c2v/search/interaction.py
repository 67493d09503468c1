"""Words against frames: what the vectors propose, scored again by a head that compares them (wti).

The vectors of a library are means of frames, and the graph or the scan finds the nearest of them.
The first hundreds are then scored by their stored frames. All of an answer is on that one scale;
what is not scored again is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.search.results import WordFound

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.encoder.heads import Interaction, NumpyWti, Words
    from c2v.encoder.towers import TextFeatures
    from c2v.library import SegmentRow, Store

SCORED_AGAIN = 200
"""Segments of each question, at least."""
WHOLE = -1
"""The number of the word that stands for all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class AskedWords:
    """The words of a text as its tokens give them."""

    text: str
    words: Words
    numbers: tuple[int, ...]
    """[L]: which word of the text each token is of, or ``WHOLE``."""
    factor: float = 1.0
    """How much the text counts in a question of several parts."""


def asked_words(
    bundle: Bundle, texts: Sequence[str], features: TextFeatures
) -> list[tuple[AskedWords, ...]]:
    """For each text its words, where the head compares them with frames."""
    if not bundle.interacts:
        return [() for _ in texts]
    from c2v.encoder.heads import Words

    found: list[tuple[AskedWords, ...]] = []
    given = _head(bundle).words(features.tokens, features.mask)
    for text, words, weights in zip(texts, *given, strict=True):
        real = weights >= 0
        numbers = _numbers(bundle, text, int(real.sum()))
        found.append((AskedWords(text, Words(words[real], weights[real]), numbers),))
    return found


def _numbers(bundle: Bundle, text: str, count: int) -> tuple[int, ...]:
    """Which word each of ``count`` tokens is of: those of the words in order, then the end."""
    tokenizer = bundle.tokenizer
    ends = tokenizer.length("")
    each = [tokenizer.length(word) - ends for word in text.split()]
    numbers = [number for number, tokens in enumerate(each) for _ in range(tokens)]
    if sum(each) != tokenizer.length(text) - ends or count > len(numbers) + 1:
        return (WHOLE,) * count  # a tokenizer that looks across words, or has no words
    return (*numbers[: count - 1], WHOLE)


def _head(bundle: Bundle) -> NumpyWti:
    from c2v.encoder.heads import NumpyWti

    head = bundle.head
    assert isinstance(head, NumpyWti)
    return head


def put_together(
    each: Sequence[tuple[AskedWords, ...]], vectors: NDArray[np.float32]
) -> tuple[AskedWords, ...]:
    """Phrasings of one question, whose unit vectors [P, H] have a mean: of each its words."""
    if len(each) == 1:
        return each[0]
    length = float(np.linalg.norm(vectors.sum(axis=0)))
    return tuple(replace(asked, factor=1 / length) for words in each for asked in words)


class Scorer:
    """One question, and the segments that were scored for it."""

    def __init__(
        self,
        library: Store,
        bundle: Bundle,
        asked: Sequence[AskedWords],
        rest: NDArray[np.float32] | None,
        *,
        words: float = 1.0,
    ) -> None:
        """``rest`` [H]: of the question what is no words, as a vector; ``words``: how much is."""
        self._library, self._head = library, _head(bundle)
        self._asked, self._rest = asked, None
        if rest is not None or bundle.config.hubs is not None:
            given = np.zeros(bundle.head_dim, np.float32) if rest is None else rest
            self._rest = bundle.as_questions(given[None], [words])[0]  # [V]
        self._scores: dict[int, float] = {}
        self._places: dict[int, tuple[int, int]] = {}
        self._times: list[list[NDArray[np.float32]]] = []
        self._found: list[list[Interaction]] = []

    def scored(self, hits: Sequence[tuple[float, SegmentRow]]) -> list[tuple[float, SegmentRow]]:
        """Hits with their scores, best first; equal ones stay in their order."""
        self._score([row.segment_id for _, row in hits if row.segment_id not in self._scores])
        w = self._head.settings.center_weight
        found = [(w * cosine + (1 - w) * self._scores[row.segment_id], row) for cosine, row in hits]
        return sorted(found, key=lambda hit: -hit[0])

    def _score(self, ids: Sequence[int]) -> None:
        if not ids:
            return
        stored = self._library.features(ids)
        frames = [stored[key][1] for key in ids]
        found = [self._head.score(asked.words, frames) for asked in self._asked]
        scores = np.zeros(len(ids))
        for asked, one in zip(self._asked, found, strict=True):
            scores += asked.factor * one.scores
        if self._rest is not None:
            vectors = self._library.vectors(ids)
            scores += np.stack([vectors[key] for key in ids]) @ self._rest
        self._scores |= dict(zip(ids, scores.tolist(), strict=True))
        self._places |= {key: (len(self._found), row) for row, key in enumerate(ids)}
        self._times.append([stored[key][0] for key in ids])
        self._found.append(found)

    def words_of(self, segment_id: int) -> tuple[WordFound, ...]:
        """Which frame of a scored segment answers which word, in the order of the question."""
        part, row = self._places[segment_id]
        times = self._times[part][row]
        return tuple(
            _found(asked, number, times, interaction, row)
            for asked, interaction in zip(self._asked, self._found[part], strict=True)
            for number in sorted(set(asked.numbers), key=lambda n: (n == WHOLE, n))
        )


def _found(
    asked: AskedWords,
    number: int,
    times: NDArray[np.float32],
    interaction: Interaction,
    row: int,
) -> WordFound:
    """Of a word of several tokens, the frame of the one that counts most."""
    tokens = [place for place, own in enumerate(asked.numbers) if own == number]
    weights = asked.words.weights[tokens]
    best = tokens[int(np.argmax(weights))]
    return WordFound(
        "" if number == WHOLE else asked.text.split()[number],
        share=float(weights.sum()),
        seconds=float(times[interaction.nearest[row, best]]),
        cosine=float(interaction.cosines[row, best]),
    )

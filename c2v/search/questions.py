"""Many parts, one question: texts, pictures and clips as one vector of inner products.

The vector of a question is the sum of its parts' unit vectors, each times its weight, scaled to
unit length again; what is not wanted is subtracted with ``NOT_WEIGHT``, and what is looked at
counts ``SEEN_WEIGHT`` beside words. So a segment's score is the
weighted sum of what the parts alone would score, and every index answers such a question as it
answers a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.stretches import unit_rows
from c2v.errors import UsageError
from c2v.search.interaction import AskedWords
from c2v.search.ranking import Query

NOT_WEIGHT = 0.4
"""Of what is not wanted. Measured on 21 real clips and their captions, the runners-up of a caption
not wanted: with 0.25, 0.5 and 1.0 they fell in 74, 87 and 100 % of 54 cases, by 3, 7 and 13 places,
and the clip that was wanted stayed first in 94, 83 and 70 %."""
SEEN_WEIGHT = 0.5
"""Of a picture or a clip beside words that are wanted: a clip finds itself with 1.0, a sentence its
clip with 0.3. A clip and another one's caption had these two first in 51, 76 and 37 % of the pairs
with 1, 0.5 and 0.25 (21 real clips)."""
_WEIGHT = re.compile(r"(.*?)(?<!\\)\^(\d+(?:\.\d+)?|\.\d+)", re.DOTALL)
_MOST = 100.0


@dataclass(frozen=True, slots=True)
class Weighted:
    """A text, or a name of a file, and how much it counts.

    >>> Weighted.parse("red car^2"), Weighted.parse(r"2\\^8 bits")
    (Weighted(text='red car', weight=2.0), Weighted(text='2^8 bits', weight=1.0))
    """

    text: str
    weight: float = 1.0

    @classmethod
    def parse(cls, typed: str, *, option: str = "the QUERY") -> Weighted:
        """Read ``TEXT^NUMBER``; ``\\^`` is the character itself.

        Raises:
            UsageError: nothing is left, or the weight is none.
        """
        text, weight = typed, 1.0
        if found := _WEIGHT.fullmatch(typed.rstrip()):
            text, weight = found[1], float(found[2])
        text = text.replace("\\^", "^")
        if not text.strip():
            what = f"{option} is empty" if not typed.strip() else f"{option} {typed}: no words"
            raise UsageError(what, hint='c2v search "a dog catching a frisbee"')
        if not 0 < weight <= _MOST:
            raise UsageError(
                f"{option} {typed}: a weight is above 0 and at most {_MOST:g}",
                hint=f'for example "{text}^2"; write \\^ for the character itself',
            )
        return cls(text, weight)


def without_weight(typed: str) -> str:
    """The words of a text that is asked alone: then its weight changes nothing.

    Raises:
        UsageError: the weight is none.
    """
    return Weighted.parse(typed).text if "^" in typed else typed


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part of a question, and how much it counts; negative: it is not wanted."""

    query: Query
    weight: float = 1.0
    is_seen: bool = False
    """A picture or a clip, not words."""


def combine(label: str, parts: Sequence[Part]) -> Query:
    """All parts as one question; a single one stays what it is, to the bit.

    Raises:
        UsageError: nothing is wanted, or the parts cancel each other.
    """
    if not any(part.weight > 0 for part in parts):
        raise UsageError(
            "--not needs something to be taken from", hint='c2v search "a dog" --not "grass"'
        )
    if len(parts) == 1:
        return replace(parts[0].query, label=label)
    vector = np.zeros_like(parts[0].query.vector, dtype=np.float64)  # [H]
    feature = np.zeros_like(parts[0].query.feature, dtype=np.float64)
    has_words = any(part.weight > 0 and not part.is_seen for part in parts)
    told: list[tuple[str, float]] = []
    words = 0.0
    for part in parts:
        weight = part.weight * (1.0 if part.weight > 0 else NOT_WEIGHT)
        if part.is_seen and has_words:
            weight *= SEEN_WEIGHT
        told.append((part.query.label, weight))
        vector += weight * unit_rows(part.query.vector)
        words += weight * part.query.words
        feature += weight * unit_rows(part.query.feature)
    length = float(np.linalg.norm(vector))
    if length < 1e-3:
        raise UsageError(
            "the parts of the question cancel each other", hint="say something else in --not"
        )
    pictures = all(part.is_seen for part in parts)
    asked, rest = _again(parts, [weight for _, weight in told], length)
    return Query(
        label,
        unit_rows(vector),
        feature.astype(np.float32),
        pictures,
        tuple(told),
        words / length,
        asked,
        rest,
    )


def _again(
    parts: Sequence[Part], weights: Sequence[float], length: float
) -> tuple[tuple[AskedWords, ...], NDArray[np.float32] | None]:
    """Words and the rest of a question: scores of parts add up as their inner products do."""
    words = [
        replace(asked, factor=asked.factor * weight / length)
        for part, weight in zip(parts, weights, strict=True)
        for asked in part.query.asked
    ]
    others = [
        weight / length * unit_rows(part.query.vector)
        for part, weight in zip(parts, weights, strict=True)
        if not part.query.asked
    ]
    if not words or not others:
        return tuple(words), None
    rest: NDArray[np.float32] = np.stack(others).sum(axis=0).astype(np.float32)
    return tuple(words), rest

"""What a search answers with: plain data, rendered by whoever asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from c2v.library import Line
from c2v.search.sequences import ResultSequence


@dataclass(frozen=True, slots=True)
class Moment:
    """One place in one video. Times in seconds from the start of the video."""

    rank: int
    """From 1."""
    path: str
    score: float
    """The model's cosine, in [-1, 1]."""
    confidence: float
    """The probability, in [0, 1], that this is what was asked for."""
    start: float
    end: float
    best: float
    """Time of the sampled frame nearest to the query inside [start, end]."""
    duration: float
    """Of the whole video."""
    video_id: int = 0
    """Of the library; what is kept of an answer. Not in the JSON."""
    missing: bool = False
    """Nothing is found at the path now: the file was deleted or moved, or its drive is not there.
    Not in the JSON, which has no such moments."""
    said: Line | None = None
    """The line of its subtitles that was asked for."""

    def as_dict(self) -> dict[str, Any]:
        """One of the ``results`` in the JSON of ``c2v search``.

        >>> Moment(1, "/v/dog.mp4", 0.3123456789, 0.9, 0.0, 12.0, 3.5, 12.0).as_dict()["score"]
        0.312346
        """
        row: dict[str, Any] = {
            "rank": self.rank,
            "path": self.path,
            "score": round(self.score, 6),
            "confidence": round(self.confidence, 4),
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "best": round(self.best, 3),
            "duration": round(self.duration, 3),
        }
        if self.said is not None:
            row["said"] = {
                "text": self.said.text,
                "start": round(self.said.start_seconds, 3),
                "end": round(self.said.end_seconds, 3),
            }
        return row


@dataclass(frozen=True, slots=True)
class WordFound:
    """Which frame of a moment answers a word of the question."""

    word: str
    """Empty for the text as a whole."""
    share: float
    """How much of the score the word is asked for, of all words 1."""
    seconds: float
    """Time of the frame that shows it best."""
    cosine: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an answer came about."""

    parts: tuple[tuple[str, float], ...]
    """What was asked for, and how much each part of it counted."""
    compared: int
    """How many segments the question was compared with."""
    slope: float
    offset: float
    """confidence = 1 / (1 + exp(-(slope * score + offset)))."""
    words: tuple[tuple[WordFound, ...], ...] = ()
    """Of each result, where the encoder compares words with frames."""

    def lines(self, strategy: str, bar: float) -> list[str]:
        """In words, for a ``strategy`` of the index and the ``bar`` of a match.

        >>> Explanation((("a dog", 1.0), ("grass", -0.4)), 58, 8.0, -3.2).lines("exact", 0.5)[0]
        'question: a dog x 1, grass x -0.4'
        """
        way = {"exact": "each of them", "hnsw": "those that the graph leads to"}.get(strategy, "")
        formula = f"1 / (1 + exp(-({self.slope:.2f} x score {self.offset:+.2f})))"
        found = [
            "question: " + ", ".join(f"{text} x {weight:g}" for text, weight in self.parts),
            f"compared with {self.compared:,} segments: {strategy}, {way}",
            f"score: {self._score}; confidence: {formula}",
        ]
        if 0 < bar < 1 and self.slope > 0:
            needed = (math.log(bar / (1 - bar)) - self.offset) / self.slope
            found.append(f"a match from confidence {bar:g}, here a score of {needed:.3f}")
        return found

    @property
    def _score(self) -> str:
        if not self.words:
            return "cosine with the vector of a segment"
        return "half of how well frames answer words, and words frames"


@dataclass(frozen=True, slots=True)
class Answer(ResultSequence[Moment]):
    """The ranked moments for one query, as a sequence, and how they were found.

    >>> moment = Moment(1, "/v/dog.mp4", 0.31, 0.9, 0.0, 12.0, 3.5, 12.0)
    >>> answer = Answer("a dog", "mini", "/libraries/family", "exact", 1.5, (moment,))
    >>> [(found.path, found.best) for found in answer], len(answer), answer.matched
    ([('/v/dog.mp4', 3.5)], 1, True)
    """

    query: str
    model: str
    library: str
    strategy: str
    """``exact`` or ``hnsw``: which of the two ranked the segments; ``said`` where words alone were
    asked for."""
    elapsed_ms: float
    """Of the ranking; for queries that were ranked together, the share of each."""
    results: tuple[Moment, ...]
    left_out: tuple[str, ...] = ()
    """Paths of videos of which segments were left out, because what is stored is damaged."""
    passed: int | None = None
    """How many videos passed the filters; None where there was none."""
    videos: int | None = None
    """Of how many in the library."""
    bar: float = 0.5
    """The confidence from which a moment counts as a match; 0 where a score was asked for."""
    explanation: Explanation | None = None
    """Not in the JSON; None where words alone were asked for."""

    @property
    def matched(self) -> bool:
        """Whether anything here matches the question."""
        return any(moment.confidence >= self.bar for moment in self.results)

    @property
    def matching(self) -> tuple[Moment, ...]:
        """The moments that match; all that are here are the answer itself."""
        return tuple(moment for moment in self.results if moment.confidence >= self.bar)

    def shown(self, *, all_rows: bool) -> tuple[Moment, ...]:
        """What people see of it: the moments that match, or every one."""
        return self.results if all_rows else self.matching

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v search``: without moments whose file is missing.

        Whoever reads it opens the files. The ranks are those of this sequence.
        """
        return {
            "query": self.query,
            "model": self.model,
            "library": self.library,
            "strategy": self.strategy,
            "elapsed_ms": round(self.elapsed_ms, 3),
            "matched": self.matched,
            "results": [moment.as_dict() for moment in self.results if not moment.missing],
        }

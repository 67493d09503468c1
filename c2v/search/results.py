"""What a search answers with: plain data, rendered by whoever asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """One place in one video. Times in seconds from the start of the video."""

    rank: int
    """From 1."""
    path: str
    score: float
    """The model's cosine, in [-1, 1]."""
    start: float
    end: float
    best: float
    """Time of the sampled frame nearest to the query inside [start, end]."""
    duration: float
    """Of the whole video."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The ranked moments for one query and how they were found."""

    query: str
    model: str
    library: str
    strategy: str
    """``exact`` or ``hnsw``: which of the two ranked the segments."""
    elapsed_ms: float
    """Of the ranking; for queries that were ranked together, the share of each."""
    results: tuple[Moment, ...]

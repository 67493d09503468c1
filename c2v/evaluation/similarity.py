"""Scores of texts with videos, as a matrix: the best segment of each video counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.encoder.heads import NumpyWti
from c2v.evaluation.published_videos import Candidates
from c2v.evaluation.stored import TEXTS_AT_ONCE, by_length

_SCORES_AT_ONCE = 1 << 26
"""Scores of texts with segments at a time: 256 MB."""


def similarity_matrix(
    texts: NDArray[np.float32],
    vectors: NDArray[np.float32],
    column: NDArray[np.int64],
    videos: int,
) -> NDArray[np.float32]:
    """The score of the best segment of each video: [N, V], [S, V], [S] -> [N, videos]."""
    best = _BestSegments(vectors, column, videos)
    similarity = np.empty((len(texts), videos), np.float32)
    step = max(1, _SCORES_AT_ONCE // max(1, len(vectors)))
    for first in range(0, len(texts), step):
        scores = texts[first : first + step] @ best.vectors.T  # [n, S]
        similarity[first : first + step] = best.of(scores)
    return similarity


def interaction_matrix(
    bundle: Bundle,
    texts: Sequence[str],
    candidates: Candidates,
    *,
    most_tokens: int | None = None,
) -> NDArray[np.float32]:
    """The same of an encoder that compares words with frames: [N, videos]."""
    head = bundle.head
    assert isinstance(head, NumpyWti)
    best = _BestSegments(candidates.vectors, candidates.column, len(candidates.paths))
    frames = [candidates.frames[row] for row in best.order]
    similarity = np.empty((len(texts), len(candidates.paths)), np.float32)
    bias = best.vectors @ bundle.as_questions(np.zeros((1, bundle.head_dim), np.float32))[0]
    w = np.float32(head.settings.center_weight)
    order = by_length(texts)
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        places = order[first : first + TEXTS_AT_ONCE]
        stage1 = bundle.encode_text([texts[place] for place in places], most_tokens=most_tokens)
        words, weights = head.words(stage1.tokens, stage1.mask)
        scores = (1 - w) * (head.score_all(words, weights, frames) + bias)
        if w:
            asked = bundle.as_questions(head.embed_text(stage1.tokens, stage1.mask))
            scores += w * (asked @ best.vectors.T)
        similarity[places] = best.of(scores)
    return similarity


class _BestSegments:
    """Segments in the order of their videos; ``column`` [S] is the number of each one's video."""

    def __init__(
        self, vectors: NDArray[np.float32], column: NDArray[np.int64], videos: int
    ) -> None:
        self.order = np.argsort(column, kind="stable")
        self.vectors = vectors[self.order]
        self._videos = videos
        self._shown, self._starts = np.unique(column[self.order], return_index=True)
        self._copies, self._originals = _copies(self.vectors)

    def of(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores [n, S] in that order to those of the best segment of each video, [n, videos]."""
        # A matrix product may round a column otherwise at its edge: copies must tie to the bit.
        scores[:, self._copies] = scores[:, self._originals]
        found = np.full((len(scores), self._videos), -np.inf, np.float32)
        found[:, self._shown] = np.maximum.reduceat(scores, self._starts, axis=1)
        return found


def _copies(vectors: NDArray[np.float32]) -> tuple[list[int], list[int]]:
    """Rows that equal an earlier one, and the first such row of each."""
    seen: dict[bytes, int] = {}
    first = [seen.setdefault(vector.tobytes(), row) for row, vector in enumerate(vectors)]
    copies = [row for row, original in enumerate(first) if original != row]
    return copies, [first[row] for row in copies]

"""One query against one library: rank segments, group them by video, find the best frame."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from c2v.config import Strategy
from c2v.encoder.bundle import Bundle
from c2v.errors import DamagedRowsError
from c2v.files.presence import Presence
from c2v.library import Filter, SegmentRow, Store
from c2v.search.results import Answer, Moment

Ranked = list[tuple[float, SegmentRow]]
"""Scores and segments, best first."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A question in the two spaces of a bundle."""

    label: str
    vector: NDArray[np.float32]
    """[V] unit length: compared with the vectors of segments."""
    feature: NDArray[np.float32]
    """[D] in the space of frame features, any length: finds the frame inside a segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What of the ranking is wanted."""

    top: int = 10
    moments: bool = False
    """Every matching segment, instead of the best one of each video."""
    where: Filter = Filter()
    """Which videos may be found."""
    on_unmatched: Callable[[str], None] | None = None
    """Told each path or pattern of ``where`` that means no video."""
    min_score: float | None = None
    strategy: Strategy = "auto"
    rerank: int = 0
    """How many of the first results the head scores again pair by pair (tightTransf only)."""
    missing: bool = True
    """Also moments of files that are not there now, marked as such; else the next ones that are."""
    presence: Presence = field(default_factory=Presence)
    """Knows which files are there."""
    on_missing: Callable[[str], None] | None = None
    """Told each path that was passed over because its file is missing."""


def text_queries(bundle: Bundle, texts: Sequence[str]) -> list[Query]:
    """Embed texts for a search; one run of the text tower for all of them."""
    stage1 = bundle.encode_text(texts)
    vectors = bundle.head.embed_text(stage1.tokens, stage1.mask)
    return [
        Query(text, vector, feature)
        for text, vector, feature in zip(texts, vectors, stage1.pooled(), strict=True)
    ]


def video_query(label: str, features: NDArray[np.float16], vector: NDArray[np.float32]) -> Query:
    """A query out of a clip: its head vector [V] and its frame features [T, D]."""
    return Query(label, vector, _unit(features.astype(np.float32)).mean(axis=0))


def find(library: Store, bundle: Bundle, query: Query, options: SearchOptions) -> Answer:
    """The best moments of ``library`` for ``query``."""
    return find_all(library, bundle, [query], options)[0]


def find_all(
    library: Store, bundle: Bundle, queries: Sequence[Query], options: SearchOptions
) -> list[Answer]:
    """The best moments for each of some queries, ranked together: one pass over the vectors.

    The answers are those of :func:`find`; ``elapsed_ms`` is each query's share of the time.
    """
    started = time.perf_counter()
    with library.snapshot():
        if options.where.paths:
            from c2v.search.unmatched import unmatched

            for pattern in unmatched(library, options.where) if options.on_unmatched else ():
                options.on_unmatched(pattern)  # type: ignore[misc]
        left_out: set[int] = set()
        while True:
            try:
                answers = _answers(library, bundle, queries, options)
                break
            except DamagedRowsError as error:
                if left_out.issuperset(error.segment_ids):
                    raise  # leaving them out would not help
                left_out.update(error.segment_ids)
                library.leave_out(error.segment_ids)
    share = (time.perf_counter() - started) * 1e3 / max(1, len(queries))
    return [dataclasses.replace(answer, elapsed_ms=share) for answer in answers]


def _answers(
    library: Store,
    bundle: Bundle,
    queries: Sequence[Query],
    options: SearchOptions,
) -> list[Answer]:
    """Rank, rerank and locate; DamagedRowsError where frames that are needed are not sound."""
    answers = []
    for query, (strategy, ranked) in zip(queries, _rank(library, queries, options), strict=True):
        if options.rerank:
            from c2v.search.rerank import rerank

            first = rerank(library, bundle, query.feature, ranked[: options.rerank])
            ranked = first + ranked[options.rerank :]
        results = _locate(library, query, ranked[: options.top])
        if options.missing:
            results = _marked(results, options.presence)
        answers.append(Answer(query.label, bundle.name, library.address, strategy, 0.0, results))
    return answers


def _rank(
    library: Store,
    queries: Sequence[Query],
    options: SearchOptions,
) -> list[tuple[str, Ranked]]:
    """For each query the strategy used and the segments to show, best first.

    How many segments are needed for ``top`` videos is not known before they are grouped: ask
    for a few times as many, and for more where too few videos came and more segments exist.
    (How many exist is not asked: SQLite counts a million rows in 30 ms.)
    """
    wanted = max(options.top, options.rerank)
    found: list[tuple[str, Ranked]] = [("exact", [])] * len(queries)
    count = wanted if options.moments else max(64, 4 * wanted)
    pending = list(range(len(queries)))
    while pending:
        vectors = np.stack([queries[place].vector for place in pending])
        nearest = library.nearest(vectors, count, strategy=options.strategy, where=options.where)
        exhausted = nearest.scores.shape[1] < count
        short = []
        for line, place in enumerate(pending):
            scores = nearest.scores[line]
            chosen = _choose(library, scores, nearest.segment_ids[line], options)
            if not options.missing:
                chosen = _there(chosen, wanted, options)
            found[place] = nearest.strategy, chosen[:wanted]
            beyond = options.min_score is not None and bool((scores < options.min_score).any())
            if len(chosen) < wanted and not beyond:
                short.append(place)
        pending = [] if exhausted else short
        count *= 4
    return found


def _choose(
    library: Store,
    scores: NDArray[np.float32],
    segment_ids: NDArray[np.int64],
    options: SearchOptions,
) -> Ranked:
    """Apply the score limit and, unless moments are wanted, keep each video's best segment."""
    rows = library.segment_rows(segment_ids)
    chosen: Ranked = []
    seen: set[int] = set()
    for score, segment_id in zip(scores.tolist(), segment_ids.tolist(), strict=True):
        row = rows[segment_id]
        if options.min_score is not None and score < options.min_score:
            break
        if not options.moments and row.video_id in seen:
            continue
        seen.add(row.video_id)
        chosen.append((score, row))
    return chosen


def _there(ranked: Ranked, wanted: int, options: SearchOptions) -> Ranked:
    """The first ``wanted`` whose files are there; no more of the disk is asked than that takes."""
    kept: Ranked = []
    for start in range(0, len(ranked), max(1, wanted)):
        part = ranked[start : start + wanted]
        gone = options.presence.missing(row.path for _, row in part)
        for score, row in part:
            if row.path not in gone:
                kept.append((score, row))
            elif options.on_missing is not None:
                options.on_missing(row.path)
        if len(kept) >= wanted:
            break
    return kept


def _marked(moments: tuple[Moment, ...], presence: Presence) -> tuple[Moment, ...]:
    """Those of missing files say so."""
    gone = presence.missing(moment.path for moment in moments)
    return tuple(
        dataclasses.replace(moment, missing=moment.path in gone) if gone else moment
        for moment in moments
    )


def _locate(library: Store, query: Query, ranked: Ranked) -> tuple[Moment, ...]:
    """Open the frame features of the chosen segments only, and find the frame nearest to it."""
    frames = library.features([row.segment_id for _, row in ranked])
    moments = []
    for rank, (score, row) in enumerate(ranked, start=1):
        times, features = frames[row.segment_id]
        nearest = int(np.argmax(_unit(features.astype(np.float32)) @ query.feature))
        moments.append(
            Moment(
                rank=rank,
                path=row.path,
                score=score,
                start=row.start_seconds,
                end=row.end_seconds,
                best=float(times[nearest]),
                duration=row.duration_seconds,
                video_id=row.video_id,
            )
        )
    return tuple(moments)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to unit length; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(
        vectors, norms, out=np.zeros_like(vectors), where=norms > 0
    )
    return unit

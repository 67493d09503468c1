"""One query against one library: rank segments, group them by video, find the best frame."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from c2v.config import Strategy, cache_dir
from c2v.encoder.bundle import Bundle
from c2v.encoder.bundle_config import QuestionConfig
from c2v.encoder.logits import pair_probability
from c2v.encoder.stretches import unit_rows
from c2v.errors import DamagedRowsError
from c2v.files.presence import Presence
from c2v.library import Filter, Store
from c2v.search.confidence import MATCH, Scale, clip_scale, text_scale
from c2v.search.interaction import SCORED_AGAIN, AskedWords, Scorer, asked_words, put_together
from c2v.search.moments import Place, Ranked, best_of_each, distinct, places
from c2v.search.phrasing import phrasings
from c2v.search.results import Answer, Explanation, Moment

_CANDIDATES = 64
"""Segments that are scored again for each sentence by which confidence is estimated."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A question in the two spaces of a bundle."""

    label: str
    vector: NDArray[np.float32]
    """[H] unit length: compared with the vectors of segments."""
    feature: NDArray[np.float32]
    """[D] in the space of frame features, any length: finds the frame inside a segment."""
    pictures: bool = False
    """It was made of pictures alone, which are closer to pictures than any text is."""
    parts: tuple[tuple[str, float], ...] = ()
    """Of a question of several parts, what each is and how much it counts."""
    words: float = 1.0
    """How much of it is text, which is how much the hub bias of a segment counts."""
    asked: tuple[AskedWords, ...] = ()
    """The words of its texts, where the head compares them with frames."""
    rest: NDArray[np.float32] | None = None
    """[H] of such a question what is no words: the part of ``vector`` that is to be added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What of the ranking is wanted."""

    top: int = 10
    moments: bool = False
    """Every matching moment, instead of the best one of each video; so it is in any case where
    all that matches is of one video."""
    where: Filter = Filter()
    """Which videos may be found."""
    without: frozenset[int] = frozenset()
    """Ids of videos that are not to be found: what was asked for itself, for instance."""
    on_unmatched: Callable[[str], None] | None = None
    """Told each path or pattern of ``where`` that means no video."""
    min_score: float | None = None
    strategy: Strategy = "auto"
    rerank: int = 0
    """How many of the first results the head scores again pair by pair (tightTransf); how many
    segments it scores at least (wti)."""
    missing: bool = True
    """Also moments of files that are not there now, marked as such; else the next ones that are."""
    presence: Presence = field(default_factory=Presence)
    """Knows which files are there."""
    on_missing: Callable[[str], None] | None = None
    """Told each path that was passed over because its file is missing."""


def text_queries(bundle: Bundle, texts: Sequence[str]) -> list[Query]:
    """Embed texts for a search; one run of the text tower for all of them."""
    return put_queries(bundle, texts, bundle.config.questions)


def put_queries(bundle: Bundle, texts: Sequence[str], how: QuestionConfig | None) -> list[Query]:
    """Texts put to the text tower in a way that may be another than the encoder's own."""
    put = [phrasings(text, how) for text in texts]
    stage1 = bundle.encode_text([phrase for phrases in put for phrase in phrases])
    vectors = bundle.head.embed_text(stage1.tokens, stage1.mask)
    features = stage1.pooled()
    words = asked_words(bundle, [phrase for phrases in put for phrase in phrases], stage1)
    queries = []
    first = 0
    for text, phrases in zip(texts, put, strict=True):
        rows = slice(first, first + len(phrases))
        first += len(phrases)
        asked = put_together(words[rows], vectors[rows])
        queries.append(Query(text, _mean(vectors[rows]), _mean(features[rows]), asked=asked))
    return queries


def _mean(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean direction of phrasings [P, N]; of one alone it is that one, to the bit."""
    if len(rows) == 1:
        return np.asarray(rows[0])
    return unit_rows(unit_rows(rows).mean(axis=0))


def video_query(label: str, features: NDArray[np.float16], vector: NDArray[np.float32]) -> Query:
    """A query out of a clip: its head vector [H] and its frame features [T, D]."""
    return Query(label, vector, unit_rows(features).mean(axis=0), pictures=True, words=0.0)


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
    bar = MATCH if options.min_score is None else 0.0
    scorers = [_scorer(library, bundle, query) for query in queries]
    found = _rank(library, bundle, queries, scorers, options)
    for query, scorer, one in zip(queries, scorers, found, strict=True):
        strategy, ranked, moments, among = one
        if options.rerank and scorer is None:
            from c2v.search.rerank import rerank

            first = rerank(library, bundle, query.feature, ranked[: options.rerank])
            ranked = first + ranked[options.rerank :]
        scale = scale_of(library, bundle, query, among)
        here = places(library, query.feature, ranked, top=options.top, join=moments)
        results = tuple(_moment(rank, place, scale) for rank, place in enumerate(here, start=1))
        if options.missing:
            results = _marked(results, options.presence)
        answers.append(
            Answer(
                query.label,
                bundle.name,
                library.address,
                strategy,
                0.0,
                results,
                bar=bar,
                explanation=Explanation(
                    query.parts or ((query.label, 1.0),),
                    among,
                    scale.slope,
                    scale.offset,
                    tuple(scorer.words_of(p.row.segment_id) for p in here) if scorer else (),
                ),
            )
        )
    return answers


def _scorer(library: Store, bundle: Bundle, query: Query) -> Scorer | None:
    """What scores the first hits again, where the head and the question have words."""
    if not query.asked:
        return None
    return Scorer(library, bundle, query.asked, query.rest, words=query.words)


def _rank(
    library: Store,
    bundle: Bundle,
    queries: Sequence[Query],
    scorers: Sequence[Scorer | None],
    options: SearchOptions,
) -> list[tuple[str, Ranked, bool, int]]:
    """For each query the strategy used, the hits (best first), whether moments are wanted, and
    among how many segments the hits were found.

    How many segments are needed for ``top`` videos or moments is not known before they are
    grouped: ask for a few times as many, and for more where too few came and more segments exist.
    (How many exist is not asked: SQLite counts a million rows in 30 ms.)
    """
    again = any(scorers)
    wanted = options.top if again else max(options.top, options.rerank)
    found: list[tuple[str, Ranked, bool, int]] = [("exact", [], False, 0)] * len(queries)
    count = max(64, 4 * wanted, options.rerank or SCORED_AGAIN if again else 0)
    pending = list(range(len(queries)))
    while pending:
        asked = [queries[place] for place in pending]
        vectors = np.stack([query.vector for query in asked])
        questions = bundle.as_questions(vectors, [query.words for query in asked])  # [Q, V]
        nearest = library.nearest(questions, count, strategy=options.strategy, where=options.where)
        exhausted = nearest.scores.shape[1] < count
        short = []
        for line, place in enumerate(pending):
            scores = nearest.scores[line]
            hits = _hits(library, scores, nearest.segment_ids[line], options, scorers[place])
            complete = exhausted or len(hits) < len(scores)
            hits = [(score, row) for score, row in hits if row.video_id not in options.without]
            videos = best_of_each(hits)
            if not options.missing:
                videos = _there(videos, wanted, options)
            moments = options.moments or (complete and len(videos) == 1)
            if moments:
                shown = {row.video_id for _, row in videos}
                hits = [(score, row) for score, row in hits if row.video_id in shown]
            ranked = hits if moments else videos[:wanted]
            found[place] = nearest.strategy, ranked, moments, nearest.among
            if (distinct(hits) if moments else len(videos)) < wanted and not complete:
                short.append(place)
        pending = [] if exhausted else short
        count *= 4
    return found


def _hits(
    library: Store,
    scores: NDArray[np.float32],
    segment_ids: NDArray[np.int64],
    options: SearchOptions,
    scorer: Scorer | None,
) -> Ranked:
    """Segments with their scores, down to the limit."""
    least = options.min_score
    kept = len(scores) if least is None or scorer else int((scores >= least).sum())
    rows = library.segment_rows(segment_ids[:kept])
    hits = [
        (score, rows[segment_id])
        for score, segment_id in zip(
            scores[:kept].tolist(), segment_ids[:kept].tolist(), strict=True
        )
    ]
    if scorer is None:
        return hits
    return [hit for hit in scorer.scored(hits) if least is None or hit[0] >= least]


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


def scale_of(library: Store, bundle: Bundle, query: Query, among: int) -> Scale:
    """What makes confidences of the scores of a question; ``among`` segments were compared."""
    calibration = bundle.config.calibration
    if calibration is None:
        own = query.pictures or query.asked  # what the tower learnt is of other scores
        learnt = None if own else pair_probability(bundle.directory, bundle.config)
        if learnt is not None:
            return Scale(learnt.scale, learnt.bias or 0.0)
        from c2v.search.estimating import estimated_scale

        folder = cache_dir() / "calibration"

        def best_of(texts: Sequence[str]) -> NDArray[np.float32]:
            return _best_scores(library, bundle, text_queries(bundle, texts))

        return estimated_scale(
            library,
            bundle,
            among=among,
            pictures=query.pictures,
            folder=folder,
            best_of=best_of if bundle.interacts else None,
        )
    if query.pictures:
        return clip_scale(calibration)
    return text_scale(calibration, query.vector, among)


def _best_scores(library: Store, bundle: Bundle, queries: Sequence[Query]) -> NDArray[np.float32]:
    """The score of the best of the nearest segments for each of some questions: [Q]."""
    scorers = [_scorer(library, bundle, query) for query in queries]
    found = _rank(library, bundle, queries, scorers, SearchOptions(top=1, rerank=_CANDIDATES))
    return np.asarray([ranked[0][0] for _, ranked, _, _ in found], np.float32)


def _moment(rank: int, place: Place, scale: Scale) -> Moment:
    return Moment(
        rank=rank,
        path=place.row.path,
        score=place.score,
        confidence=scale.confidence(place.score),
        start=place.start,
        end=place.end,
        best=place.best,
        duration=place.row.duration_seconds,
        video_id=place.row.video_id,
    )

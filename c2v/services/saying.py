"""Searches in subtitles: words alone, or together with what is seen.

Words alone are the whole question: their lines are ranked by BM25, no encoder is loaded. Beside a
picture or a sentence they are a filter: what is seen ranks, among the segments near such a line.
Two scores of such different kinds have no sum that means anything, and whoever remembers words
wants moments with them; so nothing is found that was not said, whatever it looks like.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from c2v.library import Filter
from c2v.library.refusals import model_of
from c2v.search.results import Answer, Moment
from c2v.search.said import best_lines, moment_of, moved_to_line
from c2v.search.unmatched import unmatched

if TYPE_CHECKING:
    from c2v.library import SaidLine, Store
    from c2v.search.ranking import SearchOptions
    from c2v.services.workspace import Workspace

_LINES_OF_A_VIDEO = 10_000


def answer_in_lines(space: Workspace, text: str, options: SearchOptions) -> Answer:
    """The moments at which it is said, the best line first.

    Raises:
        LibraryError: there is nothing in the library, or its lines cannot be asked for.
    """
    store = space.store
    started = time.perf_counter()
    others = dataclasses.replace(options.where, said=())
    for pattern in unmatched(store, others) if others.paths and options.on_unmatched else ():
        options.on_unmatched(pattern)  # type: ignore[misc]
    with store.snapshot():
        model = model_of(store)
        lines = _best(store, options)
        passed = (None, None) if others.is_open else store.passing(others)
    found = _marked([moment_of(rank, line) for rank, line in enumerate(lines, start=1)], options)
    if not found and not store.counts().lines:
        space.notice_once(
            "this library holds no subtitles; c2v index PATH reads those that are there"
        )
    return Answer(
        query=text,
        model=model.name,
        library=store.address,
        strategy="said",
        elapsed_ms=(time.perf_counter() - started) * 1e3,
        results=found,
        passed=passed[0],
        videos=passed[1],
    )


def _marked(moments: Sequence[Moment], options: SearchOptions) -> tuple[Moment, ...]:
    """Those of missing files say so."""
    gone = options.presence.missing(moment.path for moment in moments) if options.missing else ()
    return tuple(
        dataclasses.replace(moment, missing=True) if moment.path in gone else moment
        for moment in moments
    )


def _best(library: Store, options: SearchOptions) -> list[SaidLine]:
    """So many lines as there are to be results; more are asked for until these are enough."""
    limit = 4 * options.top
    while True:
        lines = library.said(options.where, limit=limit)
        found = best_lines(lines, moments=options.moments)
        if not options.missing:
            found = _there(found, options)
        if len(found) >= options.top or len(lines) < limit:
            return found[: options.top]
        limit *= 4


def _there(lines: Sequence[SaidLine], options: SearchOptions) -> list[SaidLine]:
    gone = options.presence.missing(line.path for line in lines)
    tell: Callable[[str], None] = options.on_missing or (lambda _path: None)
    for path in dict.fromkeys(line.path for line in lines if line.path in gone):
        tell(path)
    return [line for line in lines if line.path not in gone]


def with_lines(library: Store, where: Filter, answers: Sequence[Answer]) -> list[Answer]:
    """Answers whose moments are near a line, and say which it is."""
    ids = sorted({moment.video_id for answer in answers for moment in answer})
    lines: dict[int, list[SaidLine]] = {}
    for one in library.said(where, limit=_LINES_OF_A_VIDEO * max(1, len(ids)), video_ids=ids):
        lines.setdefault(one.video_id, []).append(one)

    return [
        dataclasses.replace(
            answer,
            results=tuple(moved_to_line(one, lines.get(one.video_id, ())) for one in answer),
        )
        for answer in answers
    ]

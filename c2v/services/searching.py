"""A question to the library, and what stands beside its answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from c2v.search.ranking import Query, SearchOptions, find_all, text_queries
from c2v.services.remarks import remarks
from c2v.services.telling import tell_of_missing
from c2v.services.wanted import Wanted, options_of
from c2v.services.workspace import Workspace

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.search.results import Answer


def search_one(space: Workspace, query: str | None, wanted: Wanted) -> Answer:
    """The answer to one question; the vectors of its texts may come out of the cache."""
    from c2v.services.asking import has_other_parts, question_of

    said = wanted.get("said")
    if query is None and said is not None and not has_other_parts(wanted):
        return _said_alone(space, said, wanted)
    bundle = space.encoder()
    question = question_of(space, bundle, query, wanted)
    return answers_to(space, bundle, [question], wanted)[0]


def _said_alone(space: Workspace, said: str, wanted: Wanted) -> Answer:
    from c2v.services.saying import answer_in_lines

    gone: list[str] = []
    options = ranking_options(space, wanted, on_missing=gone.append)
    answer = answer_in_lines(space, said, options)
    tell_of_missing(space.telling, space.presence, gone, library=space.store.address)
    return answer


def search_texts(space: Workspace, queries: Sequence[str], wanted: Wanted) -> list[Answer]:
    """The answers to some sentences, embedded and ranked together; each with the other parts."""
    from c2v.search.questions import without_weight
    from c2v.services.asking import has_other_parts, questions_of

    if isinstance(queries, str):
        raise TypeError("search_many takes a list of texts, got one text")
    bundle = space.encoder()
    if not queries:
        return []
    if has_other_parts(wanted):
        questions = questions_of(space, bundle, queries, wanted)
    else:
        questions = text_queries(bundle, [without_weight(query) for query in queries])
    return answers_to(space, bundle, questions, wanted)


def ranking_options(
    space: Workspace, wanted: Wanted, *, on_missing: Callable[[str], None]
) -> SearchOptions:
    """What is wanted of a ranking; paths that mean no video are told once."""
    telling = space.telling

    def unmatched(pattern: str) -> None:
        telling.once(telling.problem, f"--in {pattern}: no video of the library is there")

    return options_of(
        wanted,
        space.settings.strategy,
        presence=space.presence,
        on_unmatched=unmatched,
        on_missing=on_missing,
    )


def answers_to(
    space: Workspace, bundle: Bundle, queries: Sequence[Query], wanted: Wanted
) -> list[Answer]:
    """The answers to questions that are vectors; what else is to be known is told once."""
    store, telling = space.store, space.telling
    for query in queries:
        for line in () if query.pictures else remarks(bundle, query.label):
            space.notice_once(line)
    gone: list[str] = []
    options = ranking_options(space, wanted, on_missing=gone.append)
    answers = find_all(store, bundle, queries, options)
    if options.where.said:
        from c2v.services.saying import with_lines

        answers = with_lines(store, options.where, answers)
    tell_of_missing(telling, space.presence, gone, library=store.address)
    if not options.where.is_open:
        passed, videos = store.passing(options.where)
        answers = [dataclasses.replace(one, passed=passed, videos=videos) for one in answers]
    if damaged := tuple(store.left_out()):
        answers = [dataclasses.replace(answer, left_out=damaged) for answer in answers]
    if reason := store.graph_not_kept():
        telling.once(telling.problem, f"the HNSW graph could not be saved in {reason}")
    space.notice_once(store.slower_because)
    return answers

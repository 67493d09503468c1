"""A question to the library, and what stands beside its answer."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from c2v.config import cache_dir
from c2v.errors import UsageError
from c2v.search.ranking import Query, find_all, text_queries, video_query
from c2v.services.places import StrPath, expanded_path
from c2v.services.wanted import Wanted, options_of
from c2v.services.workspace import Workspace

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.search.results import Answer


def search_text(space: Workspace, query: str, wanted: Wanted) -> Answer:
    """The answer to one sentence; its vector may come out of the cache."""
    from c2v.search.text_cache import cached_query

    if not query.strip():
        raise UsageError("the QUERY is empty", hint='c2v search "a dog catching a frisbee"')
    bundle = space.encoder()
    question = cached_query(bundle, query, cache_dir() / "queries")
    return answers_to(space, bundle, [question], wanted)[0]


def search_texts(space: Workspace, queries: Sequence[str], wanted: Wanted) -> list[Answer]:
    """The answers to some sentences, embedded and ranked together."""
    if isinstance(queries, str):
        raise TypeError("search_many takes a list of texts, got one text")
    bundle = space.encoder()
    if not queries:
        return []
    return answers_to(space, bundle, text_queries(bundle, queries), wanted)


def search_video(space: Workspace, path: StrPath, wanted: Wanted) -> Answer:
    """The answer to a video."""
    from c2v.services.whole_videos import clip_of

    bundle = space.encoder()
    clip = clip_of(expanded_path(path), bundle, space.store, notice=space.notice_once)
    question = video_query(os.fspath(path), clip.features, clip.vector)
    return answers_to(space, bundle, [question], wanted)[0]


def answers_to(
    space: Workspace, bundle: Bundle, queries: Sequence[Query], wanted: Wanted
) -> list[Answer]:
    """The answers to questions that are vectors; what else is to be known is told once."""
    store, telling = space.store, space.telling

    def unmatched(pattern: str) -> None:
        telling.once(telling.problem, f"--in {pattern}: no video of the library is there")

    options = options_of(wanted, space.settings.strategy, on_unmatched=unmatched)
    answers = find_all(store, bundle, queries, options)
    if damaged := tuple(store.left_out()):
        answers = [dataclasses.replace(answer, left_out=damaged) for answer in answers]
    if reason := store.graph_not_kept():
        telling.once(telling.problem, f"the HNSW graph could not be saved in {reason}")
    space.notice_once(store.slower_because)
    return answers

"""Ranking, grouping and re-ranking on a small library made by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.bundle_config import HeadConfig
from c2v.encoder.heads import HeadSettings
from c2v.encoder.heads.initialise import random_head
from c2v.errors import UsageError
from c2v.indexing.reembedding import model_record
from c2v.library import Filter, NewVideo, SegmentData, Store, open_store
from c2v.search.ranking import SearchOptions, find, find_all, text_queries, video_query
from tests import toys

WIDTH = toys.TINY["embed_dim"]


def make_bundle(folder: Path, head: str) -> Bundle:
    settings = HeadSettings(type=head, feature_dim=WIDTH, layers=1, positions=20)  # type: ignore[arg-type]
    described = settings.as_dict()
    kind = described.pop("type")
    toys.write_bundle(
        folder,
        head,
        head=HeadConfig(kind, described),
        head_state=random_head(settings).state_dict() if head != "meanP" else {},
        vector_dim=settings.vector_dim,
    )
    return load_bundle(folder, device="cpu")


@pytest.fixture(params=["meanP", "tightTransf"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / request.param, request.param)


@pytest.fixture
def library(bundle: Bundle, tmp_path: Path) -> Iterator[Store]:
    """Six videos of one to three segments; frame features and vectors as the bundle makes them."""
    random = np.random.default_rng(0)
    made = open_store(tmp_path / "library", create=True)
    made.set_model(model_record(bundle))
    for number in range(6):
        segments = []
        for position in range(number % 3 + 1):
            features = random.standard_normal((5, WIDTH)).astype(np.float16)
            vector = bundle.embed_video(features[None], np.ones((1, 5), bool))[0]
            times = np.arange(5, dtype=np.float32) + 5 * position
            start = 5.0 * position
            segments.append(SegmentData(start, start + 5.0, times, features, vector))
        video = NewVideo(
            path=f"/films/{number}.mp4",
            size_bytes=1,
            mtime_ns=1,
            content_id=str(number),
            duration_seconds=5.0 * len(segments),
            width=1,
            height=1,
            codec="h264",
            sampling="auto",
        )
        made.put_video(video, segments)
    with made:
        yield made


def test_one_result_a_video_unless_moments(library: Store, bundle: Bundle) -> None:
    query = text_queries(bundle, ["a dog"])[0]
    grouped = find(library, bundle, query, SearchOptions(top=100)).results
    assert sorted(result.path for result in grouped) == [f"/films/{n}.mp4" for n in range(6)]
    every = find(library, bundle, query, SearchOptions(top=100, moments=True)).results
    assert 6 <= len(every) <= library.counts().segments == 12
    best: dict[str, float] = {}
    spans: dict[str, list[tuple[float, float]]] = {}
    for moment in every:
        best.setdefault(moment.path, moment.score)
        spans.setdefault(moment.path, []).append((moment.start, moment.end))
    for places in spans.values():  # no place is listed twice
        for one, following in pairwise(sorted(places)):
            assert one[1] <= following[0] + 1e-3
    assert {result.path: result.score for result in grouped} == best


def test_the_best_frame_is_the_nearest_one(library: Store, bundle: Bundle) -> None:
    query = text_queries(bundle, ["a dog"])[0]
    for moment in find(library, bundle, query, SearchOptions(top=100, moments=True)).results:
        assert moment.start <= moment.best <= moment.end
    row = library.segments_of([1])[1][0]
    times, features = library.features([row.segment_id])[row.segment_id]
    vector = library.vectors([row.segment_id])[row.segment_id]
    own = video_query("itself", features[3:4], vector)
    found = find(library, bundle, own, SearchOptions(top=1)).results[0]
    assert found.path == row.path
    assert found.best == times[3]


def test_limits(library: Store, bundle: Bundle) -> None:
    query = text_queries(bundle, ["a dog"])[0]
    results = find(library, bundle, query, SearchOptions(top=100)).results
    limit = results[2].score
    kept = find(library, bundle, query, SearchOptions(top=100, min_score=limit)).results
    assert [result.path for result in kept] == [result.path for result in results[:3]]
    assert (
        find(library, bundle, query, SearchOptions(where=Filter(paths=("/nowhere",)))).results == ()
    )
    one = find(library, bundle, query, SearchOptions(where=Filter(paths=("/films/4.mp4",)))).results
    assert [result.path for result in one] == ["/films/4.mp4"]


def test_rerank_orders_by_the_pairs(library: Store, bundle: Bundle) -> None:
    query = text_queries(bundle, ["a dog"])[0]
    if bundle.config.head.type == "meanP":
        with pytest.raises(UsageError, match="--rerank"):
            find(library, bundle, query, SearchOptions(rerank=3))
        return
    plain = find(library, bundle, query, SearchOptions(top=6)).results
    again = find(library, bundle, query, SearchOptions(top=6, rerank=4)).results
    assert sorted(m.path for m in again[:4]) == sorted(m.path for m in plain[:4])
    assert [m.path for m in again[4:]] == [m.path for m in plain[4:]]
    assert {m.path: m.score for m in again} == {m.path: m.score for m in plain}  # still cosines
    logits = []
    for moment in again[:4]:
        video = library.video_by_path(moment.path)
        assert video is not None
        rows = library.segments_of([video.id])[video.id]
        row = next(row for row in reversed(rows) if row.start_seconds <= moment.best)
        frames = library.features([row.segment_id])[row.segment_id][1]
        pair = bundle.head.torch_head.score_pairs(  # type: ignore[attr-defined]
            query.feature[None], frames[None], np.ones((1, len(frames)), bool)
        )
        logits.append(float(pair[0]))
    assert logits == sorted(logits, reverse=True)


@pytest.mark.parametrize(
    "options",
    [
        SearchOptions(top=3),
        SearchOptions(top=50, moments=True),
        SearchOptions(top=2, where=Filter(paths=("/films/[1-4].mp4",))),
    ],
)
def test_questions_asked_together_are_answered_as_alone(
    library: Store, bundle: Bundle, options: SearchOptions
) -> None:
    queries = text_queries(bundle, ["a dog", "a cat on a mat", "night"])
    together = find_all(library, bundle, queries, options)
    alone = [find(library, bundle, query, options) for query in queries]
    assert [answer.results for answer in together] == [answer.results for answer in alone]
    assert [answer.query for answer in together] == ["a dog", "a cat on a mat", "night"]
    assert find_all(library, bundle, [], options) == []


def test_more_segments_are_asked_for_until_enough_videos_came(
    bundle: Bundle, tmp_path: Path
) -> None:
    """One video has the 300 best segments, and three others come far behind."""
    with open_store(tmp_path / "long", create=True) as library:
        library.set_model(model_record(bundle))
        query = text_queries(bundle, ["a dog"])[0]
        times, features = np.zeros(1, np.float32), np.ones((1, WIDTH), np.float16)
        for number, count in enumerate((300, 1, 1, 1)):
            vector = query.vector if number == 0 else -query.vector
            rows = [SegmentData(i, i + 1, times, features, vector) for i in range(count)]
            fields = {"size_bytes": 1, "mtime_ns": 1, "duration_seconds": 300.0}
            library.put_video(
                NewVideo(
                    path=f"/{number}.mp4", content_id=str(number), width=1, height=1,
                    codec="h264", sampling="auto", **fields,
                ),
                rows,
            )  # fmt: skip
        options = SearchOptions(top=3)
        other = dataclasses.replace(query, vector=-query.vector)
        first, second = find_all(library, bundle, [query, other], options)
        assert [result.path for result in first.results] == ["/0.mp4", "/1.mp4", "/2.mp4"]
        assert [result.path for result in second.results] == ["/1.mp4", "/2.mp4", "/3.mp4"]

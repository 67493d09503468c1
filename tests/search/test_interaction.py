"""Words against frames at query time: a library of hits that a wti encoder scores again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.bundle_config import HeadConfig
from c2v.encoder.heads import HeadSettings, TorchHead
from c2v.encoder.heads.initialise import random_head
from c2v.encoder.heads.wti import Wti, interact
from c2v.encoder.tensors import read_tensors
from c2v.indexing.reembedding import model_record
from c2v.library import NewVideo, SegmentData, Store, open_store
from c2v.search.confidence import Scale
from c2v.search.questions import Part, combine
from c2v.search.ranking import (
    Query,
    SearchOptions,
    find,
    find_all,
    scale_of,
    text_queries,
    video_query,
)
from c2v.search.text_cache import cached_query
from tests import toys

WIDTH = toys.TINY["embed_dim"]
VIDEOS = 40


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    settings = HeadSettings(
        type="wti",
        feature_dim=WIDTH,
        layers=1,
        bottleneck=16,
        positions=20,
        projected=True,
        center_weight=0.0,
    )
    head = random_head(settings, seed=1)
    with torch.no_grad():
        for parameter in head.parameters():  # what is zero at first would change nothing
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=_seeded(3)))
    described = settings.as_dict()
    toys.write_bundle(
        tmp_path / "wti",
        "wti",
        head=HeadConfig(described.pop("type"), described),
        head_state=head.state_dict(),
        vector_dim=settings.vector_dim,
    )
    return load_bundle(tmp_path / "wti", device="cpu")


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def library(bundle: Bundle, tmp_path: Path) -> Iterator[Store]:
    random = np.random.default_rng(0)
    made = open_store(tmp_path / "library", create=True)
    made.set_model(model_record(bundle))
    for number in range(VIDEOS):
        segments = []
        for position in range(number % 3 + 1):
            count = 3 + number % 4
            features = random.standard_normal((count, WIDTH)).astype(np.float16)
            times = np.linspace(0, 4, count).astype(np.float32) + 5 * position
            (vector,) = bundle.embed_segments([features])
            segments.append(SegmentData(5 * position, 5 * position + 5, times, features, vector))
        video = NewVideo(
            path=f"/films/{number}.mp4", size_bytes=1, mtime_ns=1, content_id=str(number),
            duration_seconds=5.0 * len(segments), width=1, height=1, codec="h264",
            sampling="auto",
        )  # fmt: skip
        made.put_video(video, segments)
    with made:
        yield made


def by_torch(library: Store, bundle: Bundle, text: str) -> dict[str, float]:
    """The score of the best segment of each video, by the head as it is trained."""
    described = {"type": "wti", "feature_dim": WIDTH, **bundle.config.head.settings}
    weights = read_tensors(bundle.directory / "head.safetensors")
    state = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    module = TorchHead(described, state).module
    assert isinstance(module, Wti)
    stage1 = bundle.encode_text([text])
    best: dict[str, float] = {}
    with torch.no_grad():
        tokens, mask = torch.from_numpy(stage1.tokens), torch.from_numpy(stage1.mask).float()
        _, *words = module.text_parts(tokens, mask)
        for rows in library.segments_of(list(range(1, VIDEOS + 1))).values():
            for row in rows:
                given = library.features([row.segment_id])[row.segment_id][1].astype(np.float32)
                features = torch.from_numpy(given)[None]
                _, *frames = module.video_parts(features, torch.ones(features.shape[:2]))
                score = float(interact(*words, *frames))
                best[row.path] = max(best.get(row.path, -1.0), score)
    return best


def test_the_answer_has_the_scores_of_the_head(library: Store, bundle: Bundle) -> None:
    (query,) = text_queries(bundle, ["a dog on the grass"])
    answer = find(library, bundle, query, SearchOptions(top=VIDEOS))
    expected = by_torch(library, bundle, "a dog on the grass")
    assert [m.path for m in answer] == sorted(expected, key=lambda path: -expected[path])
    for moment in answer:
        assert moment.score == pytest.approx(expected[moment.path], abs=1e-5)
    by_vectors = dataclasses.replace(query, asked=())
    plain = find(library, bundle, by_vectors, SearchOptions(top=VIDEOS))
    assert [m.path for m in plain] != [m.path for m in answer], "the vectors alone say otherwise"
    assert answer.results[0].confidence >= answer.results[-1].confidence
    confidence = [moment.confidence for moment in answer]
    assert confidence == sorted(confidence, reverse=True)


def test_all_of_an_answer_is_on_one_scale(library: Store, bundle: Bundle) -> None:
    """Also where not all segments are scored again: what is not is not in it."""
    (query,) = text_queries(bundle, ["a dog"])
    best = by_torch(library, bundle, "a dog")
    found = find(library, bundle, query, SearchOptions(top=2, rerank=64))
    scores = [moment.score for moment in found]
    assert scores == sorted(scores, reverse=True)
    assert scores == pytest.approx([best[moment.path] for moment in found], abs=1e-5)
    near = library.nearest(query.vector[None], 64).segment_ids[0].tolist()
    proposed = {row.path for row in library.segment_rows(near).values()}
    assert {moment.path for moment in found} <= proposed


def test_a_limit_is_one_of_those_scores(library: Store, bundle: Bundle) -> None:
    (query,) = text_queries(bundle, ["a dog"])
    every = find(library, bundle, query, SearchOptions(top=VIDEOS)).results
    limit = every[4].score - 1e-6
    kept = find(library, bundle, query, SearchOptions(top=VIDEOS, min_score=limit)).results
    assert [moment.path for moment in kept] == [moment.path for moment in every[:5]]


def test_parts_of_a_question_add_up(library: Store, bundle: Bundle) -> None:
    texts = text_queries(bundle, ["a dog", "grass"])
    features = library.features([3])[3][1]
    seen = video_query("clip", features, library.vectors([3])[3])
    parts = [Part(texts[0], 2.0), Part(texts[1], -1.0), Part(seen, 1.0, is_seen=True)]
    whole = combine("a dog", parts)
    alone = [
        {m.path: m for m in find(library, bundle, one, SearchOptions(top=99, moments=True))}
        for one in (*texts, seen)
    ]
    assert all(alone)
    length = np.linalg.norm(2 * texts[0].vector - 0.4 * texts[1].vector + 0.5 * seen.vector)
    for moment in find(library, bundle, whole, SearchOptions(top=99)):
        video = library.video_by_path(moment.path)
        assert video is not None
        rows = library.segments_of([video.id])[video.id]
        expected = [
            sum(
                factor * _score(library, bundle, one, row.segment_id)
                for factor, one in zip((2.0, -0.4, 0.5), (*texts, seen), strict=True)
            )
            / length
            for row in rows
        ]
        assert moment.score == pytest.approx(max(expected), abs=1e-5)


def _score(library: Store, bundle: Bundle, query: Query, segment: int) -> float:
    if not query.asked:
        return float(library.vectors([segment])[segment] @ query.vector)
    head = bundle.head
    frames = library.features([segment])[segment][1]
    return float(head.score(query.asked[0].words, [frames]).scores[0])  # type: ignore[attr-defined]


def test_questions_asked_together_are_answered_as_alone(library: Store, bundle: Bundle) -> None:
    queries = text_queries(bundle, ["a dog", "a cat on a mat", "night"])
    together = find_all(library, bundle, queries, SearchOptions(top=5))
    for query, answer in zip(queries, together, strict=True):
        alone = find(library, bundle, query, SearchOptions(top=5))
        assert [m.path for m in alone] == [m.path for m in answer]


def test_a_text_asked_before_is_the_same(library: Store, bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "queries"
    first = cached_query(bundle, "a dog on the grass", folder)
    again = cached_query(bundle, "a dog on the grass", folder)
    assert len(list(folder.iterdir())) == 1
    assert again.asked[0].numbers == first.asked[0].numbers == (0, 1, 2, 3, 4, -1)
    np.testing.assert_array_equal(again.asked[0].words.vectors, first.asked[0].words.vectors)
    answers = [find(library, bundle, one, SearchOptions()) for one in (first, again)]
    assert answers[0].results == answers[1].results
    assert answers[0].explanation == answers[1].explanation


def test_which_frame_answers_which_word(library: Store, bundle: Bundle) -> None:
    (query,) = text_queries(bundle, ["a snowboarder, upside down"])
    answer = find(library, bundle, query, SearchOptions(top=3))
    assert answer.explanation is not None
    assert len(answer.explanation.words) == 3
    asked = query.asked[0]
    for moment, words in zip(answer, answer.explanation.words, strict=True):
        assert [found.word for found in words] == ["a", "snowboarder,", "upside", "down", ""]
        assert sum(found.share for found in words) == pytest.approx(1.0, abs=1e-5)
        video = library.video_by_path(moment.path)
        assert video is not None
        near = []
        for row in library.segments_of([video.id])[video.id]:
            times, features = library.features([row.segment_id])[row.segment_id]
            found = bundle.head.score(asked.words, [features])  # type: ignore[attr-defined]
            near.append((found.scores[0], times[found.nearest[0, -1]], found.cosines[0, -1]))
        _, seconds, cosine = max(near)
        assert words[-1].seconds == pytest.approx(float(seconds))
        assert words[-1].cosine == pytest.approx(float(cosine), abs=1e-5)
    assert any("answer words" in line for line in answer.explanation.lines("exact", 0.5))


def test_the_scale_of_confidence_is_of_those_scores(library: Store, bundle: Bundle) -> None:
    (query,) = text_queries(bundle, ["a dog"])
    scale = scale_of(library, bundle, query, 80)
    texts = ["a red ball", "two men at a table", "a street in the rain"]
    queries = text_queries(bundle, texts)
    best = [find(library, bundle, one, SearchOptions(top=1))[0].score for one in queries]
    assert isinstance(scale, Scale)
    middle = np.median(best)
    assert scale.confidence(float(middle) + 0.3) > 0.9
    assert scale.confidence(float(middle) - 0.3) < 0.1

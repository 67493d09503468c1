"""Evaluation of encoders over a library: several at once, intervals, corrections, reports."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.heads.initialise import random_head
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.trained_bundle import save_bundle
from c2v.errors import DataError, LibraryError, UsageError
from c2v.evaluation.captions import Captions
from c2v.evaluation.failures import query_results, write_page, write_queries
from c2v.evaluation.intervals import recall_intervals
from c2v.evaluation.normalisation import dual_softmax, qb_norm
from c2v.evaluation.published import ROWS, published_rows
from c2v.evaluation.retrieval import Measure, evaluate_library
from c2v.evaluation.similarity import similarity_matrix
from c2v.indexing.reembedding import reembed
from c2v.library import Store


@pytest.fixture
def captions(toys: ModuleType, tmp_path: Path) -> Captions:
    made: Captions = toys.captions_for(tmp_path, 20, a_video=2)
    return made


@pytest.fixture
def library(
    toys: ModuleType, tmp_path: Path, bundle: Bundle, captions: Captions
) -> Iterator[Store]:
    with toys.fill_library(tmp_path / "library", bundle, captions, segments=2) as made:
        yield made


@pytest.fixture
def other(bundle: Bundle) -> Bundle:
    """The same towers under another head."""
    settings = HeadSettings(
        type="clip2video", feature_dim=64, layers=1, strict_difference_mask=True
    )
    save_bundle(
        "other", parent=bundle, head=settings, head_state=random_head(settings, seed=1).state_dict()
    )
    return load_bundle("other", device="cpu")


def test_another_head_is_measured_from_stored_features(
    library: Store, captions: Captions, bundle: Bundle, other: Bundle
) -> None:
    """And the library stays as it is."""
    fast = evaluate_library(library, other, captions)
    assert library.model is not None
    assert library.model.name == bundle.name
    with library.writer():
        reembed(library, other)
    slow = evaluate_library(library, other, captions)
    assert fast.metrics == slow.metrics
    np.testing.assert_allclose(fast.scores.text_to_video, slow.scores.text_to_video, atol=1e-6)


def test_other_towers_are_refused(library: Store, captions: Captions, toys: ModuleType) -> None:
    import torch

    torch.manual_seed(5)
    strange = load_bundle("mini", device="cpu")
    with pytest.raises(LibraryError, match="of no use to mini") as caught:
        evaluate_library(library, strange, captions)
    assert "--library" in caught.value.hint


def test_both_conventions_and_the_contract(
    library: Store, captions: Captions, bundle: Bundle
) -> None:
    result = evaluate_library(library, bundle, captions)
    content = result.as_dict()
    assert result.several_captions
    for key in ("text_to_video", "video_to_text", "video_to_text_by_caption"):
        assert list(content[key]) == ["R@1", "R@5", "R@10", "R@50", "MdR", "MnR"]
    assert content["video_to_text"]["R@1"] == content["video_to_text_by_caption"]["R@1"]
    assert content["video_to_text"]["R@5"] >= content["video_to_text_by_caption"]["R@5"]
    assert (content["texts"], content["videos"], content["skipped"]) == (40, 20, [])
    low, high = content["intervals_95"]["text_to_video"]["R@1"]
    assert low <= content["text_to_video"]["R@1"] <= high


def test_missing_videos_are_named_with_a_reason(
    toys: ModuleType, tmp_path: Path, bundle: Bundle, captions: Captions
) -> None:
    gone, broken = captions.videos[3], captions.videos[7]
    made = toys.fill_library(tmp_path / "gappy", bundle, captions, without=[gone, broken])
    with made as library:
        library.record_failure(broken, size_bytes=1, mtime_ns=1, reason="no video stream")
        result = evaluate_library(library, bundle, captions)
        with pytest.raises(DataError, match="none of its videos"):
            evaluate_library(library, bundle, toys.only(captions, [gone]))
    assert result.videos == 18
    assert {miss.path: miss.reason for miss in result.missing} == {
        gone: "no such file",
        broken: "cannot be read: no video stream",
    }


def test_ties_are_counted(library: Store, captions: Captions, bundle: Bundle) -> None:
    """The same frames twice: whoever looks at R@1 has to know."""
    from dataclasses import replace

    scores = evaluate_library(library, bundle, captions).scores
    assert scores.tied == 0
    twice = scores.text_to_video.copy()
    twice[:, 1] = twice[:, 0]
    assert replace(scores, text_to_video=twice).tied == 4  # two videos of two captions each


def test_only_the_first_seconds(library: Store, captions: Captions, bundle: Bundle) -> None:
    from dataclasses import replace

    whole = evaluate_library(library, bundle, captions)
    first = evaluate_library(library, bundle, replace(captions, first_seconds=4.5))
    assert not np.array_equal(whole.scores.text_to_video, first.scores.text_to_video)
    assert (first.scores.text_to_video <= 1.0 + 1e-6).all()


# -- corrections -----------------------------------------------------------------------------------


def test_dual_softmax_by_hand() -> None:
    similarity = np.array([[0.5, 0.4], [0.3, 0.1]])
    to_video, to_text = dual_softmax(similarity, scale=10.0)
    share = np.exp(5) / (np.exp(5) + np.exp(3))
    assert to_video[0, 0] == pytest.approx(5 * share)
    assert to_text[0, 0] == pytest.approx(5 * np.exp(5) / (np.exp(5) + np.exp(4)))


def test_dual_softmax_takes_a_hub_down() -> None:
    similarity = np.array([[0.50, 0.90], [0.10, 0.95]])  # video 1 is near to everything
    assert similarity.argmax(1).tolist() == [1, 1]
    assert dual_softmax(similarity, scale=20.0)[0].argmax(1).tolist() == [0, 1]


def test_qb_norm_touches_only_queries_near_a_hub() -> None:
    similarity = np.array([[0.60, 0.65, 0.1], [0.2, 0.1, 0.9]])
    bank = np.array([[0.1, 0.8, 0.0], [0.2, 0.9, 0.1]])  # video 1 is the hub
    corrected = qb_norm(similarity, bank)
    assert corrected[0].argmax() == 0
    np.testing.assert_array_equal(corrected[1], similarity[1])


def test_normalised_results_say_so(library: Store, captions: Captions, bundle: Bundle) -> None:
    plain = evaluate_library(library, bundle, captions)
    dual = evaluate_library(library, bundle, captions, Measure.of(normalize="dual-softmax"))
    assert (plain.normalize, dual.normalize) == ("none", "dual-softmax")
    assert dual.as_dict()["normalize"] == "dual-softmax"
    bank = [text + " once" for text in captions.texts]
    banked = evaluate_library(library, bundle, captions, Measure.of(normalize="qb-norm", bank=bank))
    assert banked.metrics.video_to_text == plain.metrics.video_to_text
    with pytest.raises(UsageError, match="needs captions to compare"):
        Measure.of(normalize="qb-norm")
    with pytest.raises(UsageError, match="--normalize softmax"):
        Measure.of(normalize="softmax")
    with pytest.raises(UsageError, match="--ties fair"):
        Measure.of(ties="fair")


# -- intervals and reports -------------------------------------------------------------------------


def test_intervals_are_those_of_a_share() -> None:
    """Against the normal approximation, for a share of a half among 400 videos."""
    ranks = np.where(np.arange(400) % 2, 1.0, 30.0)
    low, high = recall_intervals(ranks, np.arange(400))["R@1"]
    assert (low, high) == pytest.approx((50 - 4.9, 50 + 4.9), abs=0.8)
    assert recall_intervals(ranks, np.arange(400))["R@50"] == (100.0, 100.0)


def test_captions_of_one_video_are_drawn_together() -> None:
    ranks = np.repeat(np.where(np.arange(40) % 2, 1.0, 30.0), 10)
    apart = recall_intervals(ranks, np.arange(400))["R@1"]
    together = recall_intervals(ranks, np.repeat(np.arange(40), 10))["R@1"]
    assert together[1] - together[0] > 2 * (apart[1] - apart[0])


def test_every_query_with_its_winners(
    tmp_path: Path, library: Store, captions: Captions, bundle: Bundle, other: Bundle
) -> None:
    results = [evaluate_library(library, model, captions) for model in (bundle, other)]
    write_queries(results, tmp_path / "queries.csv")
    with (tmp_path / "queries.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 80
    assert {row["model"] for row in rows} == {"tiny", "other"}
    firsts = [row for row in rows if row["model"] == "tiny" and row["rank"] == "1"]
    expected = results[0].metrics.text_to_video.recall_at_1
    assert 100 * len(firsts) / 40 == pytest.approx(expected)
    assert all(row["winner_1"] == row["video"] for row in firsts)
    assert [row["query"] for row in rows[:40]] == list(captions.texts)


def test_a_page_of_the_worst_with_pictures(
    tmp_path: Path, library: Store, captions: Captions, bundle: Bundle, videos: ModuleType
) -> None:
    result = evaluate_library(library, bundle, captions)
    worst = max(query_results(result), key=lambda query: query.rank)
    assert worst.rank > 1
    videos.make_video(Path(worst.path))
    write_page(result, tmp_path / "worst.html")
    page = (tmp_path / "worst.html").read_text(encoding="utf-8")
    assert f"rank {worst.rank}" in page
    pictures = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page)
    assert pictures
    assert "http" not in page, "complete in itself"
    assert page.index(worst.text) < 3000, "the worst comes first"


def test_published_rows_name_their_source() -> None:
    assert not published_rows("")
    assert len(published_rows("msrvtt-9k")) >= 3
    assert all(row.source for row in ROWS)
    (first, *_) = published_rows("msvd")
    assert first.as_dict()["text_to_video"]["R@1"] == 47.0


# -- the matrix ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("texts", "videos", "segments"), [(40, 20, 2), (7, 3, 1), (33, 70, 3)])
def test_a_video_scores_as_its_best_segment_and_copies_tie(
    texts: int, videos: int, segments: int
) -> None:
    random = np.random.default_rng(0)
    text = random.standard_normal((texts, 32)).astype(np.float32)
    vectors = random.standard_normal((videos, segments, 32)).astype(np.float32)
    vectors[-1] = vectors[0]
    column = np.repeat(np.arange(videos), segments)
    order = random.permutation(len(column))  # segments need not stand in order
    given = vectors.reshape(-1, 32)[order]
    got = similarity_matrix(text, given, column[order], videos + 1)
    wanted = np.einsum("nd,vsd->nvs", text, vectors).max(axis=2)
    np.testing.assert_allclose(got[:, :-1], wanted, atol=1e-5)
    assert np.array_equal(got[:, 0], got[:, -2]), "a copy ties to the bit"
    assert np.isneginf(got[:, -1]).all(), "nothing of that video is there"

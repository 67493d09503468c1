"""Retrieval metrics by hand and against a slow definition."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2v.errors import DataError
from c2v.evaluation.metrics import retrieval_metrics, summarise
from c2v.evaluation.ranks import Ties, text_ranks, video_ranks, video_ranks_by_caption

SCORES = np.array(
    [
        [0.9, 0.1, 0.2],  # own: video 0, rank 1
        [0.3, 0.8, 0.7],  # video 0, rank 3
        [0.4, 0.5, 0.6],  # video 1, rank 2
        [0.1, 0.2, 0.3],  # video 2, rank 1
    ]
)
OWNER = np.array([0, 0, 1, 2])


def test_text_to_video_by_hand() -> None:
    result = retrieval_metrics(SCORES, OWNER)
    assert result.text_to_video.as_dict() == {
        "R@1": 50.0, "R@5": 100.0, "R@10": 100.0, "R@50": 100.0, "MdR": 1.5, "MnR": 1.75,
    }  # fmt: skip
    assert (result.texts, result.videos, result.text_to_video.queries) == (4, 3, 4)


def test_both_conventions_of_video_to_text_by_hand() -> None:
    # video 1: own 0.5; captions of video 0 score 0.1 and 0.8, of video 2 0.2 -> rank 2 in both
    # video 2: own 0.3; video 0's captions 0.2 and 0.7, video 1's 0.6 -> rank 3 in both
    assert video_ranks(SCORES, OWNER).tolist() == [1, 2, 3]
    crowded = SCORES.copy()
    crowded[0, 2] = 0.65  # now both captions of video 0 are before video 2's own
    assert video_ranks(crowded, OWNER).tolist() == [1, 2, 3]
    assert video_ranks_by_caption(crowded, OWNER).tolist() == [1, 2, 4]
    result = retrieval_metrics(crowded, OWNER)
    assert result.video_to_text.mean_rank == 2.0
    assert result.video_to_text_by_caption.mean_rank == pytest.approx(7 / 3)
    assert result.video_to_text.recall_at_1 == result.video_to_text_by_caption.recall_at_1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(0, 12), st.booleans())
def test_against_the_definition(seed: int, videos: int, more: int, coarse: bool) -> None:
    random = np.random.RandomState(seed)
    owner = random.permutation(np.r_[np.arange(videos), random.randint(0, videos, more)])
    scores = random.standard_normal((len(owner), videos))
    scores = scores.round(0) if coarse else scores
    for ties, share in (("optimistic", 0.0), ("average", 0.5), ("pessimistic", 1.0)):
        texts = [
            rank(row[own], np.delete(row, own), share)
            for row, own in zip(scores, owner, strict=True)
        ]
        lenient, strict = [], []
        for v in range(videos):
            column = scores[:, v]
            own = column[owner == v].max()
            others = [column[owner == u].max() for u in range(videos) if u != v]
            lenient.append(rank(own, np.array(others), share))
            strict.append(rank(own, column[owner != v], share))
        kind: Ties = ties  # type: ignore[assignment]
        assert text_ranks(scores, owner, ties=kind).tolist() == texts
        assert video_ranks(scores, owner, ties=kind).tolist() == lenient
        assert video_ranks_by_caption(scores, owner, ties=kind).tolist() == strict


def rank(own: float, others: np.ndarray, share: float) -> float:
    return float(1 + np.sum(others > own) + share * np.sum(others == own))


def test_the_order_of_texts_does_not_matter() -> None:
    order = np.array([2, 0, 3, 1])
    assert retrieval_metrics(SCORES[order], OWNER[order]) == retrieval_metrics(SCORES, OWNER)


def test_videos_without_a_text_are_candidates_only() -> None:
    wider = np.c_[SCORES, [1.0, 0.0, 0.0, 0.0]]
    result = retrieval_metrics(wider, OWNER)
    assert text_ranks(wider, OWNER).tolist() == [2, 3, 2, 1]
    assert result.video_to_text.queries == 3
    assert result.videos == 4


def test_ties() -> None:
    flat = np.zeros((4, 4))
    first = {
        kind: retrieval_metrics(flat, ties=kind).text_to_video.mean_rank
        for kind in ("optimistic", "average", "pessimistic")
    }
    assert first == {"optimistic": 1.0, "average": 2.5, "pessimistic": 4.0}
    legacy = retrieval_metrics(flat, ties="legacy").text_to_video
    assert (legacy.queries, legacy.mean_rank) == (16, 2.5)


def test_nan_is_the_last_and_never_vanishes() -> None:
    scores = np.eye(3)
    scores[1] = np.nan
    scores[0, 2] = np.nan
    result = retrieval_metrics(scores)
    assert text_ranks(np.where(np.isnan(scores), -np.inf, scores), np.arange(3)).tolist() == [
        1,
        3,
        1,
    ]
    assert result.text_to_video.queries == 3
    assert result.text_to_video.recall_at_1 == pytest.approx(200 / 3)


def test_recall_at_50() -> None:
    ranks = np.arange(1.0, 101.0)
    assert summarise(ranks).recall_at_50 == 50.0
    assert summarise(ranks).median_rank == 50.5


@pytest.mark.parametrize(
    ("scores", "owner"),
    [
        (np.zeros((0, 0)), None),
        (np.zeros(3), None),
        (np.zeros((3, 2)), None),
        (np.zeros((2, 2)), [0]),
        (np.zeros((2, 2)), [0, 2]),
        (np.zeros((2, 2)), [-1, 0]),
    ],
)
def test_what_does_not_fit_is_refused(scores: np.ndarray, owner: list[int] | None) -> None:
    with pytest.raises(DataError):
        retrieval_metrics(scores, owner)


def test_metrics_need_numpy_alone() -> None:
    script = "import sys, c2v.evaluation.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

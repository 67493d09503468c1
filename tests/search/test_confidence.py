"""Whether a search says so when nothing matches: on real clips, and on the demo's where alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import c2v
from c2v.demo.clips import QUERIES, make_demo_videos
from c2v.encoder import Bundle, load_bundle
from c2v.encoder.bundle_config import read_config
from c2v.encoder.fingerprints import bundle_fingerprint
from c2v.errors import ModelError
from c2v.evaluation.confidence_fit import auc, fit_logistic, moved_to_refuse_few
from c2v.library import open_store
from c2v.search.confidence import Scale, text_scale
from c2v.search.estimating import estimated_scale
from c2v.services.video_library import VideoLibrary
from tests.benchmarks.no_match import LOOKED_AT, UNSEEN

DATA = Path(__file__).parents[3] / "shared" / "data"


NOT_IN_THE_DEMO = (
    "a lion chasing a zebra",
    "a sailing race at sea",
    "a violin player in an orchestra",
    "children building a sandcastle",
    "a pizza in the oven",
    "a tennis player serving",
    "a surgeon operating on a patient",
    "a waterfall in the jungle",
    "a bride throwing her bouquet",
    "a man fishing from a pier",
)


@pytest.fixture(scope="module")
def mini() -> Bundle:
    return load_bundle("mini", device="cpu")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the demo's videos."""
    folder = tmp_path_factory.mktemp("demo")
    make_demo_videos(folder / "videos")
    with c2v.open(folder / "library", model="mini") as videos:
        videos.index(folder / "videos")
    return folder / "library"


def test_the_searches_of_the_demo_match(demo: Path) -> None:
    with c2v.open(demo) as videos:
        answers = videos.search_many(QUERIES)
    assert [one.matched for one in answers] == [True] * 4 + [False]


def test_most_unrelated_searches_match_nothing(demo: Path) -> None:
    with c2v.open(demo) as videos:
        answers = videos.search_many(NOT_IN_THE_DEMO)
    assert sum(not answer.matched for answer in answers) >= 7
    assert all(len(answer) == 10 for answer in answers)  # a weak row is a row in Python


def test_a_clip_matches_itself(demo: Path) -> None:
    with c2v.open(demo) as videos:
        answer = videos.search(video=demo.parent / "videos" / "garage.mp4")
    assert answer.matched
    assert answer[0].confidence > 0.95
    assert not answer.matching[1:]  # no other film is like a motorcycle in a garage


def test_the_bar_of_a_score_takes_the_place_of_the_bar_of_confidence(demo: Path) -> None:
    with c2v.open(demo) as videos:
        weak = videos.search(NOT_IN_THE_DEMO[0], min_score=-1.0)
        none = videos.search(QUERIES[0], min_score=0.99)
    assert weak.matched
    assert weak.matching == weak.results
    assert not none.matched
    assert not none.results


def test_an_encoder_without_constants_estimates_them_from_the_library(
    demo: Path, mini: Bundle, tmp_path: Path
) -> None:
    with open_store(str(demo)) as store:
        words, again = (
            estimated_scale(store, mini, among=20, pictures=False, folder=tmp_path)
            for _ in range(2)
        )
        pictures = estimated_scale(store, mini, among=20, pictures=True, folder=tmp_path)
        asked = mini.as_questions(mini.embed_text([*QUERIES, *NOT_IN_THE_DEMO]))
        best = store.nearest(asked, 1).scores[:, 0]
    assert words == again
    assert len(list(tmp_path.iterdir())) == 1
    found = [words.confidence(float(score)) >= 0.5 for score in best]
    assert sum(found[: len(QUERIES)]) >= 3
    assert sum(found[len(QUERIES) :]) <= 5
    assert pictures.confidence(1.0) > 0.95


def test_constants_do_not_change_the_fingerprint(mini: Bundle) -> None:
    config = mini.config
    assert config.calibration is not None
    assert config.fingerprint == bundle_fingerprint(
        config.image, config.text, config.head, config.files, config.hubs
    )


@pytest.mark.parametrize(
    ("field", "value"), [("centre", "AAAA"), ("centre", "?"), ("fewest", 0), ("score", "high")]
)
def test_damaged_constants_are_named(
    mini: Bundle, tmp_path: Path, field: str, value: object
) -> None:
    content = json.loads(mini.config.to_json())
    content["calibration"][field] = value
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="calibration"):
        read_config(tmp_path)


def test_a_larger_library_needs_a_higher_score(mini: Bundle) -> None:
    calibration = mini.config.calibration
    assert calibration is not None
    vector = mini.embed_text(["a dog"])[0]
    few, many = (text_scale(calibration, vector, among).confidence(0.3) for among in (10, 100_000))
    assert many < few


def test_a_confidence_stays_in_its_range() -> None:
    for score in (-1.0, 0.0, 1.0):
        assert 0.0 <= Scale(1e6, -3.0).confidence(score) <= 1.0


def test_the_fit_finds_what_tells_matches_from_none() -> None:
    random = np.random.default_rng(0)
    matched = np.arange(400) % 2 == 0
    signals = random.normal(size=(400, 2)) + np.outer(matched, [2.0, 0.0])
    fitted = fit_logistic(signals, matched)
    assert abs(fitted.weights[1]) < 0.3 < fitted.weights[0]
    assert auc(fitted.logits(signals[matched]), fitted.logits(signals[~matched])) > 0.9
    moved = moved_to_refuse_few(fitted, signals[matched])
    assert 0.05 < (moved.logits(signals[matched]) < 0).mean() < 0.15


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> VideoLibrary:
    """A library of the 21 clips with captions, on which nothing was fitted."""
    if not (DATA / "clips").is_dir():
        pytest.skip("needs the real clips in ../shared")
    videos = c2v.open(tmp_path_factory.mktemp("real") / "library", model="mini")
    videos.index(DATA / "clips")
    return videos


def confidences(videos: VideoLibrary, texts: list[str]) -> NDArray[np.float64]:
    return np.array([answer[0].confidence for answer in videos.search_many(texts, top=1)])


def test_on_real_clips_captions_match_and_other_questions_mostly_do_not(
    real: VideoLibrary,
) -> None:
    with (DATA / "clips" / "captions.csv").open(encoding="utf-8", newline="") as file:
        captions = [row["caption"] for row in csv.DictReader(file)]
    matches = confidences(real, captions)
    assert (matches < 0.5).mean() <= 0.15
    for questions, said, told_apart in ((LOOKED_AT, 0.45, 0.82), (UNSEEN, 0.4, 0.78)):
        others = confidences(real, questions)
        figures = (others < 0.5).mean(), auc(matches, others)
        assert figures[0] >= said, figures
        assert figures[1] >= told_apart, figures

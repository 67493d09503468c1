"""``c2v model tune`` as it is typed, on real videos: table, JSON, exit codes, then in use."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from c2v.encoder.bundle import load_bundle
from c2v.encoder.tuned_bundle import Surroundings, save_tuned

Run = Callable[..., subprocess.CompletedProcess[str]]
WORDS = {
    "whiskers": "a cat looks into the camera",
    "breakfast": "a cup of coffee on a wooden table",
    "departure": "a rocket before it is launched",
    "portrait": "a woman in the suit of an astronaut",
    "photographer": "a man takes a picture with a tripod",
    "crater": "the surface of the moon",
    "meadow": "green grass",
    "garage": "a motorcycle stands in a garage",
    "cartoon": "a big rabbit in a cartoon",
    "call": "a man talks in a car",
    "crossing": "people on bicycles in a street",
}


@pytest.fixture
def data(demo_videos: Path, tmp_path: Path) -> Path:
    file = tmp_path / "captions.csv"
    rows = [(demo_videos / f"{name}.mp4", text) for name, text in WORDS.items()]
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([("video", "caption"), *rows])
    return file


def test_the_whole_road(c2v: Run, data: Path, demo_videos: Path, tmp_path: Path) -> None:
    """tune (which indexes), info, index with the new one (which decodes nothing), search."""
    mini = load_bundle("mini")
    nothing = Surroundings(None, None, None, None)
    save_tuned("plain", parent=mini, settings=nothing, documents={})
    shared = ["-L", tmp_path / "library"]
    with data.open("a") as file:
        file.write("gone.mp4,a film that is not there\n")
    tuned = c2v(
        "model", "tune", "plain", "--data", data, "--as", "mine", "--keep", "-f", "json", *shared,
        code=4,
    )  # fmt: skip
    answer = json.loads(tuned.stdout)
    assert "indexing 11 videos" in tuned.stderr
    assert answer["missing"][0]["path"].endswith("gone.mp4")
    assert (answer["name"], answer["written"], answer["parent"]) == ("mine", True, "plain")
    assert (answer["videos"], answer["captions"], answer["folds"]) == (11, 11, 5)
    assert set(answer["text_to_video"]) == {"captions", "with_prefix", "short"}
    for kind in answer["text_to_video"].values():
        assert kind["before"].keys() == {"R@1", "R@5", "MRR", "queries"} == kind["after"].keys()
    assert answer["confidence"]["before"].keys() == {"refused", "accepted", "log_loss"}
    info = json.loads(c2v("model", "info", "mine", "-f", "json").stdout)
    for name in ("hubs", "questions", "calibration"):
        assert info[name] == answer[name]
        assert (info[name] is not None) == (name in answer["changed"])
    shown = c2v("model", "info", "mini").stdout
    assert "hubs         less 0.5 of the mean score of the 10 nearest sentences" in shown
    assert 'questions    without "find the video where", one or two words also as' in shown
    assert "calibration  fitted on galleries of 10 to 640 segments" in shown
    again = c2v("index", demo_videos / "garage.mp4", "--model", "mine", *shared)
    assert "added" not in again.stdout
    found = c2v("search", "find the video where a motorcycle stands", "-f", "json", *shared)
    best = json.loads(found.stdout)
    assert best["model"] == "mine"
    assert Path(best["results"][0]["path"]).name == "garage.mp4"


def test_nothing_helps_and_nothing_is_written(c2v: Run, data: Path, tmp_path: Path) -> None:
    """Six videos cannot show that the shipped encoder would be better another way."""
    data.write_text("".join(data.read_text().splitlines(keepends=True)[:7]))
    shared = ["--data", data, "-L", tmp_path / "library"]
    done = c2v("model", "tune", "mini", *shared)
    assert done.stdout.startswith("6 videos, held back in 5 parts")
    assert "nothing helped mini on the videos held back, and no model was written" in done.stderr
    assert "mini-tuned" not in c2v("model", "list").stdout
    answer = json.loads(c2v("model", "tune", "mini", *shared, "--format", "json").stdout)
    assert (answer["written"], answer["model"], answer["changed"]) == (False, None, [])


def test_what_is_wrong_is_said_in_a_sentence(c2v: Run, data: Path, tmp_path: Path) -> None:
    shared = ["-L", tmp_path / "library"]
    done = c2v("model", "tune", "nobody", "--data", data, *shared, code=1)
    assert "nobody" in done.stderr
    done = c2v("model", "tune", "mini", "--data", data, "--as", "a/b/c", *shared, code=2)
    assert "'a/b/c' cannot name a model" in done.stderr
    c2v("model", "tune", "mini", *shared, code=2)
    save_tuned(
        "mini-tuned", parent=load_bundle("mini"), settings=Surroundings(None, None, None, None),
        documents={},
    )  # fmt: skip
    done = c2v("model", "tune", "mini", "--data", data, *shared, code=1)
    assert "there is a model named mini-tuned already" in done.stderr
    assert "--as" in done.stderr
    assert not (tmp_path / "library").exists()

"""``c2v tag``: measured tags, tags by hand, and what finds them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import c2v as package
from c2v.errors import UsageError

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def library(demo_library: Path, tmp_path: Path) -> Path:
    """A copy of the library of demo videos, to be written in."""
    return shutil.copytree(demo_library, tmp_path / "library")  # type: ignore[no-any-return]


def of(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The tags of each video by its name."""
    return {
        Path(video["path"]).name: {tag["name"]: tag for tag in video["tags"]}
        for video in json.loads(done.stdout)["videos"]
    }


def test_labels_that_fit_are_stored_and_found_by(c2v: Run, library: Path) -> None:
    asked = ("tag", "-L", library, "--labels", "a motorcycle, a rocket launch", "-f", "json")
    dry = of(c2v(*asked, "--dry-run"))
    listing = json.loads(c2v("tag", "--list", "-L", library, "-f", "json").stdout)
    assert (listing["tags"], listing["videos"]) == ([], [])
    assert of(c2v(*asked)) == dry
    assert "a motorcycle" in dry["garage.mp4"]
    assert "a rocket launch" not in dry["garage.mp4"]
    assert len(dry) < 4  # most of the sixteen videos show neither
    answer = json.loads(
        c2v("search", "x", "--tag", "A MOTORCYCLE", "-L", library, "-f", "json").stdout
    )
    found = {Path(one["path"]).name for one in answer["results"]}
    assert found == {name for name, tags in dry.items() if "a motorcycle" in tags}
    listed = json.loads(c2v("tag", "--list", "-L", library, "-f", "json").stdout)
    assert {one["name"]: one["videos"] for one in listed["tags"]}["a motorcycle"] == len(found)


def test_a_higher_bar_takes_what_was_measured_away_and_leaves_what_was_not_tried(
    c2v: Run, library: Path
) -> None:
    c2v("tag", "-L", library, "--labels", "a motorcycle, a rocket launch", "--min-confidence", "0")
    before = of(c2v("tag", "--list", "-L", library, "-f", "json"))
    assert [len(tags) for tags in before.values()] == [2] * 16
    done = c2v(
        "tag", "-L", library, "--labels", "a motorcycle,", "--min-confidence", "1", "-f", "json"
    )
    assert of(done) == {}
    assert "no label reached 1 on any of" in done.stderr
    left = of(c2v("tag", "--list", "-L", library, "-f", "json"))
    assert {name for tags in left.values() for name in tags} == {"a rocket launch"}


def test_by_hand(c2v: Run, library: Path) -> None:
    c2v("tag", "garage.mp4", "--add", "mine, a motorcycle", "-L", library)
    c2v("tag", "-L", library, "--labels", "a motorcycle,", "--min-confidence", "0")
    tags = of(c2v("tag", "--list", "garage.mp4", "-L", library, "-f", "json"))["garage.mp4"]
    assert tags["a motorcycle"] == {"name": "a motorcycle", "confidence": 1.0, "by_hand": True}
    cleared = json.loads(c2v("tag", "--clear", "-L", library, "-f", "json").stdout)
    assert len(cleared["removed"]) == 15  # all others
    left = of(c2v("tag", "--list", "-L", library, "-f", "json"))
    assert {name: set(kept) for name, kept in left.items()} == {
        "garage.mp4": {"mine", "a motorcycle"}
    }
    done = c2v("tag", "--remove", "MINE", "-L", library, "-f", "json")
    assert json.loads(done.stdout)["removed"][0]["tags"][0]["name"] == "mine"
    assert c2v("tag", "--remove", "mine", "-L", library).stderr.endswith("nothing to be done\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--add", "x"), 2, "--add needs the videos"),
        (("garage.mp4", "--add", "x", "--labels", "a,b"), 2, "--labels"),
        (("--list", "--clear"), 2, "--list only shows"),
        (("garage.mp4", "--add", ","), 2, "--add: a name is empty"),
        (("nowhere.mp4",), 1, "nowhere.mp4 is not in the library"),
        (("--labels", "nofile"), 1, "--labels nofile: there is no such file"),
    ],
)
def test_what_makes_no_sense(
    c2v: Run, demo_library: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = c2v("tag", *words, "-L", demo_library, code=code)
    assert said in done.stderr
    assert "hint:" in done.stderr


def test_in_python(library: Path) -> None:
    with package.open(library) as videos:
        done = videos.tag(labels=["a motorcycle"])
        assert {Path(one.path).name for one in done} >= {"garage.mp4"}
        assert videos.tags(["garage.mp4"])[0].tags[0].name == "a motorcycle"
        with pytest.raises(TypeError, match="lists of names"):
            videos.tag(labels="a motorcycle")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="min_confidence"):
            videos.tag(min_confidence=2)
        with pytest.raises(TypeError, match="label"):
            videos.tag(label=["a"])  # type: ignore[call-arg]

"""``c2v evaluate --protocol``: the real command, on videos and without a library."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
SENTENCES = {
    "garage.mp4": "a motorcycle",
    "photographer.mp4": "a man with a camera",
    "departure.mp4": "a rocket launch",
    "reading.mp4": "a page of a book",
}


@pytest.fixture
def captions(demo_videos: Path, tmp_path: Path) -> Path:
    file = tmp_path / "captions.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["video", "caption"])
        writer.writerows((demo_videos / name, text) for name, text in SENTENCES.items())
    return file


@pytest.mark.parametrize("protocol", ["clip4clip", "clip2video"])
def test_without_a_library(c2v: Run, captions: Path, tmp_path: Path, protocol: str) -> None:
    done = c2v(
        "evaluate", "--data", captions, "--protocol", protocol, "--model", "mini", "-L",
        tmp_path / "none", "--format", "json",
    )  # fmt: skip
    content = json.loads(done.stdout)
    assert content["protocol"] == protocol
    assert content["text_to_video"]["R@1"] == 100.0
    assert (content["texts"], content["videos"], content["skipped"]) == (4, 4, [])
    assert not (tmp_path / "none").exists(), "no library is made"


def test_the_librarys_own_frames_are_the_default(
    c2v: Run, captions: Path, demo_library: Path
) -> None:
    arguments = ("evaluate", "--data", captions, "-L", demo_library, "--format", "json")
    content = json.loads(c2v(*arguments).stdout)
    assert (content["protocol"], content["ties"]) == ("library", "optimistic")
    legacy = json.loads(c2v(*arguments, "--ties", "legacy", "--protocol", "clip4clip").stdout)
    assert (legacy["protocol"], legacy["ties"]) == ("clip4clip", "legacy")
    assert legacy["model"] == "mini", "the library's encoder is taken"


def test_what_cannot_be_read_is_listed(c2v: Run, captions: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video at all " * 50)
    with captions.open("a", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerow([broken, "something else"])
    done = c2v(
        "evaluate", "--data", captions, "--protocol", "clip4clip", "--model", "mini",
        "--format", "json", code=4,
    )  # fmt: skip
    content = json.loads(done.stdout)
    assert content["skipped"] == [str(broken)]
    assert content["skipped_because"][str(broken)].startswith("cannot be read: ")
    assert f"{broken}" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [("--protocol", "clip5clip", "clip4clip"), ("--ties", "fair", "optimistic")],
)
def test_a_word_that_is_none_of_them(
    c2v: Run, captions: Path, option: str, value: str, hint: str
) -> None:
    done = c2v("evaluate", "--data", captions, "--model", "mini", option, value, code=2)
    assert f"{option} {value}" in done.stderr
    assert hint in done.stderr

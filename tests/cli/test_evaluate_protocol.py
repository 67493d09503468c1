"""``c2v evaluate --protocol``: the real command, on videos and without a library."""

from __future__ import annotations

import csv
import json
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from c2v.cli.app import run

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
    [
        ("--protocol", "clip5clip", "did you mean clip4clip?"),
        ("--ties", "fair", "optimistic"),
        ("--normalize", "softmax", "dual-softmax"),
        ("--split", "dev", "one of train, val, test"),
    ],
)
def test_a_word_that_is_none_of_them(
    c2v: Run, captions: Path, option: str, value: str, hint: str
) -> None:
    done = c2v("evaluate", "--data", captions, "--model", "mini", option, value, code=2)
    assert f"error: {option} {value}: no such" in done.stderr
    assert hint in done.stderr


# -- in this process: what is said before anything is measured -------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "error", "hint"),
    [
        (["--data", "msvd"], 2, "--data msvd needs the folder of its files", "--videos DIR"),
        (["--data", "msvd", "--videos", "gone"], 2, "--videos gone: no such folder", "check the"),
        (["--data", "msvd", "--videos", "."], 1, "test_list.txt: no such file", "--annotations"),
        (["--data", "msvdd"], 1, "no benchmark of that name", "did you mean msvd?"),
        (["--data", "own.csv"], 1, "not one of its videos can be ranked", "--videos DIR"),
        (["--data", "gone.csv"], 1, "--data gone.csv: No such file", "check the path"),
        (["--data", "own.csv", "--annotations", "."], 2, "--annotations goes with", "one of"),
        (["--data", "activitynet", "--videos", ".", "--split", "val"], 2, "activitynet has no val",
         "one of train, test"),
        (["--data", "./raw-captions.pkl"], 1, "no captions file by its extension",
         "it is a file of msvd: --data msvd --annotations . --videos DIR"),
        (["--data", "val_1.json"], 1, "not a sentence", "--data activitynet --annotations ."),
        (["--data", "own.csv", "--normalize", "qb-norm", "--bank", "gone.csv"], 1,
         "--bank gone.csv: No such file", "check the path"),
        (["--data", "own.csv", "--per-query", "gone/ranks.csv"], 1,
         "gone/ranks.csv cannot be written: there is no such folder", "mkdir -p gone"),
        (["--data", "own.csv", "--html", "."], 1, ". cannot be written: it is a folder", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_one_hint_and_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str], code: int, error: str, hint: str,
) -> None:  # fmt: skip
    (tmp_path / "own.csv").write_text("video,caption\nx.mp4,a dog\n")
    (tmp_path / "raw-captions.pkl").write_bytes(pickle.dumps({"a": [["a", "man"]]}))
    (tmp_path / "val_1.json").write_text('{"v_a": {"duration": 1, "sentences": ["one"]}}')
    monkeypatch.chdir(tmp_path)
    assert run(["evaluate", *words, "--protocol", "clip4clip", "--model", "mini"]) == code
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("error: ")
    assert error in first
    assert second.startswith("hint: ")
    assert hint in second

"""``c2v finetune`` as it is typed: the whole road, interruptions, and what is said of bad data."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.cli.app import run
from c2v.config import load_settings
from c2v.evaluation.captions import Captions
from c2v.services.video_library import VideoLibrary

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
}


@pytest.fixture(scope="module")
def c2v(c2v_with_torch: Run) -> Run:
    return c2v_with_torch


@pytest.fixture
def data(toys: ModuleType, tmp_path: Path) -> Path:
    """A captions file, and a library with the features of its videos, by a toy CLIP."""
    captions: Captions = toys.captions_for(tmp_path, 24)
    bundle = toys.make_bundle()
    toys.fill_library(tmp_path / "library", bundle, captions).close()
    with captions.file.open("w", newline="") as file:
        rows = zip(captions.paths, captions.texts, strict=True)
        csv.writer(file).writerows([("video", "caption"), *rows])
    return captions.file


def options(data: Path, name: str, *, epochs: int, keep: bool = True) -> list[str]:
    return [
        "finetune", "--data", str(data), "--name", name, "--library", str(data.parent / "library"),
        "--head", "clip2video", "--epochs", str(epochs), "--patience", str(epochs), "--batch", "4",
        "--validation", "0.1", "--format", "json", *(["--keep"] if keep else []),
    ]  # fmt: skip


def test_the_whole_road(c2v: Run, demo_videos: Path, tmp_path: Path) -> None:
    """finetune (which indexes), evaluate both models, index with the new one, search."""
    data = tmp_path / "captions.csv"
    rows = [(demo_videos / f"{name}.mp4", text) for name, text in WORDS.items()]
    rows.append((tmp_path / "gone.mp4", "a film that is not there"))
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "sentence"), *rows])
    shared = ["--library", str(tmp_path / "library")]
    tuned = c2v(
        "finetune", "--data", data, "--name", "mine", "--model", "mini", "--head", "meanP",
        "--epochs", "5", "--validation", "0.3", "--keep", "--format", "json", *shared, code=4,
    )  # fmt: skip
    answer = json.loads(tuned.stdout)
    assert answer["missing"] == [{"path": str(tmp_path / "gone.mp4"), "reason": "no such file"}]
    assert (answer["pairs"], answer["videos"] + answer["held_back"]) == (10, 10)
    assert Path(answer["model"]).is_dir()
    assert (Path(answer["logs"]) / "log.csv").read_text().count("\n") >= 3
    assert "epoch 1/5" in tuned.stderr
    compared = c2v(
        "evaluate", "--data", data, "--model", "mini", "--model", "mine", "--format", "json",
        "--per-query", tmp_path / "queries.csv", "--html", tmp_path / "worst.html", *shared,
    )  # fmt: skip
    answer = json.loads(compared.stdout)
    assert [model["model"] for model in answer["models"]] == ["mini", "mine"]
    assert answer["skipped"] == [str(tmp_path / "gone.mp4")]
    assert (tmp_path / "worst.html").stat().st_size > 500
    c2v("index", demo_videos, "--model", "mine", *shared)
    found = json.loads(c2v("search", "a cat", "--format", "json", *shared).stdout)
    assert found["model"] == "mine"
    assert found["results"]


def test_what_was_not_worth_it_is_said_and_not_written(
    c2v: Run, data: Path, c2v_home: Path
) -> None:
    words = [*options(data, "mine", epochs=2, keep=False), "--learning-rate", "1e-12"]
    done = c2v(*words)
    answer = json.loads(done.stdout)
    assert answer["before"]["text_to_video"]["R@1"] < 100, "there was room"
    assert (answer["written"], answer["model"], answer["best_epoch"]) == (False, None, 0)
    assert answer["interrupted"] is False
    names = [one["name"] for one in json.loads(c2v("model", "list", "-f", "json").stdout)]
    assert "mine" not in names
    run_folder = c2v_home / "data" / "runs" / "mine"
    assert sorted(path.suffix for path in run_folder.iterdir() if path.suffix == ".pt") == []
    table = c2v(*words[:-4], *words[-2:])  # as people see it; the name is free
    assert "not worth it" in table.stderr
    assert "--keep" in table.stderr
    assert "c2v index --model" not in table.stderr
    kept = json.loads(c2v(*words, "--keep").stdout)
    assert kept["written"] is True
    assert Path(kept["model"]).is_dir()


def test_where_nothing_could_be_better_no_model_is_written_and_that_is_said(
    c2v: Run, demo_videos: Path, tmp_path: Path
) -> None:
    """A few videos that are all found before: nobody can tell whether it was worth it."""
    data = tmp_path / "captions.csv"
    with data.open("w", newline="") as file:
        rows = [(demo_videos / f"{name}.mp4", WORDS[name]) for name in ("crater", "call", "meadow")]
        csv.writer(file).writerows([("video", "caption"), *rows])
    done = c2v(
        "finetune", "--data", data, "--name", "mine", "--model", "mini", "--epochs", "1",
        "--library", tmp_path / "library",
    )  # fmt: skip
    assert "every caption had its video first" in done.stderr
    assert "--keep" in done.stderr
    assert "c2v index --model" not in done.stderr
    assert "3 videos, each held back once" in done.stdout


# The command itself, killed where its Nth checkpoint would replace the one before.
KILLED = """
import os, signal, sys
number, arguments = int(sys.argv[1]), sys.argv[2:]
count = 0
def hook(event, given):
    global count
    if event == "os.rename" and os.path.basename(given[1]) == "last.pt":
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
from c2v.cli.app import run
from c2v.training import loop
loop.SAVE_SECONDS = 0.0  # after each step, so that it can be killed after any
sys.exit(run(arguments))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("checkpoints", [1, 17])
def test_killed_anywhere_it_goes_on_to_the_same_end(
    c2v: Run, run_torch_script: Run, data: Path, c2v_home: Path, checkpoints: int
) -> None:
    whole = json.loads(c2v(*options(data, "whole", epochs=8)).stdout)
    words = options(data, "cut", epochs=8)
    run_torch_script("-c", KILLED, str(checkpoints + 1), *words, code=-signal.SIGKILL)
    assert (c2v_home / "data" / "runs" / "cut" / "last.pt").exists()
    resumed = json.loads(c2v(*words, "--resume").stdout)
    assert resumed["after"] == whole["after"]
    first, second = (Path(run["model"]) / "head.safetensors" for run in (whole, resumed))
    assert first.read_bytes() == second.read_bytes()


def test_an_interrupt_saves_and_says_how_to_go_on(
    start_with_torch: Callable[..., Any], data: Path, capsys: pytest.CaptureFixture[str],
    c2v_home: Path,
) -> None:  # fmt: skip
    process = start_with_torch(*options(data, "cut", epochs=5000))
    checkpoint = c2v_home / "data" / "runs" / "cut" / "last.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists():
        assert time.monotonic() < deadline
        assert process.is_running()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    done = process.wait(60)
    out, said = done.stdout, done.stderr
    assert done.returncode == 130, said
    assert "--name cut" in said
    assert "--resume" in said
    assert json.loads(out)["interrupted"] is True
    assert run(options(data, "cut", epochs=5000)) == 2
    refused = capsys.readouterr().err
    assert "not finished" in refused
    assert "--resume" in refused


# -- in this process: a process of its own for each takes seconds ----------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no rows"),
        ("film,words\na,b\n", "has no column 'video'"),
        ("video,caption\na.mp4,one\na.mp4,two\n", "1 video, nothing to tell apart"),
        ("video,caption\na.mp4,one,two\n", "line 2: 3 columns"),
    ],
)
def test_bad_data_is_one_sentence_and_one_hint(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(content)
    assert run(["finetune", "--data", str(file), "--name", "x"]) == 1
    complaint = capsys.readouterr().err
    assert said in complaint
    assert [line.split(":")[0] for line in complaint.splitlines()] == ["error", "hint"]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--train", "all", "the towers of mini are frozen"),
        ("--head", "tightTransf", "scores pairs"),
        ("--head", "nonsense", "--head nonsense"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    capsys: pytest.CaptureFixture[str], demo_videos: Path, tmp_path: Path, option: str,
    value: str, said: str,
) -> None:  # fmt: skip
    """The videos are there, but none of them is indexed for nothing."""
    data = tmp_path / "a.csv"
    rows = [[demo_videos / f"{name}.mp4", text] for name, text in WORDS.items()]
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([["video", "caption"], *rows])
    library = tmp_path / "library"
    words = ["finetune", "--data", str(data), "--name", "x", "--model", "mini", option, value]
    assert run([*words, "--library", str(library)]) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert "hint: " in complaint
    assert not library.exists()


def test_several_captions_and_duplicates_are_told(
    capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    lines = data.read_text().splitlines()
    data.write_text("\n".join([*lines, lines[1], lines[2].split(",")[0] + ",another sentence"]))
    assert run(options(data, "several", epochs=1)) == 0
    done = capsys.readouterr()
    assert "1 row is in captions.csv a second time" in done.err
    assert json.loads(done.out)["pairs"] == 25


def test_under_torchrun_a_missing_video_is_no_failed_worker(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    """It would start all workers again for any other code than 0."""
    data.write_text(data.read_text() + f"{data.parent / 'gone.mp4'},a film\n")
    assert run(options(data, "alone", epochs=1)) == 4
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert run(options(data, "together", epochs=1)) == 0
    assert capsys.readouterr().out.count('"reason": "no such file"') == 2


def test_a_script_gets_what_the_command_prints(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from c2v.services.finetuning import Wish
    from c2v.training.choices import Choices

    choices = Choices(head="clip2video", epochs=1, patience=1, batch=4, validation=0.1)
    with VideoLibrary(load_settings(library=str(data.parent / "library"))) as videos:
        result = videos.finetune(Wish(str(data), choices, name="script", keep=True))
    assert run(options(data, "command", epochs=1)) == 0
    printed, mine = json.loads(capsys.readouterr().out), result.as_dict()
    assert list(mine) == list(printed)
    for different in ("name", "model", "logs", "elapsed_s"):
        mine.pop(different), printed.pop(different)
    assert json.loads(json.dumps(mine)) == printed
    assert (result.logs / "log.csv").is_file()

"""``c2v finetune`` as it is typed: the whole road, interruptions, and what is said of bad data."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from c2v.training.captions import Captions

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
def toys() -> ModuleType:
    path = Path(__file__).parents[1] / "training" / "toys.py"
    spec = importlib.util.spec_from_file_location("c2v_cli_toys", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["c2v_cli_toys"] = module
    spec.loader.exec_module(module)
    return module


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


def options(data: Path, name: str, *, epochs: int) -> list[str]:
    return [
        "finetune", "--data", str(data), "--name", name, "--library", str(data.parent / "library"),
        "--head", "clip2video", "--epochs", str(epochs), "--patience", str(epochs), "--batch", "4",
        "--format", "json",
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
        "--epochs", "5", "--format", "json", *shared, code=4,
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


def test_killed_anywhere_it_goes_on_to_the_same_end(
    c2v: Run, data: Path, c2v_home: Path
) -> None:
    whole = json.loads(c2v(*options(data, "whole", epochs=60)).stdout)
    process = subprocess.Popen(
        [sys.executable, "-m", "c2v", *options(data, "cut", epochs=60)],
        env=os.environ.copy(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoint = c2v_home / "data" / "runs" / "cut" / "last.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, "over before it could be killed"
        time.sleep(0.01)
    time.sleep(random.uniform(0, 1.0))
    process.kill()
    assert process.wait() in (-signal.SIGKILL, 0)
    resumed = json.loads(c2v(*options(data, "cut", epochs=60), "--resume").stdout)
    assert resumed["after"] == whole["after"]
    first, second = (Path(run["model"]) / "head.safetensors" for run in (whole, resumed))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_saves_and_says_how_to_go_on(
    data: Path, c2v: Run, c2v_home: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "c2v", *options(data, "cut", epochs=5000)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    checkpoint = c2v_home / "data" / "runs" / "cut" / "last.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "--resume" in said
    assert json.loads(out)["interrupted"] is True
    refused = c2v(*options(data, "cut", epochs=5000), code=2)
    assert "not finished" in refused.stderr
    assert "--resume" in refused.stderr


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("", 1, "has no rows"),
        ("film,words\na,b\n", 1, "has no column 'video'"),
        ("video,caption\na.mp4,one\na.mp4,two\n", 1, "nothing to tell apart"),
    ],
)
def test_bad_data_is_one_sentence_and_one_hint(
    c2v: Run, tmp_path: Path, content: str, code: int, said: str
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(content)
    done = c2v("finetune", "--data", file, "--name", "x", code=code)
    assert said in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_frozen_towers_are_said_before_any_work(
    c2v: Run, demo_library: Path, tmp_path: Path
) -> None:
    data = tmp_path / "a.csv"
    data.write_text("video,caption\na.mp4,one\nb.mp4,two\nc.mp4,three\n")
    done = c2v(
        "finetune", "--data", data, "--name", "x", "--train", "all", "--library", demo_library,
        code=2,
    )  # fmt: skip
    assert "the towers of mini are frozen" in done.stderr
    assert "hint: --train head" in done.stderr


def test_several_captions_and_duplicates_are_told(c2v: Run, data: Path) -> None:
    lines = data.read_text().splitlines()
    data.write_text("\n".join([*lines, lines[1], lines[2].split(",")[0] + ",another sentence"]))
    done = c2v(*options(data, "several", epochs=1))
    assert "1 row is in captions.csv a second time" in done.stderr
    assert json.loads(done.stdout)["pairs"] == 25

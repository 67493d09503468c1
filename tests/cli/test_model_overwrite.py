"""``c2v model import --overwrite`` killed at any moment: the model is the old or the new one."""

from __future__ import annotations

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
import torch

from c2v.config import models_dir
from c2v.encoder.bundle import load_bundle
from c2v.encoder.registry import find_bundle, list_bundles

Run = Callable[..., subprocess.CompletedProcess[str]]

# The command itself, killed before its Nth call of a kind below the folder of models.
KILLED = """
import os, signal, sys
event, number, models, arguments = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
from c2v.files import drafts
from c2v.cli.app import run
if event == "os.rename":  # what a system without an exchange of names does
    drafts._exchange = lambda first, second: False
count = 0
def hook(seen, given):
    global count
    if seen != event or (event == "os.rename" and models not in str(given)):
        return
    if event == "ctypes.dlsym" and given[1] != "renameat2":
        return
    if event == "os.remove" and not drafts_left():
        return
    count += 1
    if count == number:
        os.kill(os.getpid(), signal.SIGKILL)
def drafts_left():
    return any(name.startswith(".c2v-") for name in os.listdir(models))
sys.addaudithook(hook)
sys.exit(run(arguments))
"""


@pytest.fixture(scope="module")
def c2v(c2v_with_torch: Run) -> Run:
    return c2v_with_torch


@pytest.mark.skipif(sys.platform != "linux", reason="names the system calls of Linux")
@pytest.mark.parametrize(
    ("event", "number", "becomes"),
    [
        ("ctypes.dlsym", 1, "old"),  # the exchange is about to be made
        ("os.remove", 1, "new"),  # it has been made, the old model is about to be removed
        ("os.rename", 1, "old"),  # the old model is about to step aside
        ("os.rename", 2, "old"),  # it has, and there is none of that name
        ("os.remove", 3, "new"),
    ],
)
def test_killed_while_it_replaces_a_model(
    run_torch_script: Run, tmp_path: Path, toys: ModuleType, event: str,
    number: int, becomes: str,
) -> None:  # fmt: skip
    old = toys.make_bundle("mine")
    state = {f"clip.{key}": value for key, value in _state(old.directory).items()}
    torch.save(state, tmp_path / "model.bin")
    words = ("model", "import", tmp_path / "model.bin", "--name", "mine", "--overwrite")
    run_torch_script(
        "-c", KILLED, event, str(number), str(models_dir()), *words, code=-signal.SIGKILL
    )
    assert len(list(models_dir().iterdir())) == (1 if (event, number) == ("os.rename", 2) else 2)
    assert find_bundle("mine") is not None, "the model is gone"
    bundle = load_bundle("mine", device="cpu")
    bundle.verify()
    assert bundle.config.source == {"old": "a test", "new": "imported from model.bin"}[becomes]
    assert [b.problem for b in list_bundles() if b.origin == "user"] == [""]
    assert [path.name for path in models_dir().iterdir()] == ["mine"], "the draft is swept"


def _state(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    visual = load_file(folder / "image.safetensors")
    state = {f"visual.{key}": value for key, value in visual.items()}
    return state | load_file(folder / "text.safetensors") | load_file(folder / "extra.safetensors")


def test_two_imports_of_one_name_at_once(
    start_with_torch: Callable[..., Any], tmp_path: Path, toys: ModuleType
) -> None:
    """One of them wins, the other says that the name is taken."""
    state = {f"clip.{key}": value for key, value in _state(toys.make_bundle().directory).items()}
    torch.save(state, tmp_path / "model.bin")
    words = ("model", "import", tmp_path / "model.bin", "--name", "both")
    several = [done.wait(120) for done in [start_with_torch(*words), start_with_torch(*words)]]
    said = [done.stderr for done in several]
    codes = [done.returncode for done in several]
    assert sorted(codes) == [0, 1], said
    assert "there is a model named both already" in said[codes.index(1)]
    load_bundle("both", device="cpu").verify()


def test_only_one_run_of_a_name_at_a_time(c2v: Run, tmp_path: Path, c2v_home: Path) -> None:
    from c2v.files.drafts import sole_owner

    data = tmp_path / "a.csv"
    data.write_text("video,caption\na,one\nb,two\nc,three\n")
    with sole_owner(c2v_home / "data" / "runs" / "mine"):
        refused = c2v("finetune", "--data", data, "--name", "mine", code=2)
    assert "a run named mine is going on in another process" in refused.stderr


def test_indexing_for_a_run_obeys_the_settings(c2v: Run, demo_videos: Path, tmp_path: Path) -> None:
    """``segment`` in the settings is that of ``c2v index``."""
    rows = [f"{path},a film of {path.stem}" for path in sorted(demo_videos.glob("*.mp4"))[:4]]
    data = tmp_path / "a.csv"
    data.write_text("\n".join(["video,caption", *rows]) + "\n")
    started = time.monotonic()
    c2v("finetune", "--keep", "--data", data, "--model", "mini", "--head", "meanP", "--epochs", "1",
        "-L", tmp_path / "library", C2V_SEGMENT="2")  # fmt: skip
    assert time.monotonic() - started < 300
    found = json.loads(
        c2v("search", "a", "--moments", "--top", "100", "--format", "json", "-L",
            tmp_path / "library").stdout
    )  # fmt: skip
    lengths = [result["end"] - result["start"] for result in found["results"]]
    assert len(lengths) > 4
    assert max(lengths) < 4.01

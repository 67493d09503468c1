"""``c2v model import --overwrite`` killed at any moment: the model is the old or the new one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from c2v.config import models_dir
from c2v.encoder.bundle import load_bundle
from c2v.encoder.registry import find_bundle, list_bundles

Run = Callable[..., subprocess.CompletedProcess[str]]

# The command itself, in this process's copy, killed before the Nth change of the folder of models.
KILLED = """
import os, signal, sys
step, models, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
EVENTS = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.chmod")
import c2v.encoder.importing, c2v.encoder.weight_files, c2v.cli.app, open_clip
from c2v import drafts
if os.environ.get("WITHOUT_EXCHANGE"):
    drafts._exchange = lambda first, second: False
count = 0
def hook(event, given):
    global count
    names = [os.fsdecode(x) for x in given if isinstance(x, (str, bytes, os.PathLike))]
    touched = any(models in name for name in names)
    relative = event in ("os.remove", "os.rmdir")  # rmtree walks by descriptors
    if (event in EVENTS and (touched or relative)) or (event == "open" and touched):
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)
for step in [step] if step else range(1, 400):
    count = 0
    child = os.fork()
    if child == 0:
        sys.addaudithook(hook)
        os._exit(c2v.cli.app.run(arguments))
    _, status = os.waitpid(child, 0)
    print(step, status, flush=True)
    if sys.stdin.readline() != "go on\\n" or status == 0:
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills copies of a process")
@pytest.mark.parametrize("exchange", [True, False])
def test_killed_at_every_step(
    tmp_path: Path, load_helper: Callable[[str], ModuleType], exchange: bool
) -> None:
    toys = load_helper("training/toys.py")
    old = toys.make_bundle("mine")
    state = {
        "clip." + key: value
        for key, value in _state(old.directory).items()
    }  # fmt: skip
    torch.save(state, tmp_path / "model.bin")
    arguments = ["model", "import", str(tmp_path / "model.bin"), "--name", "mine", "--overwrite"]
    killer = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLED, "0", str(models_dir()), *arguments, "-q"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | ({} if exchange else {"WITHOUT_EXCHANGE": "1"}),
    )  # fmt: skip
    assert killer.stdin is not None
    assert killer.stdout is not None
    kinds: list[str] = []
    for line in killer.stdout:
        _, status = map(int, line.split())
        assert status in (0, signal.SIGKILL)
        found = find_bundle("mine")
        assert found is not None, "the model is gone"
        bundle = load_bundle("mine", device="cpu")
        bundle.verify()
        kinds.append(bundle.config.source)
        assert [b.problem for b in list_bundles() if b.origin == "user"] == [""]
        if status == 0:
            break
        killer.stdin.write("go on\n")
        killer.stdin.flush()
    killer.communicate(timeout=60)
    assert len(kinds) > 15
    assert kinds[0] == "a test"
    assert kinds[-1] == "imported from model.bin"
    for path in models_dir().glob(".c2v-*"):  # killed before it had its lock
        os.utime(path, (0, 0))
    list_bundles()
    assert [path.name for path in models_dir().iterdir()] == ["mine"]


def _state(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    visual = load_file(folder / "image.safetensors")
    state = {f"visual.{key}": value for key, value in visual.items()}
    return state | load_file(folder / "text.safetensors") | load_file(folder / "extra.safetensors")


def test_two_imports_of_one_name_at_once(
    c2v: Run, tmp_path: Path, load_helper: Callable[[str], ModuleType]
) -> None:
    """One of them wins, the other says that the name is taken."""
    toys = load_helper("training/toys.py")
    state = {f"clip.{key}": value for key, value in _state(toys.make_bundle().directory).items()}
    torch.save(state, tmp_path / "model.bin")
    command = [sys.executable, "-m", "c2v", "model", "import", str(tmp_path / "model.bin"),
               "--name", "both"]  # fmt: skip
    several = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in several]
    codes = [process.returncode for process in several]
    assert sorted(codes) == [0, 1], said
    assert "there is a model named both already" in said[codes.index(1)]
    load_bundle("both", device="cpu").verify()


def test_only_one_run_of_a_name_at_a_time(c2v: Run, tmp_path: Path, c2v_home: Path) -> None:
    from c2v.drafts import sole_owner

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
    c2v("finetune", "--data", data, "--model", "mini", "--head", "meanP", "--epochs", "1",
        "-L", tmp_path / "library", C2V_SEGMENT="2")  # fmt: skip
    assert time.monotonic() - started < 300
    found = json.loads(
        c2v("search", "a", "--moments", "--top", "100", "--format", "json", "-L",
            tmp_path / "library").stdout
    )  # fmt: skip
    lengths = [result["end"] - result["start"] for result in found["results"]]
    assert len(lengths) > 4
    assert max(lengths) < 4.01

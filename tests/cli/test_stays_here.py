"""Everything runs on this machine: what commands write outside C2V_HOME, and whom they look up.

ONNX Runtime's telemetry keeps still where a variable says that a continuous integration runs it, so
the processes here get an environment made from nothing. Where strace is installed (Debian: apt
install strace) every system call that opens a socket, reads the resolver's settings or creates a
file is looked at, in all threads, Python's and native; without it those tests are skipped, and the
folders are compared all the same.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

from c2v.encoder.architecture import architectures

ROOT = Path(__file__).parents[2]
CALLS = "network,open,openat,creat,mkdir,mkdirat,symlink,symlinkat,link,linkat,rename,renameat"
SOCKET = re.compile(r"\b(?:socket|connect|sendto|sendmsg|bind)\(.*\bAF_INET6?\b")
RESOLVER = re.compile(r'\bopen(?:at)?\(.*"/etc/(?:resolv\.conf|hosts|gai\.conf)"|/resolve/io\.')
CREATED = re.compile(
    r'\b(?:(?:open|openat|creat)\([^"]*"(?P<file>/[^"]*)",[^)]*O_(?:CREAT|WRONLY|RDWR)[^=]*=\s*\d'
    r'|(?:mkdir|mkdirat|symlink|symlinkat|link|linkat|rename|renameat)\(.*"(?P<entry>/[^"]*)".*= 0)'
)


@dataclass
class Machine:
    """A user's folders, all of them fresh, and the processes that run there."""

    root: Path
    outside: list[str] = field(default_factory=list)  # created elsewhere, as strace saw it
    looked_up: list[str] = field(default_factory=list)
    traced: bool = False

    def environment(self, **more: str) -> dict[str, str]:
        folders = {
            "HOME": "home", "XDG_CACHE_HOME": "xdg/cache", "XDG_DATA_HOME": "xdg/data",
            "XDG_CONFIG_HOME": "xdg/config", "XDG_STATE_HOME": "xdg/state", "TMPDIR": "tmp",
            "C2V_HOME": "c2v",
        }  # fmt: skip
        for folder in [*folders.values(), "here"]:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        return {
            **{name: str(self.root / folder) for name, folder in folders.items()},
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            **more,
        }

    def run(self, *arguments: str | Path, **more: str) -> str:
        """Run this Python with arguments; what it printed."""
        command = [sys.executable, *map(str, arguments)]
        trace = self.root / "trace"
        if can_trace():
            options = ["-f", "-qq", "--seccomp-bpf", "-s", "300", "-e", f"trace={CALLS}"]
            command = ["strace", *options, "-o", str(trace), *command]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL,
            env=self.environment(**more), cwd=self.root / "here",
        )  # fmt: skip
        assert done.returncode in (0, 5), (arguments, done.stdout, done.stderr)
        if can_trace():
            self._read(trace)
            trace.unlink()
        return done.stdout + done.stderr

    def _read(self, trace: Path) -> None:
        self.traced = True
        for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
            if SOCKET.search(line) or RESOLVER.search(line):
                self.looked_up.append(line)
            if found := CREATED.search(line):
                path = found["file"] or found["entry"]
                if not path.startswith((f"{self.root}/", "/dev/", "/proc/", "/sys/")):
                    self.outside.append(line)

    def left(self) -> list[str]:
        """Files and folders that are in none of C2V_HOME and the hub's cache."""
        ours = self.root / "c2v"
        made = {self.root / name for name in ("home", "xdg", "tmp", "here")}
        made |= {path for path in (self.root / "xdg").iterdir()}
        hub = (self.root / "xdg/cache/huggingface", self.root / "home/.cache/huggingface")
        return sorted(
            str(path.relative_to(self.root))
            for path in self.root.rglob("*")
            if path not in made and path != ours and ours not in path.parents
            if not any(path == folder or folder in path.parents for folder in hub)
        )


def can_trace() -> bool:
    """Whether strace is here, and allowed to trace (some containers forbid it)."""
    if shutil.which("strace") is None:
        return False
    probe = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=openat", "-o", os.devnull, "true"]
    return subprocess.run(probe, capture_output=True).returncode == 0


def require_trace() -> None:
    if not can_trace():
        pytest.skip("strace is not installed or may not trace: native connections go unseen")


def make_checkpoint(path: Path) -> None:
    """A small CLIP of open_clip's with random weights."""
    import open_clip
    import torch

    torch.manual_seed(0)
    config = json.loads(architectures("a toy CLIP")["ViT-S-32-alt"].read_text())
    model = open_clip.CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])
    torch.save(model.state_dict(), path)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# Those that import PyTorch, in one process: importing it under strace takes seconds.
LINES = """
import json
import sys
from c2v.cli.app import run
for line in json.loads(sys.argv[1]):
    assert run(line) == 0, line
"""


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, videos: ModuleType) -> Machine:
    """A machine on which every command was run once."""
    machine = Machine(tmp_path_factory.mktemp("used"))
    clips = machine.root / "c2v" / "clips"  # the test's own files lie where c2v may write
    clips.mkdir(parents=True)
    for number in range(4):
        videos.make_video(clips / f"{number}.mp4", videos.Recipe(count=40, rate=10))
    captions = clips / "captions.csv"
    with captions.open("w", newline="") as file:
        rows = [(f"{n}.mp4", f"the number {n} in {word}") for n in range(4) for word in ("a", "b")]
        csv.writer(file).writerows([("video", "caption"), *rows])
    labels = clips / "labels.txt"
    labels.write_text("a number\na dog\n")

    heavy: list[list[str | Path]] = []
    commands: list[list[str | Path]] = [
        ["--help"],
        ["config", "show"],
        ["config", "set", "model", "auto"],
        ["config", "unset", "model"],
        ["model", "list"],
        ["index", clips, "--model", "mini"],
        ["search", "a number"],
        ["search", "a number", "--strategy", "exact"],
        ["search", "--video", clips / "1.mp4"],
        ["describe", clips / "1.mp4", "--labels", labels],
        ["status"],
        ["evaluate", "--data", captions, "--videos", clips],
        ["model", "info", "mini"],
        ["remove", clips / "3.mp4", "--yes"],
    ]
    if importlib.util.find_spec("open_clip") is not None:
        checkpoint = machine.root / "c2v" / "clip.pt"
        make_checkpoint(checkpoint)
        imported: list[str | Path] = ["model", "import", checkpoint, "--name", "small"]
        heavy.append([*imported, "--architecture", "ViT-S-32-alt"])
        heavy.append(["model", "export", "small", machine.root / "c2v" / "again.pt"])
        heavy.append(["index", clips, "--model", "small", "-L", "second"])
        heavy.append(["search", "a number", "-L", "second"])
        finetune: list[str | Path] = ["finetune", "--data", captions, "--videos", clips]
        finetune += ["--name", "own", "--epochs", "1", "--head", "clip2video", "--keep"]
        heavy.append(finetune)
        heavy.append(["index", clips, "--model", "own"])
        heavy.append(["search", "a number"])
    if importlib.util.find_spec("skimage") is not None:
        commands.append(["demo"])
    for command in commands:
        machine.run("-m", "c2v", *command)
    machine.run("-c", LINES, json.dumps([list(map(str, command)) for command in heavy]))
    return machine


def test_nothing_is_written_outside(used: Machine) -> None:
    assert used.left() == []
    assert used.outside == []


def test_no_address_is_looked_up(used: Machine) -> None:
    require_trace()
    assert used.traced
    assert used.looked_up == []


FROM_PYTHON = """
import time
import numpy as np
from c2v.encoder import load_bundle
bundle = load_bundle("mini", device="cpu")
bundle.encode_frames(np.zeros((1, 224, 224, 3), np.uint8))
time.sleep(4)  # time to report
"""


@pytest.mark.parametrize("setting", [{}, {"ORT_DISABLE_TELEMETRY": ""}])
def test_use_from_python(machine: Machine, setting: dict[str, str]) -> None:
    machine.run("-c", FROM_PYTHON, **setting)
    assert machine.left() == []
    assert machine.outside == []
    assert machine.looked_up == []


def test_telemetry_for_whoever_asks_for_it(machine: Machine) -> None:
    """And so that what the other tests look for is what the runtime leaves."""
    if tuple(map(int, version("onnxruntime").split(".")[:2])) < (1, 29):
        pytest.skip("this ONNX Runtime has no telemetry")
    machine.run("-c", FROM_PYTHON, ORT_DISABLE_TELEMETRY="0")
    assert any("onnxruntime.db" in path for path in machine.left())


def test_a_program_that_had_imported_the_runtime_before(machine: Machine) -> None:
    script = """
import onnxruntime
switched = []
real = onnxruntime.disable_telemetry_events
onnxruntime.disable_telemetry_events = lambda: (switched.append(1), real())
from c2v.encoder.towers.onnx_runtime import onnx_runtime
assert onnx_runtime() is onnxruntime
print("switched", len(switched))
"""
    assert "switched 1" in machine.run("-c", script)
    assert "switched 0" in machine.run("-c", script, ORT_DISABLE_TELEMETRY="0")


def test_the_trace_sees_what_it_looks_for(machine: Machine) -> None:
    require_trace()
    machine.run("-c", "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)")
    assert len(machine.looked_up) == 1
    machine.looked_up.clear()
    machine.run("-c", "import socket\ntry: socket.gethostbyname('c2v.invalid')\nexcept OSError: 0")
    assert machine.looked_up
    elsewhere = machine.root.with_name(f"{machine.root.name}-elsewhere")
    machine.run("-c", f"open({str(elsewhere)!r}, 'w')")
    elsewhere.unlink()
    assert any(str(elsewhere) in line for line in machine.outside)
    machine.run("-c", "open('kept', 'w'); import os; os.mkdir(os.environ['TMPDIR'] + '/x')")
    assert machine.left() == ["here/kept", "tmp/x"]
    machine.outside.clear()
    machine.run("-c", "import os; open(os.environ['C2V_HOME'] + '/x', 'w')")
    assert machine.outside == []


def test_the_hub_client_is_told_too(machine: Machine) -> None:
    script = """
import c2v
from huggingface_hub.utils import build_hf_headers
print(build_hf_headers(library_name="c2v")["user-agent"])
"""
    printed = machine.run("-c", script, AI_AGENT="somebody")
    assert "hf_hub/" in printed
    assert "torch/" not in printed
    assert "agent/" not in printed.replace("user-agent", "")


def test_one_place_imports_the_runtime() -> None:
    importing = re.compile(r"^\s*(?:import|from)\s+onnxruntime\b", re.MULTILINE)
    found = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "c2v").rglob("*.py")
        if importing.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["c2v/encoder/towers/onnx_runtime.py"]

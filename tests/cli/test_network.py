"""When c2v connects, and when it never does: a server of the test stands for the hub."""

from __future__ import annotations

import csv
import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.errors import EXIT_NO_MATCH

Run = Callable[..., subprocess.CompletedProcess[str]]
REPOSITORY = "timm/vit_base_patch32_clip_224.openai"
LINE = "fetching ViT-B-32 from 127.0.0.1:{port} (605 MB)"


class Hub(ThreadingHTTPServer):
    """Answers, and has nothing; notes what was on the asker's standard error at each request.

    With ``endless`` it has a large file, sends the first of it and then waits.
    """

    daemon_threads = True

    def __init__(self, said: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.said = said
        self.asked: list[tuple[str, str, str]] = []  # path, user agent, what was said before
        self.port = self.server_address[1]
        self.endless = False
        self.sending = threading.Event()
        self.over = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self.do_HEAD()
        if self.server.endless and self.path.endswith(".safetensors"):
            self.wfile.write(bytes(1 << 20))
            self.server.sending.set()
            self.server.over.wait(120)

    def do_HEAD(self) -> None:
        said = self.server.said.read_text() if self.server.said.exists() else ""
        self.server.asked.append((self.path, self.headers.get("user-agent", ""), said))
        if self.server.endless and self.path.endswith(".safetensors"):
            self.send_response(200)
            self.send_header("Content-Length", str(64 << 20))
            self.send_header("ETag", '"0123"')
            self.send_header("X-Repo-Commit", "0" * 40)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing: pytest's output is not a server's log."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    server = Hub(tmp_path / "stderr")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def ask(
    hub: Hub, tmp_path: Path, run_script: Run, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Run ``c2v ARGUMENTS`` with that hub, its standard error in a file; what stands there."""
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)

    def run(*arguments: str | Path, code: int = 0, **environment: str) -> str:
        script = "import os, sys; os.dup2(os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | "
        script += "os.O_TRUNC), 2); from c2v.__main__ import main; main()"
        settings = {
            "HF_ENDPOINT": f"http://127.0.0.1:{hub.port}",
            "HF_HOME": str(tmp_path / "hf"),
            "C2V_HOME": str(tmp_path / "home"),
            **environment,
        }
        done = run_script("-c", script, hub.said, *arguments, code=None, **settings)
        said = hub.said.read_text()
        assert done.returncode == code, (arguments, done.stdout, said)
        return said

    return run


@pytest.fixture
def clips(tmp_path: Path, videos: ModuleType) -> Path:
    """Four videos, their captions and some labels."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(4):
        videos.make_video(folder / f"{number}.mp4", videos.Recipe(count=20, rate=10))
    with (folder / "captions.csv").open("w", newline="") as file:
        rows = [(f"{number}.mp4", f"the number {number}") for number in range(4)]
        csv.writer(file).writerows([("video", "caption"), *rows])
    (folder / "labels.txt").write_text("a number\na dog\n")
    return folder


def test_commands_that_never_connect(ask: Callable[..., str], hub: Hub, clips: Path) -> None:
    labels = clips / "labels.txt"
    said = ask("describe", clips / "0.mp4", "--labels", labels)  # without a library
    assert "mini" in said
    assert "c2v model pull ViT-B-32" in said
    ask("index", clips, "--model", "mini")
    ask("index", clips)  # a library that has a model
    ask("search", "a number", code=EXIT_NO_MATCH)
    ask("search", "--video", clips / "1.mp4")
    ask("describe", clips / "0.mp4", "--labels", labels)
    ask("describe", clips / "0.mp4", "--labels", labels, "--model", "mini")
    ask("status")
    ask("evaluate", "--data", clips / "captions.csv", "--videos", clips)
    ask("model", "list")
    ask("index", clips, "-L", "second", C2V_MODEL="mini")
    said = ask("index", clips, "-L", "third", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE=1" in said
    assert "using the small model mini" in said
    ask("index", clips, "-L", "fourth", TRANSFORMERS_OFFLINE="1")
    said = ask("model", "pull", "ViT-B-32", code=1, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE=1" in said
    assert hub.asked == []


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16-quickgelu/openai"])
def test_a_model_by_name_that_is_not_here(
    ask: Callable[..., str], hub: Hub, clips: Path, name: str
) -> None:
    ask("index", clips, "--model", "mini", "-L", "held")
    for arguments in (
        ("index", clips),
        ("describe", clips / "0.mp4", "--labels", clips / "labels.txt"),
        ("evaluate", "--data", clips / "captions.csv", "--videos", clips, "-L", "held"),
        ("finetune", "--data", clips / "captions.csv", "--videos", clips, "--name", "own"),
        ("demo",),
    ):
        said = ask(*arguments, "--model", name, code=1)
        assert f"the model {name} is not on this machine" in said
        assert f"c2v model pull {name}" in said
    said = ask("index", clips, code=1, C2V_MODEL=name)
    assert f"c2v model pull {name}" in said
    assert hub.asked == []
    assert not (clips.parent / "home" / "data" / "libraries" / "default").exists()


def test_a_library_whose_model_is_gone(
    ask: Callable[..., str], hub: Hub, clips: Path, tmp_path: Path
) -> None:
    """It is not fetched behind the back of a search."""
    from c2v.encoder.bundle import load_bundle
    from c2v.indexing.reembedding import model_record
    from c2v.library import open_store

    ask("index", clips, "--model", "mini")
    library = tmp_path / "home" / "data" / "libraries" / "default"
    record = model_record(load_bundle("mini"))
    with open_store(library) as opened, opened.writer():
        opened.set_model(dataclasses.replace(record, name="ViT-B-32"))
    for arguments in (
        ("search", "a number"),
        ("search", "--video", clips / "0.mp4"),
        ("index", clips),
        ("evaluate", "--data", clips / "captions.csv", "--videos", clips),
    ):
        assert "c2v model pull ViT-B-32" in ask(*arguments, code=1)
    assert hub.asked == []


def test_the_demo_needs_no_network(ask: Callable[..., str], hub: Hub) -> None:
    pytest.importorskip("skimage")
    assert "using the small model mini" in ask("demo")
    assert hub.asked == []


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
@pytest.mark.parametrize("command", ["pull", "index", "finetune"])
def test_one_line_comes_before_a_connection(
    ask: Callable[..., str], hub: Hub, clips: Path, command: str, quiet: tuple[str, ...]
) -> None:
    line = LINE.format(port=hub.port)
    captions = clips / "captions.csv"
    arguments: dict[str, tuple[tuple[str | Path, ...], str]] = {
        "pull": (("model", "pull", "ViT-B-32"), line),
        "index": (("index", clips), f"{line}; c2v index --model mini needs none"),
        "finetune": (
            ("finetune", "--data", captions, "--videos", clips, "--name", "own"),
            f"{line}; c2v finetune --model mini needs none",
        ),
    }
    words, line = arguments[command]
    said = ask(*words, *quiet, code=1)  # the hub is there, and does not have it
    assert said.splitlines().count(line) == 1
    assert REPOSITORY in said.split("error: ")[1]
    assert hub.asked
    for path, agent, before in hub.asked:
        assert line in before.splitlines()
        assert path == "/" or REPOSITORY in path  # nothing else is asked for
        assert "torch/" not in agent
    assert not (clips.parent / "home" / "data" / "libraries" / "default").exists()


@pytest.mark.parametrize("command", ["pull", "index"])
def test_interrupted_while_it_comes(hub: Hub, clips: Path, tmp_path: Path, command: str) -> None:
    hub.endless = True
    home = tmp_path / "home"
    settings = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.port}", "HF_HOME": str(tmp_path / "hf")}
    words = ["model", "pull", "ViT-B-32"] if command == "pull" else ["index", str(clips)]
    process = subprocess.Popen(
        [sys.executable, "-m", "c2v", *words],
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        env=os.environ | settings | {"C2V_HOME": str(home)},
    )  # fmt: skip
    assert hub.sending.wait(120)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    lines = said.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(LINE.format(port=hub.port))
    assert lines[1].startswith("licence of ViT-B-32: MIT (https://")
    assert lines[2].startswith("ViT-B-32 was not fetched in full")
    assert lines[2].endswith("what came is kept, to go on: c2v model pull ViT-B-32")
    (part,) = home.rglob("*.safetensors")
    assert (home / "cache" / "downloads") in part.parents
    assert not (home / "data" / "libraries").exists()


def test_no_hub_to_be_reached(ask: Callable[..., str], hub: Hub, clips: Path) -> None:
    hub.shutdown()
    hub.server_close()
    said = ask("index", clips)
    lines = [line for line in said.splitlines() if "ViT-B-32" in line]
    assert lines[0].startswith(LINE.format(port=hub.port))
    assert f"127.0.0.1:{hub.port} cannot be reached: using the small model mini" in lines[1]
    assert "c2v model pull ViT-B-32" in lines[1]


def test_weights_in_the_cache_need_no_connection(
    ask: Callable[..., str], hub: Hub, tmp_path: Path
) -> None:
    """A file that is no weights shows the road: it is read, and nobody was asked for it."""
    cached = tmp_path / "hf" / "hub" / f"models--{REPOSITORY.replace('/', '--')}"
    revision = "0" * 40
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(revision)
    file = cached / "snapshots" / revision / "open_clip_model.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(8) + b"{ no weights")
    said = ask("model", "pull", "ViT-B-32", code=1)
    assert file.name in said
    assert "fetching" not in said
    assert hub.asked == []

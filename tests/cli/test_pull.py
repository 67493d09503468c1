"""``c2v model pull`` from servers and folders, and what is said of licences."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
LICENCE = "CC-BY-NC-4.0, no commercial use (https://example.org/licence)"
FILE = "text.safetensors"


@pytest.fixture(scope="module")
def made(toys: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of c2v in a folder: 13 MB."""
    folder: Path = toys.write_bundle(
        tmp_path_factory.mktemp("made") / "tiny", "tiny", licence=LICENCE
    )
    return folder


@pytest.fixture
def hub(load_helper: Callable[[str], ModuleType], made: Path) -> Iterator[Any]:
    """A server that has the files of that folder."""
    with load_helper("hub_server.py").Hub() as server:
        server.files = {path.name: path.read_bytes() for path in made.iterdir()}
        server.tags, server.ranges = "none", True
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def pull(c2v: Run, home: Path) -> Run:
    def run(*words: str | Path, code: int = 0, **environment: str) -> Any:
        variables = {"C2V_HOME": str(home), "HF_HUB_OFFLINE": "0"} | environment
        return c2v("model", "pull", *words, code=code, **variables)

    return run


@pytest.mark.parametrize("kind", ["folder", "file://", "around it", "http://"])
@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_a_model_of_c2v_from_somewhere(
    pull: Run, hub: Any, made: Path, home: Path, c2v: Run, kind: str, quiet: tuple[str, ...]
) -> None:
    name = "tiny" if kind == "around it" else "other"
    place = {
        "folder": str(made), "file://": made.as_uri(), "around it": str(made.parent),
        "http://": hub.url,
    }[kind]  # fmt: skip
    lines = pull(name, "--from", place, *quiet).stderr.splitlines()
    assert lines[0].startswith(f"fetching {name} from ")
    assert lines[1] == f"licence of {name}: {LICENCE}"
    facts = json.loads(c2v("model", "info", name, "--format", "json", C2V_HOME=str(home)).stdout)
    assert facts["licence"] == LICENCE
    assert facts["use"] == "not commercial"
    listed = c2v("model", "list", C2V_HOME=str(home)).stdout
    assert "CC-BY-NC-4.0, not commercial" in listed
    config = json.loads((home / "data" / "models" / name / "config.json").read_text())
    assert config["name"] == name
    assert config["fingerprint"] == json.loads((made / "config.json").read_text())["fingerprint"]
    said = pull(name, "--from", place, code=1).stderr
    assert "is on this machine already" in said
    if kind == "http://":
        assert not list((home / "cache" / "downloads").iterdir())


@pytest.mark.parametrize("ranges", [True, False])
def test_killed_in_the_middle_only_the_rest_is_fetched(
    pull: Run, hub: Any, home: Path, ranges: bool
) -> None:
    hub.pause, hub.ranges = 0.02, ranges
    size = len(hub.files[FILE])
    process = subprocess.Popen(
        [sys.executable, "-m", "c2v", "model", "pull", "tiny", "--from", hub.url],
        env=os.environ | {"C2V_HOME": str(home), "HF_HUB_OFFLINE": "0"},
        stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while hub.sent.get(FILE, 0) < size // 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    (part,) = (home / "cache" / "downloads").rglob(FILE)
    kept = part.stat().st_size
    assert size // 4 < kept < size
    assert not (home / "data" / "models" / "tiny").exists()
    hub.pause = 0.0
    before = len(hub.answers)
    pull("tiny", "--from", hub.url)
    sent = [answer for answer in hub.answers[before:] if answer[1] > 1 << 20]
    assert sent == [[kept, size - kept] if ranges else [0, size]]
    assert (home / "data" / "models" / "tiny" / FILE).read_bytes() == hub.files[FILE]


def test_a_wrong_byte_is_refused_and_names_the_file(
    pull: Run, hub: Any, made: Path, home: Path, tmp_path: Path
) -> None:
    wrong = hub.files[FILE][:-1] + bytes([hub.files[FILE][-1] ^ 1])
    hub.files[FILE] = wrong
    folder = tmp_path / "copy"
    shutil.copytree(made, folder)
    (folder / FILE).write_bytes(wrong)
    for place in (hub.url, str(folder)):
        said = pull("tiny", "--from", place, code=1).stderr
        assert f"{FILE} is damaged: its BLAKE2b is" in said
        assert "Traceback" not in said
    assert not (home / "data" / "models" / "tiny").exists()


def test_a_place_without_it(pull: Run, hub: Any, tmp_path: Path) -> None:
    said = pull("tiny", "--from", tmp_path, code=1).stderr
    assert f"{tmp_path} holds no model named tiny" in said
    assert "c2v model list --available" in said
    said = pull("ViT-B-32", "--from", tmp_path / "nowhere", code=1).stderr
    assert f"there is no folder {tmp_path / 'nowhere'}" in said
    said = pull("ViT-B-32", "--from", tmp_path, code=1).stderr
    assert "ViT-B-32 is not at" in said
    assert "timm/vit_base_patch32_clip_224.openai" in said
    assert "ftp://x is no place" in pull("ViT-B-32", "--from", "ftp://x", code=2).stderr


def test_a_folder_in_the_place_of_the_hub(
    pull: Run, c2v: Run, home: Path, tmp_path: Path, videos: ModuleType
) -> None:
    """``HF_ENDPOINT=file://...``: nobody is asked, whatever forbids connections; what lies there is
    compared with what is stated beside it."""
    repository = tmp_path / "mirror" / "timm" / "vit_base_patch32_clip_224.openai"
    repository.mkdir(parents=True)
    weights = repository / "open_clip_model.safetensors"
    weights.write_bytes(b"not what was stated")
    sums = repository / "SHA256SUMS"
    sums.write_text(f"{hashlib.sha256(b'what was').hexdigest()}  {weights.name}\n")
    place = {"HF_ENDPOINT": (tmp_path / "mirror").as_uri(), "HF_HUB_OFFLINE": "1"}
    said = pull("ViT-B-32", code=1, **place).stderr
    assert said.splitlines()[0] == f"fetching ViT-B-32 from {tmp_path / 'mirror'} (605 MB)"
    assert said.splitlines()[1].startswith("licence of ViT-B-32: MIT (https://github.com/openai")
    assert f"{weights} is damaged: its SHA-256 is" in said
    # Without such a folder a new library does with the small model, and says why.
    clips = tmp_path / "clips"
    clips.mkdir()
    videos.make_video(clips / "one.mp4", videos.Recipe(count=20, rate=10))
    gone = {"HF_ENDPOINT": str(tmp_path / "gone"), "C2V_HOME": str(home)}
    said = c2v("index", clips, **gone).stderr
    assert f"there is no folder {tmp_path / 'gone'}: using the small model mini" in said


def test_what_can_be_fetched_is_listed_with_its_licence(c2v: Run) -> None:
    known = json.loads(c2v("model", "list", "--available", "--format", "json").stdout)
    facts = {one["name"]: one for one in known}
    assert list(facts)[:2] == ["ViT-B-32", "PE-Core-B-16"]
    wanted = {
        "PE-Core-B-16": ("Apache-2.0", "any"),
        "ViT-B-32": ("MIT", "any"),
        "ViT-B-16-SigLIP2/webli": ("Apache-2.0", "any"),
        "ViT-B-16/laion2b_s34b_b88k": ("MIT", "any"),
        "MobileCLIP2-S0/dfndr2b": ("apple-amlr", "research only"),
        "MobileCLIP-S1/datacompdr": ("apple-amlr", "research only"),
        "ViT-H-14/dfn5b": ("apple-amlr", "research only"),
        "ViT-B-16/metaclip_400m": ("CC-BY-NC-4.0", "not commercial"),
        "ViT-H-14-worldwide/metaclip2_worldwide": ("CC-BY-NC-4.0", "not commercial"),
        "nllb-clip-base/v1": ("CC-BY-NC-4.0", "not commercial"),
        "EVA02-B-16/merged2b_s8b_b131k": ("MIT", "any"),
        "ViTamin-L/datacomp1b": (None, "unknown"),
    }
    assert {name: (facts[name]["licence"], facts[name]["use"]) for name in wanted} == wanted
    assert all(one["page"].startswith("https://") for one in known)
    unknown = {one["name"].partition("/")[0] for one in known if one["use"] == "unknown"}
    assert all(name.startswith("ViTamin") for name in unknown)
    table = c2v("model", "list", "--available", COLUMNS="120").stdout
    (line,) = [one for one in table.splitlines() if one.startswith("MobileCLIP2-S0/")]
    assert "apple-amlr, research only" in line


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "ViT-H-14-378-quickgelu/dfn5b",
            "apple-amlr: for research only, no product or service (https:",
        ),
        ("ViT-B-16/metaclip_400m", "CC-BY-NC-4.0: not for commercial use (https:"),
        ("PE-Core-B-16", "Apache-2.0 (https:"),
    ],
)
def test_the_licence_is_said_before_the_download(
    c2v: Run, hub: Any, home: Path, name: str, said: str
) -> None:
    """The hub is there, and has nothing: one sentence came before it was asked for a file."""
    done = c2v(
        "model", "pull", name, code=1,
        C2V_HOME=str(home), HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="0", HF_HOME=str(home / "hf"),
    )  # fmt: skip
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"fetching {name} from 127.0.0.1:")
    assert lines[1].startswith(f"licence of {name}: {said}")
    assert lines[2].startswith("error: ")

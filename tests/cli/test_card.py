"""The three commands of the project's card, to the letter, as somebody types them who has nothing.

A home with a folder Videos, a captions file in the current folder, no other option, no network.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from c2v.demo.panning import View, read_picture, write_panned_clip
from c2v.encoder.bundle_config import read_config
from c2v.errors import EXIT_NO_MATCH
from c2v.training.naming import data_key, runs_of

WORDS = {
    "dog": "a dog catching a frisbee", "cat": "a cat looks into the camera",
    "cup": "a cup of coffee on a table", "moon": "the surface of the moon",
    "street": "cars on a street", "sea": "waves on a beach",
}  # fmt: skip
Type = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home(demo_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of a second in ~/Videos, two of them below, and a captions file elsewhere."""
    home = tmp_path_factory.mktemp("home")
    (home / "Videos" / "pets").mkdir(parents=True)
    (home / "work").mkdir()
    sources = sorted(demo_videos.glob("*.mp4"))
    rows = ["video,caption"]
    for number, (name, text) in enumerate(WORDS.items()):
        below = "pets/" if name in ("dog", "cat") else ""
        at = View(0.3 + number / 20, 0.5, 0.6)
        write_panned_clip(
            read_picture(sources[number % len(sources)]), home / "Videos" / f"{below}{name}.mp4",
            start=at, end=at, seconds=1,
        )  # fmt: skip
        rows.append(f"{name if number % 2 else name + '.mp4'},{text}")
    (home / "work" / "captions.csv").write_text("\n".join(rows) + "\n")
    return home


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """That of somebody whose home this is, and nothing of c2v's in it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("C2V_", "XDG_"))}
    return kept | {"HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def typed(home: Path, environment: dict[str, str]) -> Type:
    """Run a line of a shell in ~/work; exit code and output."""

    def run(line: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            f'c2v() {{ "{sys.executable}" -m c2v "$@"; }}; {line}', shell=True, text=True,
            capture_output=True, cwd=home / "work", env=environment, timeout=600,
        )  # fmt: skip
        assert code is None or done.returncode == code, (line, done.stdout, done.stderr)
        return done

    return run


@pytest.fixture
def forked(
    home: Path, environment: dict[str, str], load_helper: Callable[[str], ModuleType], typed: Type
) -> Iterator[Type]:
    """The same for a line without anything that a shell would do, by forks of one process."""
    helper = load_helper("forked.py")
    settings = {name: environment[name] for name in ("HF_HUB_OFFLINE", "OMP_NUM_THREADS")}
    forks = helper.Forks(helper.HEAVY, **settings)

    def run(line: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        if not forks.can_run(environment):
            return typed(line, code)
        name, *words = shlex.split(line)
        assert name == "c2v"
        done = forks.run(["-m", "c2v", *words], environment=environment, cwd=home / "work")
        assert code is None or done.returncode == code, (line, done.stdout, done.stderr)
        return done

    yield run
    forks.close()


@pytest.mark.skipif(os.name == "nt", reason="~ is a shell's")
def test_the_three_commands_to_the_letter(home: Path, typed: Type) -> None:
    indexed = typed("c2v index ~/Videos")
    assert "mini" in indexed.stderr, "it is said which encoder it is without a network"
    # Pictures with few details are no match for mini, but the nearest is named.
    found = typed('c2v search "a dog catching a frisbee"', code=EXIT_NO_MATCH).stderr
    assert "closest: ~/Videos/" in found
    plain = typed("c2v finetune --data captions.csv")
    assert "the new model is called captions" in plain.stderr
    if "no model was written" in plain.stderr:  # a handful of videos: nothing may have been gained
        assert "c2v index --model captions" not in plain.stderr
    tuned = typed(
        "c2v finetune --data captions.csv --head clip2video --epochs 1 --keep --name captions "
        "--overwrite"
    )
    assert "c2v index --model captions" in tuned.stderr
    # What was trained is CLIP2Video's head, and it is taken into use as it says.
    models = json.loads(typed("c2v model list --format json").stdout)
    (mine,) = [model for model in models if model["name"] == "captions"]
    assert (mine["head"], mine["problem"]) == ("clip2video", "")
    described = read_config(Path(mine["directory"])).head
    assert described.type == "clip2video"
    typed("c2v index --model captions ~/Videos")
    found = typed('c2v search "a dog" --strategy hnsw --format json', code=None).stdout
    answer = json.loads(found)
    assert (answer["model"], answer["strategy"]) == ("captions", "hnsw")
    assert len(answer["results"]) == len(WORDS)
    graphs = [path for path in home.rglob("*hnsw*") if path.is_file() and path.stat().st_size]
    assert graphs
    stamps = [path.stat().st_mtime_ns for path in graphs]
    typed('c2v search "a cat" --strategy hnsw', code=None)
    assert [path.stat().st_mtime_ns for path in graphs] == stamps, "used, not built again"


@pytest.mark.skipif(os.name == "nt", reason="~ is a shell's")
def test_once_more_it_takes_another_name_and_resume_the_newest(home: Path, forked: Type) -> None:
    line = "c2v finetune --data captions.csv --epochs 1 --keep"
    forked("c2v index ../Videos --model mini -L second")
    first = forked(f"{line} -L second")
    second = forked(f"{line} -L second")
    names = [
        done.stderr.partition("the new model is called ")[2].partition(";")[0]
        for done in (first, second)
    ]
    assert names[0] != names[1]
    assert names[1].startswith("captions-")
    again = json.loads(forked(f"{line} -L second --resume --format json").stdout)
    assert again["name"] == names[1]
    refused = forked(f"{line} -L second --overwrite", code=2)
    assert "--overwrite needs the name" in refused.stderr
    measured = json.loads(forked("c2v evaluate --data captions.csv -L second --format json").stdout)
    assert (measured["videos"], measured["skipped"]) == (len(WORDS), [])


def test_runs_are_known_by_their_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_key("MSRVTT-9k") == "msrvtt-9k"
    assert data_key("./a.csv") == data_key(str(tmp_path / "a.csv")) == str(tmp_path / "a.csv")
    assert runs_of("a.csv") == []

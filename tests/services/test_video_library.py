"""The one object of scripts: what it gives, what importing it costs, and threads that share it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import c2v
from c2v.cli.app import run
from c2v.encoder.towers import making
from c2v.errors import EXIT_NO_MATCH, LibraryError, UsageError
from c2v.library.sqlite import hnsw

ROOT = Path(__file__).parents[2]


def test_importing_it_loads_nothing() -> None:
    script = (
        "import sys; before = set(sys.modules); import c2v; "
        "print(sorted(name for name in set(sys.modules) - before if not name.startswith('_')))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    loaded = set(re.findall(r"'([^']+)'", shown))
    assert {name for name in loaded if name.startswith("c2v")} == {"c2v", "c2v.telemetry"}
    assert not loaded & {"numpy", "torch", "av", "onnxruntime", "typer", "rich", "sqlite3"}


def test_the_script_of_the_readme(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in script.splitlines() if line.strip()]) <= 10
    shutil.copytree(clips, tmp_path / "Videos")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    exec(compile(script, "README.md", "exec"), {})
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "3 new; 0 failed"
    assert "garage.mp4" in out[1]
    assert out[-1] == "a man with a camera"


@pytest.mark.parametrize(
    ("method", "arguments", "options", "command"),
    [
        ("search", ["a rocket"], {"top": 2}, ["search", "a rocket", "--top", "2"]),
        ("search", ["a rocket"], {"moments": True}, ["search", "a rocket", "--moments"]),
        ("similar", ["garage.mp4"], {"top": 2}, ["search", "--video", "garage.mp4", "-n", "2"]),
        ("status", [], {}, ["status"]),
    ],
)
def test_its_results_are_the_json_of_the_commands(
    clips: Path, filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    method: str, arguments: list[str], options: dict[str, Any], command: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(clips)
    with c2v.open(filled) as videos:
        result = getattr(videos, method)(*arguments, **options).as_dict()
    code = 0 if result.get("matched", True) else EXIT_NO_MATCH
    assert run([*command, "-L", str(filled), "--format", "json"]) == code
    printed = json.loads(capsys.readouterr().out)
    for one in (result, printed):
        one.pop("elapsed_ms", None)
    assert result == printed


def test_a_video_of_the_library_is_not_decoded_to_be_compared(
    clips: Path, filled: Path, tmp_path: Path
) -> None:
    """Its stored frames are those that decoding gives: the answer is the same as for a copy."""
    copy = tmp_path / "elsewhere.mp4"
    shutil.copyfile(clips / "garage.mp4", copy)
    script = (
        "import sys, c2v; videos = c2v.open(sys.argv[1]); answer = videos.similar(sys.argv[2]); "
        "print('av' in sys.modules); [print(m.path, round(m.score, 4)) for m in answer]"
    )
    shown = [
        subprocess.run(
            [sys.executable, "-c", script, str(filled), str(path)],
            capture_output=True, text=True, check=True, cwd=ROOT,
        ).stdout.splitlines()
        for path in (clips / "garage.mp4", copy)
    ]  # fmt: skip
    assert [lines[0] for lines in shown] == ["False", "True"]
    assert shown[0][1:] == shown[1][1:]


def test_eight_threads_share_one_tower(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = making.make_text_tower

    def counted(*arguments: Any) -> Any:
        made.append(arguments)
        return make(*arguments)

    monkeypatch.setattr("c2v.encoder.bundle.make_text_tower", counted)
    queries = [f"a motorcycle, number {number}" for number in range(32)]
    with c2v.open(filled) as videos, ThreadPoolExecutor(8) as threads:
        together = list(threads.map(videos.search, queries))
    assert len(made) == 1
    with c2v.open(filled) as videos:
        alone = [videos.search(query) for query in queries]
    assert [answer.results for answer in together] == [answer.results for answer in alone]


def test_another_process_that_fills_it_is_seen(clips: Path, tmp_path: Path) -> None:
    with c2v.open(tmp_path / "library", model="mini") as videos:
        videos.index(clips / "garage.mp4")
        assert len(videos.search("a rocket")) == 1
        code = run(["index", str(clips), "-L", str(tmp_path / "library"), "--quiet"])
        assert code == 0
        assert Path(videos.search("a rocket")[0].path).name == "departure.mp4"


def test_what_is_not_there_is_raised(clips: Path, filled: Path, tmp_path: Path) -> None:
    with c2v.open(tmp_path / "none") as videos:
        assert not videos.exists
        with pytest.raises(LibraryError, match="no library"):
            videos.search("a dog")
    with c2v.open(filled) as videos:
        with pytest.raises(UsageError, match="empty"):
            videos.search(" ")
        with pytest.raises(TypeError, match="list of texts"):
            videos.search_many("a dog")
    with pytest.raises(UsageError, match="unknown setting"):
        c2v.open(filled, colour="red")


def test_the_settings_of_the_graph_do_what_they_say(filled: Path, tmp_path: Path) -> None:
    """M and ef_construction are in the file, which is made again where they differ."""
    shutil.copytree(filled, tmp_path / "library")
    files = set()
    for settings in ({}, {"hnsw_m": 4}, {"hnsw_m": 4, "hnsw_ef_construction": 50}):
        with c2v.open(tmp_path / "library", strategy="hnsw", **settings) as videos:
            answer = videos.search("a rocket")
        assert answer.strategy == "hnsw"
        assert Path(answer[0].path).name == "departure.mp4"
        (file,) = (tmp_path / "library" / "cache").glob(hnsw.GRAPH_FILES)
        files.add(file.name)
    assert len(files) == 3

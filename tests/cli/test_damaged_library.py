"""What the commands say and do about a library that is damaged, or in a place of its own."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def clips(videos: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for number in range(4):
        videos.make_video(folder / f"{number}.mp4", count=8 + number, rate=5)  # type: ignore[attr-defined]
    return folder


@pytest.fixture(scope="module")
def sound(c2v: Run, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "library"
    c2v("index", clips, "-L", folder, "--model", "mini")
    return folder


@pytest.fixture
def library(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "library")
    return tmp_path / "library"


def rot(library: Path, table: str, name: str) -> None:
    """Set a high bit of the first number of a video."""
    column, place = {"vector": ("vector", 3), "feature": ("features", 1)}[table]
    connection = sqlite3.connect(library / "library.db")
    ((key, blob),) = connection.execute(
        f"SELECT segment_id, {column} FROM {table} JOIN segment ON segment.id = segment_id "
        "JOIN video ON video.id = video_id WHERE CAST(path AS TEXT) LIKE ?", (f"%/{name}",),
    ).fetchall()  # fmt: skip
    changed = bytearray(blob)
    changed[place] ^= 0x40
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE segment_id = ?", (changed, key))
    connection.commit()
    connection.close()


def names(answer: str) -> set[str]:
    return {Path(result["path"]).name for result in json.loads(answer)["results"]}


@pytest.mark.parametrize("table", ["vector", "feature"])
@pytest.mark.parametrize("caches", [True, False])
def test_search_says_what_it_leaves_out_and_index_mends_it(
    c2v: Run, clips: Path, library: Path, table: str, caches: bool
) -> None:
    ask = ("search", "a red square", "-L", library, "--format", "json")
    before = json.loads(c2v(*ask).stdout)["results"]
    rot(library, table, "2.mp4")
    if not caches:
        shutil.rmtree(library / "cache")
    for quiet in ([], ["--quiet"]):
        done = c2v(*ask, *quiet)
        assert names(done.stdout) == {"0.mp4", "1.mp4", "3.mp4"}
        assert all(-1 <= result["score"] <= 1 for result in json.loads(done.stdout)["results"])
        (line,) = done.stderr.splitlines()
        assert "2.mp4" in line
        assert "left out" in line
    command = shlex.split(line[line.index("c2v index") :])  # what the line says can be typed
    done = c2v(*command[1:], "--format", "json")
    assert json.loads(done.stdout)["updated"] == 1
    assert "2.mp4 were damaged" in done.stderr
    done = c2v(*ask)
    assert done.stderr == ""
    assert json.loads(done.stdout)["results"] == before
    report = json.loads(c2v("index", clips, "-L", library, "--format", "json").stdout)
    assert (report["updated"], report["unchanged"]) == (0, 4)


def test_index_names_what_it_reads_again(c2v: Run, clips: Path, library: Path) -> None:
    rot(library, "feature", "1.mp4")
    assert "1.mp4 were damaged in the library and had to be read again" in (
        c2v("index", clips / "1.mp4", "-L", library).stderr
    )


def test_batches_leave_it_out_as_well(c2v: Run, library: Path, tmp_path: Path) -> None:
    rot(library, "vector", "0.mp4")
    rot(library, "feature", "3.mp4")
    (tmp_path / "queries.txt").write_text("a cat\na dog\n")
    done = c2v("search", "--batch", tmp_path / "queries.txt", "-L", library, "--format", "json")
    for answer in json.loads(done.stdout):
        assert {Path(r["path"]).name for r in answer["results"]} == {"1.mp4", "2.mp4"}
    (line,) = done.stderr.splitlines()
    assert "0.mp4 and 1 more" in line


def test_a_moved_or_copied_file_does_not_take_damaged_rows_over(
    c2v: Run, clips: Path, library: Path, tmp_path: Path
) -> None:
    rot(library, "feature", "0.mp4")
    rot(library, "feature", "1.mp4")
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copy(clips / "1.mp4", moved / "copy.mp4")
    done = c2v("index", clips, moved, "-L", library, "--format", "json")
    report = json.loads(done.stdout)
    assert (report["updated"], report["added"], report["unchanged"]) == (2, 1, 2)
    done = c2v("search", "a cat", "-L", library, "--format", "json")
    assert names(done.stdout) == {"0.mp4", "1.mp4", "2.mp4", "3.mp4", "copy.mp4"}
    assert done.stderr == ""


def test_measuring_with_damaged_rows_is_refused(
    c2v: Run, clips: Path, library: Path, tmp_path: Path
) -> None:
    rot(library, "vector", "0.mp4")
    data = tmp_path / "captions.csv"
    with data.open("w", newline="") as file:
        rows = [(clips / f"{n}.mp4", f"clip {n}") for n in range(4)]
        csv.writer(file).writerows([("video", "caption"), *rows])
    done = c2v("evaluate", "--data", data, "-L", library, code=3)
    sentence, hint = done.stderr.splitlines()
    assert "0.mp4 is damaged" in sentence
    assert "c2v index" in hint


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x", "a" * 5000, "./" + "b" * 5000])
@pytest.mark.parametrize("command", [["status"], ["search", "x"], ["index", "."]])
def test_names_of_libraries_that_cannot_be(c2v: Run, name: str, command: list[str]) -> None:
    model = ["--model", "mini"] if command[0] == "index" else []
    done = c2v(*command, *model, "-L", name, code=None)
    assert done.returncode in (1, 2, 3)
    assert "unexpected" not in done.stderr
    sentence, hint = done.stderr.splitlines()
    assert sentence.startswith("error: ")
    assert hint.startswith("hint: ")
    assert len(sentence) < 700


def test_a_library_that_is_a_file(c2v: Run, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "library").write_text("x")
    done = c2v("index", clips, "-L", tmp_path / "library", "--model", "mini", code=1)
    assert "cannot make the library folder" in done.stderr
    assert "unexpected" not in done.stderr
    c2v("search", "x", "-L", tmp_path / "library", code=3)


def test_index_goes_on_where_a_creation_was_killed(c2v: Run, clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "library.db").touch()
    for command in (["search", "x"], ["status"]):
        assert "there is no library in" in c2v(*command, "-L", folder, code=3).stderr
    done = c2v("index", clips, "-L", folder, "--model", "mini", "--format", "json")
    assert json.loads(done.stdout)["added"] == 4


def test_embedding_again_names_the_video_and_index_reads_it(
    c2v: Run, clips: Path, library: Path
) -> None:
    from c2v.encoder.bundle import load_bundle
    from c2v.indexing.reembedding import reembed
    from c2v.library import open_store

    rot(library, "feature", "2.mp4")
    with open_store(library) as opened:
        paths = reembed(opened, load_bundle("mini", device="cpu"))
        assert [Path(path).name for path in paths] == ["2.mp4"]
    done = c2v("search", "a cat", "-L", library, "--format", "json")
    assert names(done.stdout) == {"0.mp4", "1.mp4", "3.mp4"}
    assert "2.mp4" in done.stderr
    report = json.loads(c2v("index", clips, "-L", library, "--format", "json").stdout)
    assert (report["updated"], report["unchanged"]) == (1, 3)
    done = c2v("search", "a cat", "-L", library, "--format", "json")
    assert len(names(done.stdout)) == 4
    assert done.stderr == ""

"""Libraries that earlier code wrote (``old/vN``): opened, searched, indexed again, nothing read.

A folder more is a case more; ``old/make.py`` says how one is made.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from c2v.errors import LibraryError
from c2v.library.sqlite import schema
from c2v.library.sqlite.store import SqliteStore

from .conftest import segment_ids

OLD = Path(__file__).parent / "old"
VERSIONS = sorted(folder.name for folder in OLD.glob("v*"))
WITHOUT_LINES = ("v1", "v2", "v3")
"""Formats without subtitles: the first run asks videos for them, which opens them."""
MODELS = ("mini", "tuned")
COMMAND = """
import sys
from c2v.cli.app import run
code = run(sys.argv[1:])
print(code, *sorted({"av", "decord", "onnxruntime", "torch"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def old(version: str, tmp_path: Path, c2v_home: Path) -> Path:
    """A version's files, unpacked here, as if they had been made here."""
    with tarfile.open(OLD / version / "made.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    (c2v_home / "data").mkdir()
    shutil.move(tmp_path / "models", c2v_home / "data" / "models")
    for model in MODELS:
        _moved_here(tmp_path / model / "library.db", tmp_path / "videos")
    return tmp_path


def _moved_here(database: Path, videos: Path) -> None:
    """Let the rows speak of files in ``videos``, and these have the time stamps of the rows."""
    connection = sqlite3.connect(database)
    for table in ("video", "failure"):
        for path, mtime_ns in connection.execute(f"SELECT path, mtime_ns FROM {table}").fetchall():
            here = videos / Path(os.fsdecode(path)).name
            os.utime(here, ns=(mtime_ns, mtime_ns))
            connection.execute(
                f"UPDATE {table} SET path = ? WHERE path = ?", (os.fsencode(here), path)
            )
    connection.commit()
    connection.close()


def c2v(*arguments: str | Path) -> tuple[str, int, list[str]]:
    """Standard output of a command in a process of its own, its exit code, what it imported."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, env=os.environ,
    )  # fmt: skip
    code, *imported = done.stderr.splitlines()[-1].split()
    return done.stdout, int(code), imported


def answers(library: Path, query: str) -> list[dict[str, Any]]:
    out, code, _ = c2v("search", query, "-L", library, "--format", "json")
    assert code in (0, 5)
    rows = json.loads(out)["results"]
    return [{"name": Path(r["path"]).name, "score": r["score"], "best": r["best"]} for r in rows]


def test_every_format_but_the_newest_has_a_folder() -> None:
    wanted = {f"v{number}" for number in range(1, len(schema.MIGRATIONS))}
    assert wanted <= set(VERSIONS), "make it with the old code: python tests/library/old/make.py"


@pytest.mark.parametrize("model", MODELS)
def test_it_answers_as_it_did(old: Path, version: str, model: str) -> None:
    then = json.loads((OLD / version / "made.json").read_text())[model]
    for query, rows in then.items():
        now = answers(old / model, query)
        assert [row["name"] for row in now] == [row["name"] for row in rows]
        assert [row["best"] for row in now] == [row["best"] for row in rows]
        assert [r["score"] for r in now] == pytest.approx([r["score"] for r in rows], abs=2e-5)
    with SqliteStore.open(old / model) as library:
        assert library.problems() == []
        assert [len(video.problems) for video in library.videos()] == [0, 0, 0, 1]
        assert len(library.failures()) == 1


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_decoded_again(old: Path, version: str, model: str) -> None:
    for opened in (["av"] if version in WITHOUT_LINES else [], []):
        out, code, imported = c2v("index", old / "videos", "-L", old / model, "--format", "json")
        report = json.loads(out)
        assert (report["unchanged"], report["added"], report["updated"]) == (4, 0, 0)
        assert (report["failed"], report["known_failures"], code) == ([], 1, 0)
        assert imported == opened


def test_lines_come_without_decoding(old: Path) -> None:
    (old / "videos" / "0.mp4").with_suffix(".srt").write_text(
        "1\n00:00:00,500 --> 00:00:01,500\nHappy birthday\n"
    )
    words = ("search", "--said", "birthday", "-L", old / "mini", "--format", "json")
    assert json.loads(c2v(*words)[0])["results"] == []
    out, code, imported = c2v("index", old / "videos", "-L", old / "mini", "--format", "json")
    report = json.loads(out)
    assert (report["unchanged"], report["lines"], code, imported) == (4, 1, 0, ["av"])
    (row,) = json.loads(c2v(*words)[0])["results"]
    assert (Path(row["path"]).name, row["said"]["text"]) == ("0.mp4", "Happy birthday")


def test_a_moved_file_is_known_and_a_new_head_needs_no_video(
    old: Path, version: str, c2v_home: Path
) -> None:
    elsewhere = old / "elsewhere"
    (old / "videos").rename(elsewhere)
    (elsewhere / "broken.mp4").unlink()
    out, code, imported = c2v("index", elsewhere, "-L", old / "tuned", "--format", "json")
    report = json.loads(out)
    assert (report["moved"], report["added"], report["updated"]) == (4, 0, 0)
    assert (code, imported) == (0, ["av"] if version in WITHOUT_LINES else [])
    shutil.rmtree(elsewhere)  # what follows has only the stored features
    tuned = c2v_home / "data" / "models" / "tuned"
    config = json.loads((tuned / "config.json").read_text())
    assert config["head"]["settings"]["projected"]
    from c2v.encoder.bundle import load_bundle
    from c2v.indexing.reembedding import model_record, reembed

    with SqliteStore.open(old / "tuned") as library:
        ids = segment_ids(library)
        before = library.vectors(ids)
        reembed(library, load_bundle("tuned", device="cpu"))
        assert library.model == model_record(load_bundle("tuned", device="cpu"))
        for key, vector in library.vectors(ids).items():
            assert vector == pytest.approx(before[key], abs=1e-5)


def test_a_video_keeps_its_id_when_it_is_indexed_again(old: Path) -> None:
    with SqliteStore.open(old / "tuned") as library:
        before = {video.path: video.id for video in library.videos()}
    changed = min(before)
    os.utime(changed)
    out, code, _ = c2v(
        "index", changed, "--rebuild", "--yes", "-L", old / "tuned", "--format", "json"
    )
    assert (json.loads(out)["updated"], code) == (1, 0)
    with SqliteStore.open(old / "tuned") as library:
        assert {video.path: video.id for video in library.videos()} == before
        assert library.problems() == []


def test_auto_of_before_is_what_auto_asks_for(old: Path, version: str) -> None:
    """It cut long videos into windows: a reason to cut a video anew only for who asks for it."""
    sound = sorted(path for path in (old / "videos").iterdir() if path.stem != "broken")
    with SqliteStore.open(old / "tuned") as library:
        auto = "auto" if version in ("v1", "v2") else "auto/shots"
        assert {video.sampling for video in library.videos()} == {auto}
    words = ("index", *sound, "--segment", "auto", "-L", old / "tuned", "--format", "json")
    out, _, imported = c2v(*words)
    report = json.loads(out)
    assert (report["unchanged"], report["updated"]) == (len(sound), 0)
    assert ("av" in imported) == (version in WITHOUT_LINES)
    out, _, _ = c2v(*words, "--rebuild", "--yes")
    assert json.loads(out)["updated"] == len(sound)
    with SqliteStore.open(old / "tuned") as library:
        assert {v.sampling for v in library.videos() if Path(v.path) in sound} == {"auto/shots"}


def test_an_earlier_mini_takes_no_new_picture_and_loses_nothing(old: Path) -> None:
    library = old / "mini"
    before = answers(library, "a red square")
    new = old / "videos" / "new.mp4"
    new.write_bytes((old / "videos" / "0.mp4").read_bytes() + b"more")
    command = [sys.executable, "-m", "c2v", "index", str(old / "videos"), "-L", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "was filled by an earlier mini and answers as it did" in done.stderr
    assert "4 videos (" in done.stderr
    assert "takes about 1 minute: c2v index --model mini --rebuild PATH" in done.stderr
    assert "no new picture can be read for it" in done.stderr
    assert answers(library, "a red square") == before
    out, code, _ = c2v(*command[3:], "--rebuild", "--yes", "--format", "json")
    assert (json.loads(out)["added"], code) == (5, 4)
    now = answers(library, "a red square")
    assert {row["name"] for row in now} == {row["name"] for row in before} | {"new.mp4"}


def test_an_upgrade_that_fails_leaves_it_whole(
    old: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = int(version[1:])
    broken = (*schema.MIGRATIONS[:number], ("CREATE TABLE half (a)", "NONSENSE"))
    monkeypatch.setattr(schema, "MIGRATIONS", broken)
    with pytest.raises(LibraryError, match="NONSENSE"):
        SqliteStore.open(old / "mini")
    monkeypatch.undo()
    with SqliteStore.open(old / "mini") as library:
        assert library.counts().videos == 4
        assert library.problems() == []

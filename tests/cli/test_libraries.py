"""``c2v library`` and ``c2v model remove``: what is listed, what goes, and what never does."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.cli.app import run
from c2v.config import cache_dir, libraries_dir, models_dir
from c2v.encoder.catalogue import locate_bundle
from c2v.library import open_store

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def made(demo_library: Path) -> Path:
    """A library of real videos, by the shipped model."""
    return demo_library


@pytest.fixture
def films(made: Path) -> Path:
    """The same under the name films, in this test's own home."""
    target = libraries_dir() / "films"
    target.parent.mkdir(parents=True)
    shutil.copytree(made, target)
    return target


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Somebody at a terminal, who answers this."""

    def sit(text: str) -> None:
        stdin = io.StringIO(text)
        stdin.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    return sit


def listed(capsys: Capture, *more: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["library", "list", "--format", "json", *more]) == 0
    return {one["name"]: one for one in json.loads(capsys.readouterr().out)}


def test_the_list_says_what_is_in_each(films: Path, made: Path, capsys: Capture) -> None:
    with open_store(films) as store:
        counts = store.counts()
    (libraries_dir() / "notes").mkdir()
    found = listed(capsys)
    assert list(found) == ["films"]
    film = found["films"]
    assert (film["videos"], film["model"], film["problem"]) == (counts.videos, "mini", "")
    assert film["seconds_of_video"] == pytest.approx(counts.seconds)
    assert film["size_bytes"] >= (films / "library.db").stat().st_size
    assert film["last_used"] > 1.7e9
    assert list(listed(capsys, "-L", str(made))) == ["films", str(made)], "one in another folder"
    assert run(["library", "list"]) == 0
    shown = capsys.readouterr().out
    assert "films" in shown
    assert "mini" in shown


def test_listing_changes_nothing(films: Path, capsys: Capture) -> None:
    def state() -> list[tuple[str, int, int]]:
        return sorted(
            (str(path), path.stat().st_mtime_ns, path.stat().st_size)
            for path in films.rglob("*")
            if not path.name.endswith(("-shm", "-wal"))
        )

    before = state()
    listed(capsys)
    assert state() == before


def test_libraries_of_older_versions_are_listed(tmp_path: Path, capsys: Capture) -> None:
    old = Path(__file__).parents[1] / "library" / "old"
    for archive in sorted(old.glob("v*/made.tar.xz")):
        with tarfile.open(archive) as packed:
            packed.extractall(tmp_path / archive.parent.name, filter="data")
    databases = sorted(tmp_path.rglob("library.db"))
    assert len(databases) >= 2
    for number, database in enumerate(databases):
        shutil.copytree(database.parent, libraries_dir() / f"old{number}")
    found = listed(capsys)
    assert len(found) == len(databases)
    for one in found.values():
        assert one["problem"] == ""
        assert one["videos"] > 0


@pytest.mark.parametrize("damage", ["zeros", "text", "cut"])
def test_a_damaged_one_is_listed_as_such_and_can_be_deleted(
    films: Path, damage: str, capsys: Capture
) -> None:
    database = films / "library.db"
    size = database.stat().st_size
    if damage == "cut":
        os.truncate(database, size // 3)
    else:
        beginning = database.read_bytes()[:100] if damage == "zeros" else b""
        database.write_bytes(beginning + (b"\0" if damage == "zeros" else b"no database ") * 5000)
    found = listed(capsys)["films"]
    assert found["problem"], found
    assert run(["library", "list"]) == 0
    assert "damaged" in capsys.readouterr().out
    if damage == "text":  # may be anybody's
        assert run(["library", "delete", "films", "--yes"]) == 3
        assert database.exists()
    else:
        assert run(["library", "delete", "films", "--yes"]) == 0
        assert not films.exists()


def test_delete_asks_first(films: Path, capsys: Capture, answer: Callable[[str], None]) -> None:
    assert run(["library", "delete", "films"]) == 2
    said = capsys.readouterr().err
    assert "MB in" in said
    assert "--yes" in said
    answer("n\n")
    assert run(["library", "delete", "films"]) == 1
    assert films.exists()
    answer("y\n")
    assert run(["library", "delete", "films"]) == 0
    assert not films.exists()
    assert run(["search", "x", "-L", "films"]) == 3


def test_what_is_not_of_c2v_stays(made: Path, tmp_path: Path, capsys: Capture) -> None:
    """A library in somebody's folder, who has a folder called cache and other databases there."""
    folder = tmp_path / "project"
    shutil.copytree(made, folder)
    mine = [folder / "film.mp4", folder / "cache" / "thesis.txt", folder / "library.db.backup"]
    for path in mine:
        path.write_text("mine")
    assert run(["search", "a dog", "--min-score=-1", "-L", str(folder)]) == 0
    assert list((cache_dir() / "last").iterdir())
    capsys.readouterr()
    assert run(["library", "delete", str(folder), "--yes"]) == 0
    assert "3 files" in capsys.readouterr().err
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == sorted(mine)
    assert not list((cache_dir() / "last").iterdir()), "nor is anything kept of its last answer"


def test_what_is_no_library_is_refused(films: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "video.mp4").write_text("mine")
    assert run(["library", "delete", str(tmp_path), "--yes"]) == 3
    assert (tmp_path / "video.mp4").exists()
    database = tmp_path / "library.db"
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE books (title)")
    connection.commit()
    connection.close()
    assert run(["library", "delete", str(tmp_path), "--yes"]) == 3
    assert database.exists()
    capsys.readouterr()
    for command in (["library", "delete", "flims", "--yes"], ["status", "-L", "flims"]):
        assert run(command) == 3
        assert "did you mean films?" in capsys.readouterr().err


def test_not_while_another_process_writes(films: Path, capsys: Capture) -> None:
    with open_store(films) as store, store.writer():
        assert run(["library", "delete", "films", "--yes"]) == 3
        assert "is changing the library" in capsys.readouterr().err
    assert (films / "library.db").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_goes_with_what_it_leads_to(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "elsewhere")
    libraries_dir().mkdir(parents=True)
    (libraries_dir() / "linked").symlink_to(tmp_path / "elsewhere")
    assert run(["library", "delete", "linked", "--yes"]) == 0
    assert not (tmp_path / "elsewhere").exists()
    assert not os.path.lexists(libraries_dir() / "linked")


# -- models ------------------------------------------------------------------------------------


@pytest.fixture
def mine() -> Path:
    """A model called mine: the shipped one under another name."""
    target = models_dir() / "mine"
    shutil.copytree(locate_bundle("mini"), target)
    described = json.loads((target / "config.json").read_text(encoding="utf-8"))
    (target / "config.json").write_text(json.dumps(described | {"name": "mine"}), encoding="utf-8")
    return target


def test_a_model_goes_after_asking(
    mine: Path, capsys: Capture, answer: Callable[[str], None]
) -> None:
    assert run(["model", "remove", "mine"]) == 2
    said = capsys.readouterr().err
    assert "MB in" in said
    assert "--yes" in said
    answer("n\n")
    assert run(["model", "remove", "mine"]) == 1
    assert mine.exists()
    answer("y\n")
    assert run(["model", "remove", "mine"]) == 0
    assert list(models_dir().iterdir()) == []
    capsys.readouterr()
    assert run(["model", "remove", "mine", "--yes"]) == 1
    assert "did you mean mini?" in capsys.readouterr().err


def test_the_settings_that_name_it_are_told_of(mine: Path, capsys: Capture) -> None:
    assert run(["config", "set", "model", "mine"]) == 0
    assert run(["model", "remove", "mine", "--yes"]) == 0
    assert "c2v config unset model" in capsys.readouterr().err


def test_a_model_that_a_library_needs_stays(
    mine: Path, films: Path, videos: ModuleType, tmp_path: Path, capsys: Capture
) -> None:
    videos.make_video(tmp_path / "one.mp4", count=6, rate=5)
    assert run(["index", str(tmp_path / "one.mp4"), "-L", "own", "-m", "mine"]) == 0
    capsys.readouterr()
    assert run(["model", "remove", "mine", "--yes"]) == 1
    said = capsys.readouterr().err
    assert "the library own" in said
    assert "--force" in said
    assert mine.exists()
    elsewhere = str(tmp_path / "far away")
    shutil.copytree(libraries_dir() / "own", elsewhere)
    assert run(["library", "delete", "own", "--yes"]) == 0
    capsys.readouterr()
    assert run(["model", "remove", "mine", "--yes", "-L", elsewhere]) == 1
    assert "'" + elsewhere + "'" in capsys.readouterr().err, "a command that can be pasted"
    assert run(["model", "remove", "mine", "--yes", "--force", "-L", elsewhere]) == 0
    assert not mine.exists()
    assert run(["search", "x", "-L", elsewhere]) == 1


def test_the_shipped_model_stays_and_a_broken_one_goes(mine: Path, capsys: Capture) -> None:
    assert run(["model", "remove", "mini", "--yes", "--force"]) == 1
    assert "comes with c2v" in capsys.readouterr().err
    (mine / "config.json").write_text("{")
    assert run(["model", "remove", "mine", "--yes"]) == 0
    assert not mine.exists()

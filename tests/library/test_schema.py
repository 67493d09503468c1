"""Opening: what is not a sound library of a version we know is refused with a reason."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from c2v.errors import C2VError, LibraryError
from c2v.library.sqlite import schema
from c2v.library.sqlite.schema import MIGRATIONS
from c2v.library.sqlite.store import SqliteStore

from .conftest import MODEL, segments, unit_rows, video


def pragma(folder: Path, name: str) -> int:
    connection = sqlite3.connect(folder / "library.db")
    try:
        return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
    finally:
        connection.close()


def alter(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "library.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_library_says_whose_and_which_version_it_is(library: SqliteStore, folder: Path) -> None:
    assert pragma(folder, "application_id") == schema.APPLICATION_ID
    assert pragma(folder, "user_version") == len(schema.MIGRATIONS)
    assert pragma(folder, "page_size") == schema.PAGE_BYTES
    database = library._database
    assert database.all("PRAGMA journal_mode") == [("wal",)]
    assert database.all("PRAGMA foreign_keys") == [(1,)]
    assert database.all("PRAGMA synchronous") == [(1,)]


def test_opening_where_nothing_is(tmp_path: Path) -> None:
    assert not SqliteStore.exists(tmp_path / "absent")
    with pytest.raises(LibraryError, match="no library in") as caught:
        SqliteStore.open(tmp_path / "absent")
    assert caught.value.exit_code == 3
    assert "c2v index" in caught.value.hint
    assert not (tmp_path / "absent").exists()


def test_a_newer_library_is_refused_and_left_alone(folder: Path) -> None:
    SqliteStore.create(folder).close()
    alter(folder, "PRAGMA user_version = 999")
    for opening in (SqliteStore.open, SqliteStore.create):
        with pytest.raises(LibraryError, match="newer c2v .format 999") as caught:
            opening(folder)
        assert caught.value.hint.startswith("take a newer c2v from ")
    assert pragma(folder, "user_version") == 999


def test_another_programs_database_is_refused(folder: Path) -> None:
    folder.mkdir()
    alter(folder, "CREATE TABLE photos (name TEXT)")
    for opening in (SqliteStore.open, SqliteStore.create):
        with pytest.raises(LibraryError, match="another program"):
            opening(folder)


@pytest.mark.parametrize("damage", ["text", "header", "middle", "cut", "bytes"])
def test_a_damaged_file_is_named(folder: Path, damage: str) -> None:
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        for i in range(50):
            library.put_video(video(f"/{i}.mp4"), segments(unit_rows(4)))
    file = folder / "library.db"
    content = bytearray(file.read_bytes())
    if damage == "text":
        content = bytearray(b"this is not a database, it only has its name\n" * 100)
    elif damage == "header":
        content[:64] = bytes(64)
    elif damage == "middle":
        content[schema.PAGE_BYTES : -schema.PAGE_BYTES] = bytes(
            len(content) - 2 * schema.PAGE_BYTES
        )
    elif damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[:] = b"x" * 50
    file.write_bytes(content)

    def use() -> list[str]:
        with SqliteStore.open(folder) as opened:
            opened.videos()
            opened.nearest(unit_rows(1), 3)
            return opened.problems()

    with pytest.raises(LibraryError, match="library.db") as caught:
        assert use() == []  # pages that happen to be whole are found out by the check
    assert caught.value.hint


def test_creation_that_was_killed_is_taken_up_again(folder: Path) -> None:
    folder.mkdir()
    (folder / "library.db").touch()
    with pytest.raises(LibraryError, match="there is no library"):
        SqliteStore.open(folder)
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
    assert pragma(folder, "application_id") == schema.APPLICATION_ID


def test_migrations_go_one_by_one_and_each_is_all_or_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        library.put_video(video("/a.mp4"), segments(unit_rows(2)))
    two_more = (("ALTER TABLE video ADD COLUMN mood TEXT",), ("CREATE TABLE half (a)", "NONSENSE"))
    newest = len(MIGRATIONS)
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, *two_more))
    with pytest.raises(LibraryError, match="library.db"):
        SqliteStore.open(folder)
    assert pragma(folder, "user_version") == newest + 1  # the first was kept, the second undone
    alter(folder, "SELECT mood FROM video")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        alter(folder, "SELECT * FROM half")
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, two_more[0]))
    with SqliteStore.open(folder) as library:
        assert library.nearest(unit_rows(1), 5).segment_ids.shape == (1, 2)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(C2VError, match="cannot make the library folder"):
        SqliteStore.create(tmp_path / "file" / "library")


def test_sql_is_written_in_its_own_files_only() -> None:
    homes = {"schema.py", "opening.py", "database.py", "video_table.py", "segment_table.py"}
    homes |= {"note_table.py", "line_table.py", "passing.py", "glance.py"}
    for file in Path(schema.__file__).parent.glob("*.py"):
        if file.name not in homes:
            for word in ("SELECT ", "INSERT INTO", "DELETE FROM", "PRAGMA "):
                assert word not in file.read_text(encoding="utf-8"), file.name


READ_ONLY = """
import os, sys
import hnswlib
import urllib.parse  # pathlib's as_uri imports it when it is called, from Python 3.13 on
import numpy as np
from pathlib import Path
from c2v.errors import LibraryError
from c2v.library.sqlite import reserve  # imported by whatever writes, when it does
from c2v.library.sqlite.store import SqliteStore
folder, uid = Path(sys.argv[1]), int(sys.argv[2])
if uid:  # only now: nobody may not be allowed to read the interpreter's modules
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
with SqliteStore.open(folder) as library:
    assert library.read_only
    found = library.nearest(np.eye(16, dtype=np.float32)[:1], 5, strategy=sys.argv[3])
    assert found.strategy == sys.argv[3], found
    print(*found.segment_ids[0].tolist())
    for change in (lambda: library.remove_videos([1]), library.refresh):
        try:
            change()
        except LibraryError as error:
            assert "read-only" in error.message
        else:
            raise SystemExit("a read-only library was changed")
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of the machine may enter (pytest's own are for one user)."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made) / "library"


@pytest.mark.skipif(os.name == "nt", reason="permissions of folders are another thing on Windows")
@pytest.mark.parametrize("strategy", ["exact", "hnsw"])
@pytest.mark.parametrize("caches", [True, False])
def test_a_read_only_library_is_searched(open_folder: Path, strategy: str, caches: bool) -> None:
    folder = open_folder
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        for i in range(100):
            library.put_video(video(f"/{i}.mp4"), segments(unit_rows(4, seed=i)))
        if caches:
            library.nearest(unit_rows(1), 1, strategy="hnsw")
            library.refresh()
        expected = library.nearest(np.eye(16, dtype=np.float32)[:1], 5).segment_ids[0]
    before = sorted(folder.rglob("*"))
    for path in (*before, folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    # Root may write anywhere: there the check runs as nobody.
    uid = 65534 if os.getuid() == 0 else 0
    try:
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(folder), str(uid), strategy],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(schema.__file__).parents[2])},
        )
    finally:
        folder.chmod(0o755)
        if (folder / "cache").exists():
            (folder / "cache").chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(key) for key in expected]
    assert sorted(folder.rglob("*")) == before

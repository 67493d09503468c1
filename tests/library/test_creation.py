"""Making a library: killed, out of room, or twice at once; and what stands in its way."""

from __future__ import annotations

import errno
import gc
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from c2v.errors import C2VError, LibraryError
from c2v.library.sqlite.store import SqliteStore

from .conftest import MODEL, segments, unit_rows, video

fcntl = pytest.importorskip("fcntl", reason="locks, modes and users are other things on Windows")
ROOT = Path(__file__).parents[2]

KILLED = """
import os, sqlite3, sys
from pathlib import Path
from c2v.library.sqlite.store import SqliteStore
from c2v.library.sqlite import schema
stop = int(sys.argv[2])
done = 0

class Deadly(sqlite3.Connection):
    def execute(self, *arguments):
        global done
        done += 1
        if done > stop:
            os._exit(9)
        return super().execute(*arguments)

connect = sqlite3.connect
sqlite3.connect = lambda *a, **k: connect(*a, factory=Deadly, **k)
SqliteStore.create(Path(sys.argv[1])).close()
"""
AT_ONCE = """
import sys
from pathlib import Path
from c2v.errors import LibraryError
from c2v.library.sqlite.store import SqliteStore
from tests.library.conftest import MODEL, segments, unit_rows, video
sys.stdin.readline()
try:
    with SqliteStore.create(Path(sys.argv[1])) as library, library.writer():
        library.set_model(MODEL)
        library.put_video(video(f"/{sys.argv[2]}.mp4"), segments(unit_rows(2)))
except LibraryError as error:
    assert "another c2v" in error.message, error.message
else:
    print("done")
"""


def start(script: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_killed_at_any_statement_it_is_made_again(tmp_path: Path) -> None:
    ends = set()
    for stop in range(0, 90, 3):
        folder = tmp_path / str(stop)
        process = start(KILLED, folder, str(stop))
        _, complaint = process.communicate(timeout=60)
        ends.add(process.returncode)
        assert process.returncode in (0, 9), complaint
        if not SqliteStore.exists(folder):
            with pytest.raises(LibraryError, match="there is no library in"):
                SqliteStore.open(folder)
        with SqliteStore.create(folder) as library:
            library.set_model(MODEL)
            library.put_video(video("/a.mp4"), segments(unit_rows(2)))
            assert library.problems() == []
        assert SqliteStore.exists(folder)
        if process.returncode == 0:
            break
    assert ends == {0, 9}


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"SQLite format 3\0" + bytes(84)])
def test_what_a_full_disk_leaves_of_a_creation_is_no_library(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "library.db").write_bytes(content)
    assert not SqliteStore.exists(folder)
    with pytest.raises(LibraryError, match="there is no library in") as caught:
        SqliteStore.open(folder)
    assert "c2v index" in caught.value.hint
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
    assert SqliteStore.exists(folder)


def test_a_database_without_tables_is_no_library(folder: Path) -> None:
    folder.mkdir()
    connection = sqlite3.connect(folder / "library.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    assert (folder / "library.db").stat().st_size > 0
    assert not SqliteStore.exists(folder)
    with pytest.raises(LibraryError, match="there is no library in"):
        SqliteStore.open(folder)
    SqliteStore.create(folder).close()
    assert SqliteStore.exists(folder)


def test_two_at_once(tmp_path: Path) -> None:
    done = 0
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        processes = [start(AT_ONCE, folder, name) for name in "ab"]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outs = [process.communicate(timeout=60) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], outs
        with SqliteStore.open(folder) as library:
            assert len(library.videos()) == "".join(out for out, _ in outs).count("done") > 0
            assert library.problems() == []
        done += 1
    assert done == 5


def test_the_lock_comes_before_the_file(folder: Path) -> None:
    folder.mkdir()
    with (folder / "writer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LibraryError, match="another c2v"):
            SqliteStore.create(folder)
        assert not (folder / "library.db").exists()


def test_its_folder_is_its_owners_alone(tmp_path: Path) -> None:
    SqliteStore.create(tmp_path / "a" / "new").close()
    assert stat.S_IMODE((tmp_path / "a" / "new").stat().st_mode) == 0o700
    (tmp_path / "old").mkdir(mode=0o755)
    (tmp_path / "old").chmod(0o755)
    SqliteStore.create(tmp_path / "old").close()
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["x" * 5000, "/".join(["y" * 200] * 25), "a\0b"])
def test_names_that_no_file_system_takes(tmp_path: Path, name: str) -> None:
    for opening in (SqliteStore.open, SqliteStore.create, SqliteStore.exists):
        with pytest.raises(LibraryError, match="cannot open") as caught:
            opening(tmp_path / name)
        assert caught.value.hint
        assert len(caught.value.message) < 600


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("in the way")
    assert not SqliteStore.exists(tmp_path / "library")
    with pytest.raises(C2VError, match="cannot make the library folder") as caught:
        SqliteStore.create(tmp_path / "library")
    assert "--library" in caught.value.hint


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_something_else_of_its_name(folder: Path, make: object) -> None:
    folder.mkdir()
    make(folder / "library.db")  # type: ignore[operator]
    for opening in (SqliteStore.open, SqliteStore.create):
        with pytest.raises(LibraryError, match="is not a file"):
            opening(folder)


@pytest.mark.parametrize("lock", ["writer.lock", "cache.lock"])
def test_a_lock_that_is_a_folder(folder: Path, lock: str) -> None:
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        (folder / lock).unlink(missing_ok=True)
        (folder / lock).mkdir()
        with pytest.raises(C2VError, match=f"{lock} is a folder|cannot write .*cache") as caught:
            library.refresh()
        assert caught.value.hint
        assert library.nearest(unit_rows(1), 3).segment_ids.shape[0] == 1


def open_files() -> int:
    """How many this process has open, where the system says so."""
    folder = Path("/proc/self/fd")
    gc.collect()  # what earlier tests left open goes now, not in between
    return len(list(folder.iterdir())) if folder.exists() else 0


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(
    folder: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NFS without its lock service says it; no such file system can be mounted in a test."""

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        library.put_video(video("/a.mp4"), segments(unit_rows(2)))
        before = open_files()
        monkeypatch.setattr(fcntl, "flock", refuse)
        with pytest.raises(LibraryError, match="no file locks") as caught:
            library.remove_videos([1])
        assert "another disk" in caught.value.hint
        assert library.nearest(unit_rows(1), 3).segment_ids.shape == (1, 2)
        assert open_files() == before


@pytest.mark.parametrize("batch", [False, True])
def test_deleted_while_it_is_written(folder: Path, batch: bool) -> None:
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        with (  # noqa: PT012 - the run as a whole
            pytest.raises(LibraryError, match="was deleted or moved") as caught,
            library.writer(),
        ):
            library.put_video(video("/a.mp4"), segments(unit_rows(2)))
            folder.rename(folder.with_name("elsewhere"))
            if batch:
                with library.batch():
                    pass
        assert "c2v index" in caught.value.hint


def test_nothing_names_a_command_that_is_not_there() -> None:
    from c2v.cli.app import app

    if any(command.name == "verify" for command in app.registered_commands):
        pytest.skip("c2v verify exists")
    for file in (ROOT / "c2v").rglob("*.py"):
        assert "c2v verify" not in file.read_text(encoding="utf-8"), file.name


def test_numbers_beyond_64_bits(library: SqliteStore) -> None:
    far = 10**30
    key = library.put_video(video("/a.mp4", mtime_ns=far), segments(unit_rows(2)))
    library.copy_video(key, path="/b.mp4", size_bytes=1, mtime_ns=-far)
    library.record_failure("/c.mp4", size_bytes=far, mtime_ns=far, reason="odd")
    library.move_videos([(key, "/d.mp4", 5, far)])
    highest = 2**63 - 1
    stamps = {v.path: v.mtime_ns for v in library.videos()}
    assert stamps == {"/b.mp4": -highest - 1, "/d.mp4": highest}
    assert library.failures()[0].size_bytes == highest
    with pytest.raises(C2VError, match="64 bits"):
        library.put_video(video("/e.mp4", width=far), segments(unit_rows(2)))


AS_NOBODY = """
import os, sys
from pathlib import Path
from c2v.cli.app import run
import rich.console, rich.text, rich.table, numpy, c2v.library, c2v.indexing.pipeline
import c2v.cli.progress, c2v.search.ranking
uid = int(sys.argv[1])
if uid:
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
os.environ["C2V_HOME"] = "/nonexistent"
sys.exit(run(sys.argv[2:]))
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of the machine may enter."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.parametrize(
    "command", [["status"], ["index", "/", "--model", "mini"], ["search", "x"]]
)
def test_a_folder_that_cannot_be_looked_into(open_folder: Path, command: list[str]) -> None:
    folder = open_folder / "library"
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
    folder.chmod(0)
    # Root may look anywhere: there the check runs as nobody.
    uid = 65534 if os.getuid() == 0 else 0
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(uid), *command, "-L", str(folder)],
        capture_output=True, text=True, check=False, cwd="/", timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    folder.chmod(0o700)
    assert done.returncode == 3, done.stderr
    assert "Permission denied" in done.stderr
    assert "unexpected" not in done.stderr
    assert "hint: check the permissions" in done.stderr

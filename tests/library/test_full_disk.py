"""A disk without a free byte: reading goes on, removing goes on, all else is one sentence."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from c2v.library.sqlite.store import SqliteStore

from .conftest import MODEL, segments, unit_rows, video

ROOT = Path(__file__).parents[2]
OLD = Path(__file__).parent / "old" / "v1" / "made.tar.xz"
NO_ROOM = """
import resource, signal, sys
from c2v.cli.app import run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
sys.exit(run(sys.argv[1:]))
"""
Command = Callable[..., subprocess.CompletedProcess[str]]


def command(script: list[str], *arguments: str | Path, code: int = 0) -> str:
    """Both outputs of a command that ends with ``code``."""
    done = subprocess.run(
        [sys.executable, *script, *map(str, arguments)],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr
    return done.stdout + done.stderr


def videos_in(library: Path, script: list[str]) -> int:
    return int(json.loads(command(script, "status", "-L", library, "--format", "json"))["videos"])


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """A folder with a library of four videos by the shipped encoder, in the first format."""
    with tarfile.open(OLD) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "mini"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)],
        capture_output=True, check=False,
    ) if shutil.which("mount") else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    # Lazy: a test that failed may hold a file of it open.
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill_up(disk: Path) -> None:
    """Leave not a byte."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    assert shutil.disk_usage(disk).free == 0


@pytest.mark.skipif(os.name == "nt", reason="file size limits are a Unix thing")
@pytest.mark.parametrize("upgraded", [False, True])
def test_no_file_may_grow(mini: Path, upgraded: bool) -> None:
    """Reading works, of the first format as well, which cannot be brought up to date then."""
    if upgraded:
        SqliteStore.open(mini).close()
    limited = ["-c", NO_ROOM]
    content = (mini / "library.db").read_bytes()
    assert videos_in(mini, limited) == 4
    for strategy in ("exact", "hnsw"):
        out = command(
            limited, "search", "a square", "--min-score=-1", "-L", mini, "--strategy", strategy
        )
        assert "partly.mp4" in out
        assert f"mini, {strategy}" in out
    out = command(limited, "index", mini.parent / "videos", "-L", mini, code=1)
    assert "can only be read: no space is left" in out
    out = command(limited, "remove", "--yes", next(iter(paths(mini))), "-L", mini, code=1)
    assert "not even to take videos out" in out
    assert (mini / "library.db").read_bytes() == content


def paths(library: Path) -> list[str]:
    connection = sqlite3.connect(f"file:{library}/library.db?immutable=1", uri=True)
    found = [os.fsdecode(row[0]) for row in connection.execute("SELECT path FROM video")]
    connection.close()
    return found


def test_a_full_disk_is_read_and_removed_from(mini: Path, small_disk: Path) -> None:
    library = small_disk / "library"
    shutil.copytree(mini, library)
    with SqliteStore.open(library) as opened:
        opened.refresh()
    fill_up(small_disk)
    c2v = ["-m", "c2v"]
    assert "partly.mp4" in command(c2v, "search", "a square", "--min-score=-1", "-L", library)
    command(c2v, "search", "a square", "--min-score=-1", "-L", library, "--strategy", "hnsw")
    assert videos_in(library, c2v) == 4
    fill_up(small_disk)
    out = command(c2v, "index", mini.parent / "videos", "-L", library, code=1)
    assert "no space is left" in out
    for left, path in zip((3, 2), paths(library), strict=False):
        command(c2v, "remove", "--yes", path, "-L", library)
        assert videos_in(library, c2v) == left
    with SqliteStore.open(library) as opened:
        assert opened.problems() == []


def test_commits_that_wait_in_the_log_are_read_on_a_full_disk(small_disk: Path) -> None:
    """After kill -9 the newest videos are in the log, which needs memory of its own to be read."""
    library = small_disk / "library"
    script = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from c2v.library.sqlite.store import SqliteStore
from tests.library.conftest import MODEL, segments, unit_rows, video
library = SqliteStore.create(Path(sys.argv[1]))
library.set_model(MODEL)
for i in range(20):
    library.put_video(video(f"/{{i}}.mp4"), segments(unit_rows(4, seed=i)))
os._exit(0)
"""
    command(["-c", script], library)
    assert (library / "library.db-wal").stat().st_size > 100_000
    (library / "library.db-shm").unlink()
    fill_up(small_disk)
    with SqliteStore.open(library) as opened:
        assert opened.read_only
        assert opened.counts().videos == 20
        assert opened.nearest(unit_rows(1), 3).segment_ids.shape == (1, 3)


def test_a_library_is_not_begun_on_a_full_disk(mini: Path, small_disk: Path) -> None:
    library = small_disk / "library"
    videos = mini.parent / "videos"
    for spare in (0, 4096, 8192, 40_960, 80_000):
        fill_up(small_disk)
        os.truncate(small_disk / "filler", (small_disk / "filler").stat().st_size - spare)
        out = command(["-m", "c2v"], "index", videos, "-L", library, "--model", "mini", code=1)
        assert "no space left" in out or "could not be read or written" in out
        assert "hint: " in out
    (small_disk / "filler").unlink()
    command(["-m", "c2v"], "index", videos, "-L", library, "--model", "mini", code=4)
    assert videos_in(library, ["-m", "c2v"]) == 4


@pytest.mark.parametrize("upgraded", [False, True])
def test_a_read_only_file_system(mini: Path, small_disk: Path, upgraded: bool) -> None:
    library = small_disk / "library"
    shutil.copytree(mini, library)
    if upgraded:
        SqliteStore.open(library).close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    c2v = ["-m", "c2v"]
    assert videos_in(library, c2v) == 4
    for strategy in ("exact", "hnsw"):
        out = command(
            c2v, "search", "a square", "--min-score=-1", "-L", library, "--strategy", strategy
        )
        assert "partly.mp4" in out
    videos = mini.parent / "videos"
    assert "is read-only" in command(c2v, "index", videos, "-L", library, code=3)
    assert "is read-only" in command(
        c2v, "remove", "--yes", paths(library)[0], "-L", library, code=3
    )
    out = command(c2v, "index", videos, "-L", small_disk / "new", "--model", "mini", code=1)
    assert "Read-only file system" in out


def test_the_file_shrinks_after_most_videos_are_removed(folder: Path) -> None:
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        with library.writer(), library.batch():
            for i in range(400):
                rows = segments(unit_rows(4, seed=i), frames=12)
                library.put_video(video(f"/films/{i:03d}.mp4"), rows)
            for i in range(20):
                library.put_video(video(f"/kept/{i:03d}.mp4"), segments(unit_rows(4, seed=i)))
    large = (folder / "library.db").stat().st_size
    out = command(["-m", "c2v"], "remove", "--yes", "/kept/000.mp4", "-L", folder)
    assert "back to the disk" not in out  # little is gained
    out = command(["-m", "c2v"], "remove", "/films", "--yes", "-L", folder)
    assert "gives" in out
    assert "back to the disk" in out
    assert (folder / "library.db").stat().st_size < large / 4
    with SqliteStore.open(folder) as library:
        assert library.problems() == []
        assert library.counts().videos == 19
        found = library.nearest(unit_rows(4, seed=7)[:1], 1)
        assert library.segment_rows(found.segment_ids[0])[int(found.segment_ids[0, 0])].path == (
            "/kept/007.mp4"
        )

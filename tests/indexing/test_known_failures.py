"""What failed before is no news; what is gone is forgotten; a folder is a folder."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.report import IndexReport

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rights and links of POSIX")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Videos and files that fail, in a folder that anybody may look into; on as nobody in it."""
    place = Path(tempfile.mkdtemp()).resolve()
    for name in ("good.mp4", "locked/inside.mp4", "locked/deeper/more.mp4"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(name.encode())
    yield place
    for one in (place / "locked", place / "secret.mp4"):
        if one.exists():
            one.chmod(0o755)
    shutil.rmtree(place)


@pytest.fixture
def as_nobody(folder: Path) -> Iterator[None]:
    """Tests may run as root, whom no right stops: then for the test as somebody else."""
    if os.geteuid() != 0:
        yield
        return
    for one in (folder, *folder.rglob("*")):
        os.chown(one, 65534, 65534)
    os.seteuid(65534)
    yield
    os.seteuid(0)


def run(store: Any, fakes: ModuleType, *paths: Path, **options: Any) -> IndexReport:
    return index_paths(
        store, fakes.FakeBundle(), paths, options=IndexOptions(**options),
        engine=fakes.FakeEngine(),
    )  # fmt: skip


def names(failures: Sequence[Any]) -> list[str]:
    return sorted(Path(one.path).name for one in failures)


@pytest.mark.usefixtures("as_nobody")
def test_a_folder_that_cannot_be_looked_into_is_a_folder(fakes: ModuleType, folder: Path) -> None:
    store = fakes.FakeStore()
    assert run(store, fakes, folder).added == 3
    (folder / "locked").chmod(0)
    report = run(store, fakes, folder, prune=True)
    assert [(one.path, one.reason) for one in report.folders] == [
        (folder / "locked", "Permission denied")
    ]
    assert (report.failed, report.is_partial, report.known_failures) == ((), True, 0)
    assert (report.removed, report.missing, len(store.rows)) == (0, 0, 3)

    report = run(store, fakes, folder)
    assert (report.folders, report.is_partial, report.known_failures) == ((), False, 1)
    # Named, it is what was asked for.
    report = run(store, fakes, folder / "locked")
    assert (names(report.folders), report.is_partial) == (["locked"], True)
    assert report.without_videos == ()  # nobody knows

    (folder / "locked").chmod(0o755)
    report = run(store, fakes, folder)
    assert (report.unchanged, report.known_failures, store.failures()) == (3, 0, [])


@pytest.mark.usefixtures("as_nobody")
def test_a_file_that_may_not_be_read_is_known_and_tried_when_it_may(
    fakes: ModuleType, folder: Path
) -> None:
    store, secret = fakes.FakeStore(), folder / "secret.mp4"
    secret.write_bytes(b"secret")
    secret.chmod(0)
    report = run(store, fakes, folder)
    assert [(one.path, one.reason) for one in report.failed] == [(secret, "permission denied")]
    report = run(store, fakes, folder)
    assert (report.failed, report.known_failures) == ((), 1)
    secret.chmod(0o644)  # neither its size nor its time stamp says so
    report = run(store, fakes, folder)
    assert (report.added, report.known_failures, store.failures()) == (1, 0, [])


def test_only_what_fails_now_is_news(fakes: ModuleType, folder: Path) -> None:
    store = fakes.FakeStore()
    (folder / "bad.mp4").write_bytes(b"bad")
    (folder / "broken.mp4").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.mp4")
    all_bad = ["bad.mp4", "broken.mp4", "pipe.mp4"]
    report = run(store, fakes, folder)
    assert (names(report.failed), report.known_failures) == (all_bad, 0)
    report = run(store, fakes, folder)
    assert (report.failed, report.known_failures, report.is_partial) == ((), 3, False)
    report = run(store, fakes, folder, retry_failed=True)
    assert (names(report.failed), report.known_failures, report.is_partial) == (all_bad, 0, True)
    (folder / "bad.mp4").write_bytes(b"bad in another way")
    report = run(store, fakes, folder)
    assert (names(report.failed), report.known_failures) == (["bad.mp4"], 2)


def test_failures_of_files_that_are_gone_go_with_the_next_run(
    fakes: ModuleType, folder: Path
) -> None:
    store = fakes.FakeStore()
    for name in ("bad.mp4", "alone/bad.mp4", "locked/bad.mp4", "stays.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"bad")
    (folder / "broken.mp4").symlink_to(folder / "nowhere")
    assert len(run(store, fakes, folder).failed) == 5
    for name in ("bad.mp4", "alone/bad.mp4", "broken.mp4"):
        (folder / name).unlink()
    (folder / "nowhere").touch()
    run(store, fakes, folder / "locked")
    assert len(store.failures()) == 5  # elsewhere
    assert run(store, fakes, folder).known_failures == 2
    assert sorted(store.failed) == [str(folder / "locked/bad.mp4"), str(folder / "stays.mp4")]

    folder.rename(folder.with_name("unplugged"))  # a drive that is not there
    try:
        run(store, fakes, folder, folder.parent / "unplugged")
    finally:
        folder.with_name("unplugged").rename(folder)
    assert str(folder / "stays.mp4") in store.failed

"""Which files are there, on drives that answer and on one that never does; what is mounted."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from c2v.files.mounts import Mount, drive_of, kernel_devices, mounts
from c2v.files.presence import Presence, is_there


def test_what_is_deleted_or_on_no_drive_is_missing(tmp_path: Path) -> None:
    here, gone = tmp_path / "here.mp4", tmp_path / "gone.mp4"
    here.touch()
    link = tmp_path / "link.mp4"
    link.symlink_to(gone)
    inside = here / "x.mp4"  # a file stands where its folder was
    paths = [str(path) for path in (here, gone, link, inside, "/no/such/drive/a.mp4")]
    assert Presence().missing([*paths, "\0"]) == {*paths[1:], "\0"}


def test_a_drive_that_never_answers_costs_a_moment_and_is_not_asked_again(tmp_path: Path) -> None:
    there = tmp_path / "a.mp4"
    there.touch()
    never, asked = threading.Event(), []

    def look(path: str) -> bool:
        asked.append(path)
        if path.startswith("/dead/"):
            never.wait(20)
        return is_there(path)

    drives = [Mount("/", "ext4", 1), Mount("/dead", "nfs4", 2)]
    presence = Presence(look, mounted=lambda: drives, soon=0.05, patience=0.2)
    dead = [f"/dead/{number}.mp4" for number in range(3)]
    started = time.monotonic()
    # What comes after the dead ones is on another drive, and answers.
    assert presence.missing([*dead, str(there)]) == set(dead)
    assert time.monotonic() - started < 5
    assert presence.silent_drives() == ["/dead"]
    asked.clear()
    assert presence.missing([*dead, str(there)]) == set(dead)
    assert asked == [str(there)]
    never.set()


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's table of mounts")
def test_the_file_systems_of_the_kernel_are_known_by_kind() -> None:
    kinds = {one.point: one.kind for one in mounts()}
    assert kinds["/proc"] == "proc"
    devices = kernel_devices()
    proc, dev, whole = (Path(name).stat().st_dev for name in ("/proc/self", "/dev", "/"))
    assert devices[proc] == "proc"
    assert dev in devices or dev == whole
    assert whole not in devices


def test_the_drive_of_a_path_is_the_nearest_mount() -> None:
    mounted = [Mount("/", "ext4", 1), Mount("/mnt/a", "nfs", 2), Mount("/mnt/a/b", "ext4", 3)]
    assert drive_of("/mnt/a/b/c.mp4", mounted) == "/mnt/a/b"
    assert drive_of("/mnt/a/bc.mp4", mounted) == "/mnt/a"
    assert drive_of("/mnt/x.mp4", mounted) == "/"
    assert drive_of("/mnt/x.mp4", []) == "/mnt"

"""What a scan finds, leaves out and reports."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from c2v.media.scan import NamedFolder, ScanProblem, scan


def names(root: Path, *, roots: list[Path] | None = None, **options: object) -> list[str]:
    """Paths found below `root`, relative to it; a problem fails the test."""
    problems: list[ScanProblem] = []
    found = list(scan(roots or [root], on_problem=problems.append, **options))  # type: ignore[arg-type]
    assert problems == []
    return [os.path.relpath(video.path, root) for video in found]


def make(root: Path, *paths: str) -> None:
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"G" + path.encode("utf-8", "surrogateescape"))


def test_videos_are_found_by_extension_sorted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    make(tmp_path, "b.MP4", "a/z.mkv", "a.txt", ".hidden.mp4", ".git/x.mp4", "._b.mp4", "mp4")
    make(tmp_path, "a b/y.webm", "a/.c/d.mov")
    assert names(tmp_path) == ["a/z.mkv", "a b/y.webm", "b.MP4"]
    assert "._b.mp4" not in names(tmp_path, hidden=True)
    assert {".hidden.mp4", ".git/x.mp4", "a/.c/d.mov"} <= set(names(tmp_path, hidden=True))


def test_size_and_time_come_with_the_path(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4")
    (found,) = scan([tmp_path], on_problem=lambda problem: pytest.fail(problem.reason))
    status = (tmp_path / "a.mp4").stat()
    assert found.path.is_absolute()
    assert (found.size_bytes, found.mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_named_file_is_always_taken(tmp_path: Path) -> None:
    make(tmp_path, "film.bin", ".x.mp4", "old.mp4")
    (tmp_path / ".c2vignore").write_text("old.mp4\n")
    roots = [tmp_path / name for name in ("film.bin", ".x.mp4", "old.mp4")]
    assert names(tmp_path, roots=roots, exclude=["*"]) == [".x.mp4", "film.bin", "old.mp4"]


def test_links_are_followed_loops_cut_each_file_once(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    make(tmp_path, "root/z/real.mp4", "outside/far.mp4")
    (root / "a.mp4").symlink_to(root / "z" / "real.mp4")
    (root / "loop").symlink_to(root)
    (root / "z" / "up").symlink_to(root)
    (root / "elsewhere").symlink_to(outside)
    (root / "far2.mp4").symlink_to(outside / "far.mp4")
    assert names(root) == ["elsewhere/far.mp4", "z/real.mp4"]
    assert names(root, roots=[root, root / "z", root]) == ["elsewhere/far.mp4", "z/real.mp4"]


def test_ignore_files_nest_as_in_git(tmp_path: Path) -> None:
    make(
        tmp_path, "a.mp4", "tmp/b.mp4", "keep/c.mp4", "keep/raw/d.mp4", "keep/raw/e.mp4", "x/f.mp4"
    )
    (tmp_path / ".c2vignore").write_text("# comment\ntmp/\nraw/*\n/x/*.mp4\n")
    (tmp_path / "keep" / ".c2vignore").write_text("!raw/d.mp4\nraw/e.mp4\n")
    (tmp_path / "keep" / "raw" / ".c2vignore").write_text("")
    assert names(tmp_path) == ["a.mp4", "keep/c.mp4", "keep/raw/d.mp4"]


def test_ignore_files_above_the_named_folder_count_too(tmp_path: Path) -> None:
    make(tmp_path, "trip/a.mp4", "trip/raw/b.mp4", "private/c.mp4", "private/raw/d.mp4")
    (tmp_path / ".c2vignore").write_text("\ufeffprivate/\nraw/\n", encoding="utf-8")
    trip, private, raw = (tmp_path / name for name in ("trip", "private", "trip/raw"))
    assert names(tmp_path, roots=[trip]) == ["trip/a.mp4"]
    assert names(tmp_path, roots=[raw]) == ["trip/raw/b.mp4"], "named on purpose"
    assert names(tmp_path, roots=[private]) == ["private/c.mp4", "private/raw/d.mp4"]


def test_exclude_wins_over_ignore_files_and_takes_absolute_paths(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "b/c.mp4", "b/d.mkv")
    (tmp_path / ".c2vignore").write_text("!d.mkv\n")
    assert names(tmp_path, exclude=["*.mkv"]) == ["a.mp4", "b/c.mp4"]
    assert names(tmp_path, exclude=[str(tmp_path / "b")]) == ["a.mp4"]


def test_typescript_is_no_transport_stream(tmp_path: Path) -> None:
    (tmp_path / "code.ts").write_text("export const x = 1\n")
    (tmp_path / "film.ts").write_bytes(b"\x47" + bytes(187))
    assert names(tmp_path) == ["film.ts"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs bytes in names")
def test_odd_names(tmp_path: Path) -> None:
    make(tmp_path, "new\nline.mp4", os.fsdecode(b"caf\xe9.mp4"), "-x.mp4", "%d.mp4", "ü.mp4")
    assert len(names(tmp_path)) == 5


def test_what_cannot_be_looked_at_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "good.mp4", "locked/x.mp4")
    (tmp_path / "broken.mp4").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.mp4")
    real_scandir = os.scandir

    def refuse(path: str) -> object:
        # Tests may run as root, whom permissions do not stop.
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    problems: list[ScanProblem] = []
    found = list(scan([tmp_path, tmp_path / "absent"], on_problem=problems.append))
    assert [video.path.name for video in found] == ["good.mp4"]
    assert {(problem.path.name, problem.reason) for problem in problems} == {
        ("broken.mp4", "is a broken link"),
        ("pipe.mp4", "is not a regular file"),
        ("locked", "Permission denied"),
        ("absent", "No such file or directory"),
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(
    tree=st.sets(
        st.lists(st.sampled_from(["a", "b", "c.d", "ü"]), min_size=1, max_size=4).map("/".join),
        max_size=12,
    )
)
def test_scan_finds_what_was_made(tmp_path_factory: pytest.TempPathFactory, tree: set[str]) -> None:
    root = tmp_path_factory.mktemp("tree")
    paths = {f"{path}/film.mp4" for path in tree}
    make(root, *paths)
    found = names(root)
    assert set(found) == paths
    assert found == sorted(found, key=lambda path: path.split("/"))


def seen(*roots: Path, **options: object) -> tuple[list[str], list[NamedFolder]]:
    """The kinds and names of problems, and what was seen in the named folders."""
    problems: list[ScanProblem] = []
    folders: list[NamedFolder] = []
    list(scan(list(roots), on_problem=problems.append, on_named=folders.append, **options))  # type: ignore[arg-type]
    return [f"{one.kind} {one.path.name}: {one.reason}" for one in problems], folders


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of Linux's kernel")
def test_what_the_kernel_makes_up_is_not_walked(tmp_path: Path) -> None:
    make(tmp_path, "films/a.mp4")
    (tmp_path / "link").symlink_to("/proc/self")  # and on through /proc/self/root to everything
    assert names(tmp_path) == ["films/a.mp4"]
    for named in ("/proc", "/sys", "/proc/self/net"):
        problems, folders = seen(Path(named))
        assert len(problems) == 1
        assert problems[0].startswith(f"folder {Path(named).name}: not walked")
        assert [one.files for one in folders] == [0]
    # A file system of real files that only lies there is like any other.
    if Path("/dev/shm").is_mount():
        assert seen(Path("/dev/shm"))[0] == []


def test_what_was_seen_where_no_video_is(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b/c.txt", "b/d.pdf", "e.mp4.part", ".f.mp4", "._g.mp4")
    (folder,) = seen(tmp_path)[1]
    assert (folder.files, folder.videos, folder.left_out, folder.hidden) == (4, 0, 0, 1)
    make(tmp_path, "x.mp4", "b/y.mkv", "z.mov")
    (folder,) = seen(tmp_path, exclude=["b", "x.mp4"])[1]
    assert (folder.files, folder.videos, folder.left_out) == (4, 1, 1)
    inner, outer = seen(tmp_path / "b", tmp_path)[1]
    assert (inner.videos, inner.seen_before, outer.seen_before) == (1, False, True)

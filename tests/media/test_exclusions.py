"""What --exclude leaves out: paths as they stand, patterns, and gitignore's lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from c2v.media.scan import scan

FILES = (
    "[BBC] Planet/a.mp4", "B Planet/a.mp4", "Trailer [id].mp4", "Trailer i.mp4", "private/p.mp4",
    "deep/private/p.mp4", "deep/raw/r.mkv", "raw/r.mkv", "raw/sub/s.mkv", "z.mp4",
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        path = tmp_path / "archive" / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    monkeypatch.chdir(tmp_path / "archive" / "lib")
    return tmp_path / "archive" / "lib"


def left_out(root: Path, *exclude: str) -> tuple[set[str], list[str]]:
    unmatched: list[str] = []
    found = scan(
        [root], exclude=exclude, on_unmatched=unmatched.append,
        on_problem=lambda problem: pytest.fail(problem.reason),
    )  # fmt: skip
    return set(FILES) - {os.path.relpath(file.path, root) for file in found}, unmatched


P, DP = "private/p.mp4", "deep/private/p.mp4"


@pytest.mark.parametrize(
    ("cwd", "exclude", "expected"),
    [
        (".", "[BBC] Planet", {"[BBC] Planet/a.mp4"}),
        (".", "./[BBC] Planet", {"[BBC] Planet/a.mp4"}),
        (".", "{root}/[BBC] Planet/", {"[BBC] Planet/a.mp4"}),
        ("..", "lib/[BBC] Planet", {"[BBC] Planet/a.mp4"}),
        ("deep", "../[BBC] Planet", {"[BBC] Planet/a.mp4"}),
        ("/", "[BBC] Planet", {"[BBC] Planet/a.mp4"}),
        (".", "Trailer [id].mp4", {"Trailer [id].mp4"}),
        (".", "./private", {P}),
        ("..", "lib/private", {P}),
        ("..", "../archive/lib/private", {P}),
        ("deep", "./private", {DP}),
        ("/", "{root}/private", {P}),
        ("/", "{root}/priv*", {P}),
        ("..", "./lib/priv*", {P}),
        (".", "private", {P, DP}),
        (".", "private/", {P, DP}),
        ("/", "private", {P, DP}),
        ("/", "priv*", {P, DP}),
        (".", "/private", {P}),
        (".", "a*", {"[BBC] Planet/a.mp4", "B Planet/a.mp4"}),
        ("..", "*.mkv", {"deep/raw/r.mkv", "raw/r.mkv", "raw/sub/s.mkv"}),
        (".", "raw/*.mkv", {"raw/r.mkv", "raw/sub/s.mkv"}),
        ("..", "lib", set()),
        ("..", "nowhere", set()),
    ],
)
def test_left_out(
    root: Path, monkeypatch: pytest.MonkeyPatch, cwd: str, exclude: str, expected: set[str]
) -> None:
    monkeypatch.chdir(root / cwd)
    exclude = exclude.replace("{root}", str(root))
    assert left_out(root, exclude) == (expected, [] if expected else [exclude])


def test_the_last_that_means_a_file_decides(root: Path) -> None:
    found, unmatched = left_out(root, "*", "!z.mp4", "!deep", "private")
    kept = {"z.mp4", "deep/raw/r.mkv"}
    assert (found, unmatched) == (set(FILES) - kept, [])
    assert left_out(root, "z.mp4", "*.mp4", "*.mkv", "q*") == (set(FILES), ["q*"])


def test_inside_a_folder_with_brackets(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = root / "[BBC] Planet"
    monkeypatch.chdir(place)
    (place / "b").mkdir()
    (place / "b" / "c.mp4").write_bytes(b"c")
    found = scan([Path()], exclude=["./b*"], on_problem=lambda problem: pytest.fail(problem.reason))
    assert [file.path.name for file in found] == ["a.mp4"]

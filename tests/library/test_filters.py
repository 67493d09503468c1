"""Which videos a filter means."""

from __future__ import annotations

from pathlib import Path

import pytest

from c2v.paths.patterns import select


def means(patterns: list[str], path: str) -> bool:
    """Whether a library that holds this path alone would answer with it."""
    return bool(select(patterns, [path])[0])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/films", True),
        ("/films/", True),
        ("/films/2023", True),
        ("/films/2023/a.mp4", True),
        ("/films/202", False),
        ("/film", False),
        ("/films/*.mp4", True),
        ("/films/*.mkv", False),
        ("*.mp4", True),
        ("2023", True),
        ("2023/*.mp4", True),
        ("023", False),
        ("films/2023", True),
        ("/films/20[0-9][0-9]", True),
    ],
)
def test_patterns(pattern: str, expected: bool) -> None:
    assert means([pattern], "/films/2023/a.mp4") is expected


def test_any_pattern_is_enough() -> None:
    assert means(["/x", "/a"], "/a/b.mp4")
    assert not means([], "/a/b.mp4")  # a filter without any is not asked


def test_relative_patterns_start_here_or_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path / "holidays" / "a.mp4")
    assert means(["holidays"], here)
    assert means(["./holidays"], here)
    assert means(["holidays"], "/elsewhere/holidays/a.mp4")
    assert not means(["./holidays"], "/elsewhere/holidays/a.mp4")


def test_home_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USERPROFILE", "/home/me")
    assert means(["~/films"], "/home/me/films/a.mp4")

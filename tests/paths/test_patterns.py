"""One meaning of a path or pattern: what exists is meant as it stands, the rest are patterns."""

from __future__ import annotations

import os
import time
import unicodedata
from pathlib import Path

import pytest

from c2v.media.scan import scan
from c2v.paths.globs import PatternError
from c2v.paths.patterns import existing, select

NFC, NFD = (unicodedata.normalize(form, "café zoë") for form in ("NFC", "NFD"))


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths below lib/, where we are; a decoy for each name that is also a pattern."""
    names = (
        "[BBC] Planet/a.mp4", "B Planet/a.mp4", "Trailer [id].mp4", "Trailer i.mp4", "2023/x/b.mkv",
        "2024/b.mp4", "private/p.mp4", "deep/private/p.mp4", "deep/2024/c.mp4",
    )  # fmt: skip
    paths = [tmp_path / "lib" / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path / "lib")
    return [str(path) for path in paths]


def meant(library: list[str], *patterns: str) -> list[str]:
    chosen, _ = select(patterns, library)
    return [os.path.relpath(library[place], Path(library[0]).parents[1]) for place in chosen]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[BBC] Planet", ["[BBC] Planet/a.mp4"]),
        ("./[BBC] Planet", ["[BBC] Planet/a.mp4"]),
        ("../lib/[BBC] Planet/", ["[BBC] Planet/a.mp4"]),
        ("[BBC] Planet/*.mp4", ["[BBC] Planet/a.mp4"]),
        ("{lib}/[BBC] Planet", ["[BBC] Planet/a.mp4"]),
        ("{lib}/[BBC] Planet/*", ["[BBC] Planet/a.mp4"]),
        ("Trailer [id].mp4", ["Trailer [id].mp4"]),
        ("[BC] Planet", ["B Planet/a.mp4"]),
        ("private", ["private/p.mp4"]),
        ("./private", ["private/p.mp4"]),
        ("../lib/private", ["private/p.mp4"]),
        ("deep/../private", ["private/p.mp4"]),
        ("deep/private", ["deep/private/p.mp4"]),
        ("priv*", ["private/p.mp4", "deep/private/p.mp4"]),
        ("./priv*", ["private/p.mp4"]),
        ("{lib}/priv*", ["private/p.mp4"]),
        ("*.mkv", ["2023/x/b.mkv"]),
        ("20[0-9][0-9]", ["2023/x/b.mkv", "2024/b.mp4", "deep/2024/c.mp4"]),
        ("20?4/*.mp4", ["2024/b.mp4", "deep/2024/c.mp4"]),
        ("nowhere", []),
        ("[z", []),
    ],
)
def test_what_is_meant(library: list[str], pattern: str, expected: list[str]) -> None:
    lib = str(Path.cwd())
    assert meant(library, pattern.replace("{lib}", lib)) == expected
    _, unmatched = select([pattern.replace("{lib}", lib)], library)
    assert bool(unmatched) is not bool(expected)


def test_the_current_folder_may_have_brackets(
    library: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("[BBC] Planet")
    assert meant(library, ".") == ["[BBC] Planet/a.mp4"]
    assert meant(library, "a.mp4") == ["[BBC] Planet/a.mp4"]
    assert meant(library, "./*.mp4") == ["[BBC] Planet/a.mp4"]
    assert meant(library, "../2024") == ["2024/b.mp4"]
    assert len(meant(library, "..")) == len(library)


def test_what_a_library_holds_is_meant_as_it_stands_too(library: list[str]) -> None:
    """The drive is not plugged in: nothing of it exists, and the names are still names."""
    gone = ["/gone/[BBC] Planet/a.mp4", "/gone/B Planet/a.mp4"]
    chosen, unmatched = select(["/gone/[BBC] Planet"], gone)
    assert (chosen, unmatched) == ([0], [])
    assert select(["Planet [x].mp4"], ["/gone/Planet [x].mp4", "/gone/Planet x.mp4"])[0] == [0, 1]


def test_home(library: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    monkeypatch.setenv("USERPROFILE", str(Path.cwd()))
    assert meant(library, "~/private") == ["private/p.mp4"]
    assert meant(library, "~/priv*") == ["private/p.mp4"]
    assert len(meant(library, "~")) == len(library)


def test_links_are_followed_when_nothing_is_below_the_link(library: list[str]) -> None:
    Path("link").symlink_to("2024")
    assert meant(library, "link") == ["2024/b.mp4"]


@pytest.mark.parametrize(("on_disk", "typed"), [(NFD, NFC), (NFC, NFD)])
def test_names_that_look_alike_are_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_disk: str, typed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / on_disk / f"{on_disk}.mp4"
    file.parent.mkdir()
    file.write_bytes(b"x")
    paths = [str(file), str(tmp_path / "other.mp4")]
    for pattern in (typed, f"./{typed}", f"{typed}/{typed}.mp4", f"{tmp_path}/{typed}", "*zo?.mp4"):
        assert select([pattern], paths) == ([0], [])
    assert existing(str(tmp_path / typed / f"{typed}.mp4")) == str(file)
    file.unlink()  # held by the library only
    file.parent.rmdir()
    assert select([f"{tmp_path}/{typed}"], paths) == ([0], [])


def test_of_two_that_look_alike_the_exact_one_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for form in (NFC, NFD):
        (tmp_path / form).mkdir()
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system does not tell them apart")
    paths = [str(tmp_path / form / "a.mp4") for form in (NFC, NFD)]
    assert select([NFC], paths)[0] == [0]
    assert select([NFD], paths)[0] == [1]


def test_a_pattern_that_means_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(PatternError, match=r"'\[z-a\]\*' is no pattern: the range z-a"):
        select(["[z-a]*"], [str(tmp_path / "a")])
    with pytest.raises(PatternError, match="it is empty"):
        select([""], [str(tmp_path / "a")])
    (tmp_path / "[z-a]").touch()  # a name, though
    assert select([str(tmp_path / "[z-a]")], [str(tmp_path / "[z-a]")])[0] == [0]


def test_no_pattern_runs_away() -> None:
    started = time.monotonic()
    assert select(["*a" * 3000 + "*c"], ["/" + "a" * 250] * 100)[0] == []
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "pattern",
    [
        "[BBC] Planet", "./[BBC] Planet", "{lib}/[BBC] Planet", "[BC] Planet",
        "./private", "*.mkv", "{lib}/2023", "Trailer [id].mp4", "20[0-9][0-9]",
    ],
)  # fmt: skip
def test_what_a_search_finds_within_is_what_exclude_leaves_out(
    library: list[str], pattern: str
) -> None:
    root = Path(library[0]).parents[1]
    typed = pattern.format(lib=root) if "{lib}" in pattern else pattern
    chosen, _ = select([typed], library)  # --in and remove
    kept = {str(found.path) for found in scan([root], exclude=[typed], on_problem=print)}
    assert {library[place] for place in chosen} == set(library) - kept

"""Ignore files mean what they mean to git, whatever they cost others."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from c2v.media.ignore import IgnoreRules, decode_lines
from c2v.media.scan import ScanProblem, scan
from c2v.paths.globs import Glob, PatternError, parse

CASES = Path(__file__).parents[3] / "shared" / "cases"


def rules(*lines: str) -> IgnoreRules:
    return IgnoreRules(lines, on_bad=lambda number, why: pytest.fail(f"{number}: {why}"))


# -- the same answers as git ---------------------------------------------------------------------

names = st.text("ab.#! ", min_size=1, max_size=3).filter(lambda n: n.strip(". ") != "")
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
pieces = st.sampled_from(
    ["a", "b", ".", "*", "?", "[ab]", "[!a]", "[^b.]", "[a-b]", "[]a]", "[[:alpha:]]", "\\a", "\\*",
     "\\#", "\\!", "\\ ", " ", "#", "!", "[a-]", "[\\]a]"]
)  # fmt: skip
segments = st.one_of(
    st.just("**"), st.lists(pieces, min_size=1, max_size=4).map("".join), names
).filter(lambda s: s == "**" or "**" not in s)
patterns = st.builds(
    lambda negated, rooted, parts, folder: negated + rooted + "/".join(parts) + folder,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(segments, min_size=1, max_size=4),
    st.sampled_from(["", "", "/", " ", "  "]),
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    place = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(place)], check=True)
    return place


def git_ignores(repository: Path, lines: list[str], asked: list[str]) -> set[str]:
    (repository / ".gitignore").write_text("".join(f"{line}\n" for line in lines))
    done = subprocess.run(
        ["git", "-c", "core.excludesFile=", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=repository,
        input="\0".join(asked).encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
    )
    assert done.returncode in (0, 1), done.stderr
    return set(done.stdout.decode().split("\0")[:-1])


@settings(
    max_examples=250, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    lines=st.lists(patterns, min_size=1, max_size=6),
    asked=st.lists(paths, min_size=1, max_size=12, unique=True),
)
@example(lines=["a/**/b"], asked=["a/b", "a/a/b", "a/a/a/b", "b/a/b", "a/ab"])
@example(lines=["a/**"], asked=["a", "a/b", "a/b/a", "b/a/b"])
@example(lines=["**/a"], asked=["a", "b/a", "b/b/a", "ab"])
@example(lines=["*", "!a", "!b/a"], asked=["a", "b", "b/a", "a/b"])
@example(lines=["/*", "!/a"], asked=["a", "b", "a/b"])
@example(lines=["a*b*a"], asked=["aba", "abba", "ab a", "abab"])
@example(lines=["a\\ "], asked=["a ", "a"])
@example(lines=["!"], asked=["!"])
@example(lines=["*/a/**/b*/"], asked=["b/a/b/a", "b/a/b", "a/a/a/b/b"])
def test_same_answers_as_git(repository: Path, lines: list[str], asked: list[str]) -> None:
    bad: list[int] = []
    found = IgnoreRules(lines, on_bad=lambda number, _: bad.append(number))
    # Asked of the index alone git knows no folders: every path is a file.
    ours = {path for path in asked if found.leaves_out(path, is_folder=False)}
    assert ours == git_ignores(repository, lines, asked)


@pytest.mark.parametrize(
    ("line", "path", "is_folder", "expected"),
    [
        ("raw/", "raw", False, None),
        ("raw/", "raw", True, True),
        ("raw/", "a/raw", True, True),
        ("a/raw/", "b/a/raw", True, None),
        ("!raw", "raw", False, False),
        ("ü?.mp4", "üß.mp4", False, True),
        ("[[:digit:]]*", "7.mp4", False, True),
        ("[[:digit:]]*", "a7.mp4", False, None),
        ("[a/b]c", "ac", False, True),
        ("# no", "# no", False, None),
        ("", "a", False, None),
        ("/", "a", True, None),
    ],
)
def test_one_line(line: str, path: str, is_folder: bool, expected: bool | None) -> None:
    assert rules(line).verdict(path, is_folder=is_folder) is expected


# -- lines that mean nothing, or too much --------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[z-a]*", "the range z-a goes backwards"),
        ("a[bc", "a [ is never closed"),
        ("[[:letter:]]", "no class"),
        ("a\\", "backslash"),
        ("x" * 5_000_000, "5,000,000 characters"),
    ],
)
def test_a_bad_line_is_left_out_and_named(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "b.mp4").write_bytes(b"x")
    (tmp_path / ".c2vignore").write_text(f"# first\n{line}\nb.mp4\n")
    problems: list[ScanProblem] = []
    found = list(scan([tmp_path], on_problem=problems.append))
    assert [file.path.name for file in found] == ["a.mp4"]
    ((path, reason),) = [(problem.path, problem.reason) for problem in problems]
    assert path == tmp_path / ".c2vignore"
    assert reason.startswith("line 2 is left out: ")
    assert why in reason
    assert len(reason) < 200


def test_a_bad_exclude_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    problems: list[ScanProblem] = []
    found = list(scan([tmp_path], exclude=["[z-a]*"], on_problem=problems.append))
    assert [file.path.name for file in found] == ["a.mp4"]
    (problem,) = problems
    assert problem.reason == "--exclude [z-a]* is left out: the range z-a goes backwards"


RUNAWAYS = [
    "*a" * 14 + "*c", "*a" * 3000 + "*c", "*" * 3000 + "c", "a?*" * 5000, "**/" * 3000 + "c"
]  # fmt: skip


@pytest.mark.parametrize("pattern", RUNAWAYS, ids=lambda pattern: pattern[:8])
def test_no_pattern_runs_away(pattern: str) -> None:
    """Some of these take a backtracking matcher longer than the universe."""
    started = time.monotonic()
    found = rules(pattern)
    for name in ("a" * 120, "a" * 255, "/".join(["a"] * 500), "a" * 200 + "c"):
        found.verdict(name, is_folder=False)
    assert time.monotonic() - started < 5
    assert rules("*a" * 14 + "*c").verdict("a" * 200 + "c", is_folder=False) is True


def test_reported_file_of_a_runaway_pattern(tmp_path: Path) -> None:
    if not (CASES / "c2vignore_redos.txt").exists():
        pytest.skip("the files of bug reports are not here")
    shutil.copy(CASES / "c2vignore_redos.txt", tmp_path / ".c2vignore")
    for name in ("a" * 120, "b.mp4", "a" * 100 + ".mp4"):
        (tmp_path / name).write_bytes(b"x")
    found = list(scan([tmp_path], on_problem=lambda problem: pytest.fail(problem.reason)))
    assert len(found) == 2


@pytest.mark.parametrize(
    "line",
    ["name{}", "*.ext{}", "*foo{}*", "dir{}/*.mp4", "**/a{}/*.mp4", "[ab]x{}.mp4", "n{}*.mp4"],
)
def test_twenty_thousand_lines(tmp_path: Path, line: str) -> None:
    """A generous limit: a matcher that tries each line on each path needs a minute."""
    for number in range(200):
        (tmp_path / f"film {number}.mp4").write_bytes(b"x")
    (tmp_path / ".c2vignore").write_text("".join(line.format(n) + "\n" for n in range(20_000)))
    started = time.monotonic()
    found = list(scan([tmp_path], on_problem=lambda problem: pytest.fail(problem.reason)))
    assert time.monotonic() - started < 8
    assert len(found) == 200


@settings(max_examples=300, deadline=None)
@given(
    pattern=st.lists(st.sampled_from("ab*?"), max_size=8).map("".join),
    text=st.text("abc", max_size=8),
)
def test_globs_against_every_way_to_take_a_star(pattern: str, text: str) -> None:
    def means(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(means(pattern[1:], text[i:]) for i in range(len(text) + 1))
        return bool(text) and pattern[0] in ("?", text[0]) and means(pattern[1:], text[1:])

    assert Glob(parse(pattern, escapes=False)).matches(text) is means(pattern, text)


def test_a_lone_bracket_is_a_character_of_a_name() -> None:
    assert Glob(parse("a[b", escapes=False)).matches("a[b")
    with pytest.raises(PatternError):
        parse("a[b", escapes=True)


# -- encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_with_a_mark_are_obeyed(tmp_path: Path, encoding: str, end: str) -> None:
    for folder in ("privé", "open"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").write_bytes(b"x")
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    (tmp_path / ".c2vignore").write_bytes(f"{mark}privé/{end}x{end}".encode(encoding))
    found = list(scan([tmp_path], on_problem=lambda problem: pytest.fail(problem.reason)))
    assert [file.path.parent.name for file in found] == ["open"]


def test_reported_file_in_utf_16(tmp_path: Path) -> None:
    if not (CASES / "c2vignore_utf16").exists():
        pytest.skip("the files of bug reports are not here")
    assert decode_lines((CASES / "c2vignore_utf16").read_bytes()) == ["private/", ""]


def test_names_that_are_not_text_keep_their_bytes() -> None:
    assert decode_lines(b"caf\xe9.mp4\nx") == [os.fsdecode(b"caf\xe9.mp4"), "x"]

"""Streams that are closed, full or left by their reader: a sentence where one can be said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def library(videos: ModuleType, c2v: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of one video, which lies beside it."""
    root = tmp_path_factory.mktemp("streams")
    (root / "videos").mkdir()
    videos.make_video(root / "videos" / "one.mp4")
    c2v("index", root / "videos", "-L", root / "library", "--model", "mini")
    return root / "library"


def commands(library: Path) -> list[str]:
    videos, labels = library.parent / "videos", library.parent / "labels.txt"
    labels.write_text("a number\n")
    own = f"-L '{library}'"
    styles = ("table", "json", "csv", "paths")
    return [
        *(f"search x --all {own} -f {style}" for style in styles),
        f"search --all --batch '{labels}' {own}",
        f"describe '{videos}/one.mp4' --labels '{labels}' {own}",
        f"status {own}",
        f"index '{videos}' {own}",
        f"remove --dry-run '{videos}' {own}",
        "model list",
        "config show",
        "--help",
        "--version",
    ]


FORMS = ("2>&-", "2> /dev/full", "<&-", "<&- 2>&-")
EVERY = pytest.param(True, marks=pytest.mark.slow)


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m c2v {line}"],
        capture_output=True, text=True, timeout=60, env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("unbuffered", "step"), [("", 1), ("1", 4), pytest.param("1", 1, marks=pytest.mark.slow)]
)
def test_full_standard_output(library: Path, unbuffered: str, step: int) -> None:
    for line in commands(library)[::step]:
        done = shell(f"{line} > /dev/full", PYTHONUNBUFFERED=unbuffered)
        said = done.stderr.splitlines()[-2:]
        assert done.returncode == 1, line
        assert said[0].startswith("error: standard output: "), (line, done.stderr)
        assert said[1].startswith("hint: ")
        assert "Traceback" not in done.stderr


def test_closed_standard_output(library: Path) -> None:
    for line in commands(library):
        done = shell(f"{line} >&-")
        assert done.returncode == 1, line
        assert "error: standard output is closed" in done.stderr, (line, done.stderr)
        assert "Traceback" not in done.stderr
    assert shell("config set device cpu >&-").returncode == 0  # nothing to print


def test_a_reader_that_left(library: Path) -> None:
    for line in commands(library):
        done = shell(f"{line} | true; exit ${{PIPESTATUS[0]}}")
        assert done.returncode in (0, 5, 141), (line, done.stderr)
        assert "error" not in done.stderr, (line, done.stderr)
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("every", [False, EVERY])
@pytest.mark.parametrize("broken", FORMS)
def test_other_streams_are_not_needed(library: Path, broken: str, every: bool) -> None:
    """Each command without one of them, and all of them without any (the long form)."""
    if "full" in broken and not FULL.exists():
        pytest.skip("no /dev/full here")
    lines = commands(library)
    for line in lines if every else lines[FORMS.index(broken) :: len(FORMS)]:
        done = shell(f"{line} {broken}")
        assert done.returncode in (0, 5), (line, done.stdout, done.stderr)
        assert done.stdout, line


@pytest.mark.parametrize("broken", ["<&- >&- 2>&-", "2>&-", ">&- 2>&-"])
def test_indexing_without_streams_loses_nothing(
    library: Path, broken: str, c2v: Run, tmp_path: Path
) -> None:
    """The library must not get the number of a standard stream, and be written to as one."""
    new = tmp_path / "library"
    line = f"index '{library.parent / 'videos'}' -L '{new}' --model mini"
    done = shell(f"{line} {broken}")
    assert done.returncode == (1 if ">&-" in broken.replace("2>&-", "") else 0)
    facts = json.loads(c2v("status", "-L", new, "-f", "json").stdout)
    assert (facts["videos"], facts["failed"]) == (1, [])


def test_input_that_is_closed_or_is_waited_for(library: Path, tmp_path: Path) -> None:
    """A named pipe that nobody writes to would be waited for for ever."""
    video = library.parent / "videos" / "one.mp4"
    for line in (f"describe '{video}' --labels -", "search --batch -"):
        done = shell(f"{line} -L '{library}' <&-")
        assert done.returncode == 1
        assert "standard input is closed" in done.stderr
    os.mkfifo(tmp_path / "pipe.txt")
    for line in (
        f"describe '{video}' --labels '{tmp_path}/pipe.txt'",
        f"search --batch '{tmp_path}/pipe.txt'",
        f"search --video '{tmp_path}/pipe.txt'",
        f"describe '{video}' --labels '{tmp_path}'",
        f"describe '{video}' --labels /dev/zero",
    ):
        done = shell(f"{line} -L '{library}'")
        assert done.returncode == 1, line
        assert done.stderr.startswith("error: "), line
        assert len(done.stderr.splitlines()) == 2, (line, done.stderr)


def test_pipes_of_a_shell_are_read(library: Path) -> None:
    if shutil.which("bash") is None or not Path("/dev/fd").exists():
        pytest.skip("no process substitution here")
    video = library.parent / "videos" / "one.mp4"
    done = shell(f"describe '{video}' --labels <(echo a number) -L '{library}'")
    assert "a number" in done.stdout, done.stderr
    done = shell(f"describe '{video}' --labels - -L '{library}' <<< $'\\xef\\xbb\\xbfa number'")
    assert "a number" in done.stdout, done.stderr
    done = shell(f"search --all --batch - -L '{library}' -f paths <<< 'a number'")
    assert done.stdout == f"{video}\n"

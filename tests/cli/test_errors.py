"""Bad input: one sentence that names the file or option, one hint, the right exit code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def complaint(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """The one sentence and the one hint, and nothing else on standard error."""
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    assert done.stdout == ""
    return lines[0], lines[1]


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["search", "a cat"], 3, "default"),
        (["status"], 3, "default"),
        (["search", "a cat", "-L", "nowhere"], 3, "nowhere"),
        (["remove", "x.mp4"], 3, "default"),
        (["search"], 2, "QUERY"),
        (["search", "  "], 2, "QUERY"),
        (["search", "a cat", "--top", "0"], 2, "--top"),
        (["search", "a cat", "--min-score", "2"], 2, "--min-score"),
        (["search", "a cat", "--format", "xml"], 2, "--format"),
        (["search", "a cat", "--strategy", "guess"], 2, "guess"),
        (["search", "a", "dog", "--nto", "cat"], 2, "--nto"),
        (["index"], 2, "PATH"),
        (["index", "/no/such/folder"], 1, "/no/such/folder"),
        (["index", ".", "--device", "cuda:7", "--model", "mini"], 1, "cuda:7"),
        (["index", ".", "--device", "abacus"], 2, "abacus"),
        (["index", ".", "--segment", "often"], 2, "often"),
        (["index", ".", "--model", "no-such-model"], 1, "no-such-model"),
        (["index", ".", "-L", "postgres://x/y"], 2, "postgres://x/y"),
        (["describe", "no.mp4", "--labels", "no.txt"], 1, "no.txt"),
        (["describe", "no.mp4"], 2, "--labels"),
        (["evaluate", "--data", "no.csv"], 1, "no.csv"),
        (["indexx"], 2, "indexx"),
        (["--frobnicate"], 2, "--frobnicate"),
    ],
)
def test_one_sentence_one_hint(c2v: Run, arguments: list[str], code: int, named: str) -> None:
    sentence, _ = complaint(c2v(*arguments, code=code))
    assert named in sentence


def test_missing_clip_and_empty_labels(c2v: Run, demo_library: Path, tmp_path: Path) -> None:
    done = c2v("search", "--video", "no.mp4", "-L", demo_library, code=1)
    assert "no.mp4" in complaint(done)[0]
    labels = tmp_path / "labels.txt"
    labels.write_text("\n\n")
    done = c2v("describe", "no.mp4", "--labels", labels, "--model", "mini", code=1)
    assert "labels.txt" in complaint(done)[0]
    text = tmp_path / "not-a-video.mp4"
    text.write_text("this is no video")
    done = c2v("search", "--video", text, "-L", demo_library, code=1)
    assert "not-a-video.mp4" in complaint(done)[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", ""),
        ("header.csv", "video,caption\n"),
        ("columns.csv", "a,b\n1,2\n"),
        ("broken.json", "{"),
        ("list.json", "[1, 2]"),
        ("data.xlsx", "x"),
        ("blank.csv", "video,caption\n,\n"),
        ("nul.csv", "video,caption\nx.mp4,a\0b\n"),
    ],
)
def test_bad_captions_files(
    c2v: Run, demo_library: Path, tmp_path: Path, name: str, content: str
) -> None:
    file = tmp_path / name
    file.write_text(content)
    done = c2v("evaluate", "--data", file, "-L", demo_library, code=1)
    assert name in complaint(done)[0]


def test_global_options_before_and_after(c2v: Run, demo_library: Path) -> None:
    before = c2v("--library", demo_library, "status", "--format", "json")
    after = c2v("status", "--library", demo_library, "--format", "json")
    variable = c2v("status", "--format", "json", C2V_LIBRARY=str(demo_library))
    assert before.stdout == after.stdout == variable.stdout
    assert json.loads(before.stdout)["videos"] == 16


def test_traceback_only_with_verbose(c2v: Run) -> None:
    assert "Traceback" not in c2v("status", code=3).stderr
    done = c2v("status", "--verbose", code=3)
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("hint: ")


def test_quiet_says_nothing_but_results(c2v: Run, demo_library: Path, demo_videos: Path) -> None:
    done = c2v("--quiet", "index", demo_videos, "-L", demo_library)
    assert done.stdout + done.stderr == ""
    done = c2v("search", "a cat", "-q", "-L", demo_library)
    assert done.stderr == ""


def test_version_and_help(c2v: Run) -> None:
    from c2v import __version__

    assert c2v("--version").stdout.strip() == f"c2v {__version__}"
    for command in ("index", "search", "describe", "status", "remove", "evaluate", "demo"):
        assert command in c2v("--help").stdout
        assert "--library" in c2v(command, "--help").stdout

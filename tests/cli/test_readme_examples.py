"""The examples of the README, run one after the other: their output is what stands there.

Decimal numbers, bars, days, the time that something took and which of some like pictures is the
best differ between machines and are not compared; every word, path, rank and count is.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
EXAMPLE = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
VARIES = (
    (re.compile(r"[█▉▊▋▌▍▎▏#]{2,}|[█▉▊▋▌▍▎▏]"), "BAR"),
    (re.compile(r"\d+x realtime"), "Nx realtime"),
    (re.compile(r"^library .*/", re.MULTILINE), "library "),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DAY"),
    (re.compile(r"-?\d+\.\d+"), "N"),
    (re.compile(r" \d+ [kM]B"), " N B"),
    (re.compile(r" +"), " "),
    (re.compile(r"\d\d:\d\d (?=\d\d:\d\d-)"), "BEST "),
    (re.compile(r" $", re.MULTILINE), ""),
)
WITHOUT_EXAMPLE = {"demo", "open"}
"""The demo is the first line of the README; the other opens a window of the system."""


def examples() -> list[tuple[str, str]]:
    """Commands and what is printed, from all ``console`` blocks in their order."""
    text = README.read_text(encoding="utf-8").partition("## How it works")[0]
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(line, shown) for block in blocks for line, shown in EXAMPLE.findall(block)]


def normal(text: str) -> str:
    for pattern, stand_in in VARIES:
        text = pattern.sub(stand_in, text)
    return text.strip()


@pytest.fixture
def folder(demo_videos: Path, tmp_path: Path) -> Path:
    """The folder of the examples: the demo's videos, and the captions that stand in the README."""
    shutil.copytree(demo_videos, tmp_path / "demo" / "videos")
    text = README.read_text(encoding="utf-8")
    (captions,) = re.findall(r"^```csv\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "demo" / "captions.csv").write_text(captions, encoding="utf-8")
    return tmp_path / "demo"


@pytest.mark.skipif(os.name == "nt", reason="the examples are lines of a shell of POSIX")
def test_examples_print_what_stands_in_the_readme(folder: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("C2V_")}
    environment = kept | {
        "C2V_HOME": str(folder.parent / "home"), "HF_HUB_OFFLINE": "1", "COLUMNS": "80",
        "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8",
    }  # fmt: skip
    for line, expected in examples():
        if line.startswith(". .venv"):
            continue  # where they are run
        done = subprocess.run(
            f'c2v() {{ {shlex.quote(sys.executable)} -m c2v "$@"; }}\n{line}', shell=True,
            capture_output=True, encoding="utf-8", cwd=folder, env=environment, timeout=600,
        )  # fmt: skip
        assert done.returncode in (0, 5), (line, done.stdout, done.stderr)
        # What is said beside an answer is left out, except where nothing else is printed.
        said = done.stdout or done.stderr.splitlines(keepends=True)[-1:]
        printed = "".join(said).replace(str(folder), "~/.cache/c2v/demo")
        assert normal(printed) == normal(expected), line


def test_every_command_has_an_example() -> None:
    from typer.main import get_group

    from c2v.cli.app import app

    shown = {name for line, _ in examples() for name in re.findall(r"c2v (\w+)", line)}
    names = set(get_group(app).commands)
    assert names - shown <= WITHOUT_EXAMPLE


def test_what_is_said_to_be_there_has_a_test() -> None:
    text = README.read_text(encoding="utf-8").partition("## Compared")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 25
    for name, cell in rows:
        linked = re.fullmatch(r" \[yes\]\((tests/\S+)\) ", cell)
        assert cell == " not yet " or (linked and (README.parent / linked[1]).exists()), name

"""What the commands look like in a terminal of 50, 80 and 140 columns, kept as files.

``C2V_WRITE_GOLDEN=1`` writes them anew and takes away those of screens that are no more; what
cannot be the same twice (times, scores, bars, sizes) is replaced before. Escape characters of
coloured screens are kept as ``␛``.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from c2v.cli.app import app, run

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[2]


def helps(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """The help of every command and group of commands."""
    yield " ".join(("help of", *words)) if words else "help", [*words, "--help"]
    for name, one in getattr(group, "commands", {}).items():
        yield from helps(one, (*words, name))


COMMANDS = {
    "search": ["search", "a motorcycle"],
    "search moments": ["search", "a motorcycle", "--moments", "--top", "2"],
    "similar": ["similar", "videos/garage.mp4@0:01", "--all"],
    "search said": ["search", "--said", "old engine"],
    "search seen and said": ["search", "a motorcycle", "--said", "engine*"],
    "describe": ["describe", "videos/garage.mp4", "--labels", "labels.txt"],
    "describe moments": [
        "describe",
        "videos/garage.mp4",
        "--labels",
        "a motorcycle, a rocket launch",
        "--moments",
    ],
    "tag": ["tag", "--dry-run", "--labels", "a motorcycle, a rocket launch"],
    "cluster": ["cluster", "--count", "2", "--labels", "a motorcycle, a rocket launch"],
    "map": ["map", "--output", "map.png", "--quiet"],
    "status": ["status"],
    "index": ["index", "videos", "--quiet", "--retry-failed"],
    "evaluate": ["evaluate", "--data", "captions.csv", "--videos", "videos"],
    "config": ["config", "show"],
    "model list": ["model", "list"],
    "remove": ["remove", "--dry-run", "videos/garage.mp4"],
    "nothing there": ["search", "x", "--in", "nowhere"],
    "a typing mistake": ["serch", "a dog"],
    "an unknown option": ["search", "a dog", "--tpo", "3"],
    "no number": ["search", "a dog", "--top", "many"],
    "no such library": ["search", "a dog", "--library", "elsewhere/"],
    "no such file": ["describe", "videos/gone.mp4", "--labels", "labels.txt"],
    "no such model": ["model", "info", "nobody"],
    "no such setting": ["config", "set", "colour", "red"],
    "no such format": ["search", "a dog", "--format", "jsno"],
    "model remove": ["model", "remove", "mini"],
    **dict(helps(typer.main.get_command(app))),
}
COLOURED = ("search", "status", "model list", "no such file")
COLUMNS = (50, 80, 140)
# As c2v.__main__ does, line after line: starting a process takes longer than printing a screen.
LINES = """
import json
import sys
from pathlib import Path
from c2v.cli.streams import prepare
prepare()
from c2v.cli.app import run
for line in json.loads(Path(sys.argv[1]).read_text()):
    run(line)
    sys.stdout.flush()
    print("== end of screen ==", file=sys.stderr, flush=True)
"""
VOLATILE = (
    (re.compile(r"\b\d+(\.\d+)? (ms|s)\b"), r"N \2"),
    (re.compile(r"-?\b\d\.\d{3}\b"), "0.000"),
    (re.compile(r"(?<=[a-z] )[01]\.\d\d(?= *$)", re.MULTILINE), "0.00"),
    (re.compile(r"(?<!\d)\d\d:\d\d(?!\d)"), "MM:SS"),
    (re.compile(r" ?[█▏▎▍▌▋▊▉]+ *"), " BAR"),
    (re.compile(r"\d+\.\d MB"), "N MB"),
    (re.compile(r"library /\S+"), "library PLACE"),
    (re.compile(r"[ \t]+(?=\n)"), ""),
)


@pytest.fixture(scope="module")
def place(demo_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three videos, a file that is none, a library of them, labels and captions."""
    folder = tmp_path_factory.mktemp("golden")
    (folder / "videos").mkdir()
    for name in ("garage.mp4", "photographer.mp4", "departure.mp4"):
        shutil.copyfile(demo_videos / name, folder / "videos" / name)
    (folder / "videos" / "notes.mp4").write_text("no video at all\n")
    (folder / "videos" / "garage.srt").write_text(
        "1\n00:00:01,000 --> 00:00:03,000\n<i>That is an old engine,</i>\nand [red]it runs[/red].\n"
    )
    (folder / "labels.txt").write_text(
        "a motorcycle in a garage\na rocket launch\n[/red] :smiley:\n"
    )
    (folder / "captions.csv").write_text(
        "video,caption\ngarage.mp4,a motorcycle\nphotographer.mp4,a man with a camera\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("C2V_HOME", str(folder / "home"))
        code = run(
            [
                "index",
                str(folder / "videos"),
                "-L",
                str(folder / "library"),
                "-m",
                "mini",
                "-q",
            ]
        )
    assert code == 4  # notes.mp4
    return folder


@pytest.fixture(scope="module")
def screens(place: Path) -> dict[str, str]:
    """What every command shows: without colours in each width, and some of them with colours."""
    return {
        name: screen
        for columns in COLUMNS
        for name, screen in _shown(place, columns, list(COMMANDS), NO_COLOR="1").items()
    } | _shown(place, 80, list(COLOURED), FORCE_COLOR="1", COLORTERM="truecolor")


def _shown(place: Path, columns: int, names: list[str], **settings: str) -> dict[str, str]:
    words = place / "lines.json"
    words.write_text(json.dumps([["--library", "library/", *COMMANDS[name]] for name in names]))
    shown = on_a_terminal([sys.executable, "-c", LINES, str(words)], place, columns, settings)
    *parts, after = shown.split("== end of screen ==\r\n")
    assert len(parts) == len(names), after
    coloured = "NO_COLOR" not in settings
    kind = "in-colour" if coloured else str(columns)
    return {
        f"{name.replace(' ', '-')}-{kind}": settled(part, place, coloured=coloured)
        for name, part in zip(names, parts, strict=True)
    }


def on_a_terminal(command: list[str], place: Path, columns: int, settings: dict[str, str]) -> str:
    """Everything a process shows in a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    ours_only = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    environment = {key: value for key, value in os.environ.items() if key not in ours_only}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=place,
        env=environment | settings | {
            "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "C2V_HOME": str(place / "home"),
            "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1",
        },
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # nobody is left at the other end
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait(timeout=60) == 0, shown.decode()
    return shown.decode()


def settled(shown: str, place: Path, *, coloured: bool) -> str:
    """What is the same on every machine: no links and no cursor, no places, no times."""
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b\]8;[^\x1b]*\x1b\\|\r", "", shown)
    if not coloured:  # what is bold stays so without colours
        shown = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    shown = shown.replace(str(place), "PLACE").replace("\x1b", "␛")
    for pattern, settled_form in VOLATILE:
        shown = pattern.sub(settled_form, shown)
    return shown.strip("\n") + "\n"


NAMES = [f"{name.replace(' ', '-')}-{columns}" for name in COMMANDS for columns in COLUMNS] + [
    f"{name.replace(' ', '-')}-in-colour" for name in COLOURED
]


@pytest.mark.parametrize("name", NAMES)
def test_the_screen_is_the_kept_one(name: str, screens: dict[str, str]) -> None:
    shown, file = screens[name], GOLDEN / f"{name}.txt"
    if os.environ.get("C2V_WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    assert file.is_file(), f"{file.name} is missing: C2V_WRITE_GOLDEN=1 writes it"
    assert shown == file.read_text(encoding="utf-8")
    assert ("␛[" in shown) == name.endswith("-in-colour")


def test_no_screen_is_kept_that_is_not_looked_at() -> None:
    others = [path for path in GOLDEN.iterdir() if path.stem not in NAMES]
    if os.environ.get("C2V_WRITE_GOLDEN"):
        while others:
            others.pop().unlink()
    assert others == []

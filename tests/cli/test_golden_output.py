"""What the commands look like in a terminal of 50, 80 and 140 columns, kept as files.

``C2V_WRITE_GOLDEN=1`` writes them anew; what cannot be the same twice (times, scores, bars, sizes)
is replaced before.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from c2v.cli.app import run

GOLDEN = Path(__file__).parent / "golden"
COMMANDS = {
    "search": ["search", "a motorcycle"],
    "search moments": ["search", "a motorcycle", "--moments", "--top", "2"],
    "describe": ["describe", "videos/garage.mp4", "--labels", "labels.txt"],
    "status": ["status"],
    "index": ["index", "videos", "--quiet", "--retry-failed"],
    "evaluate": ["evaluate", "--data", "captions.csv", "--videos", "videos"],
    "config": ["config", "show"],
    "nothing there": ["search", "x", "--in", "nowhere"],
    "help": ["--help"],
    "help of search": ["search", "--help"],
    "a typing mistake": ["serch", "a dog"],
}
VOLATILE = (
    (re.compile(r"\b\d+(\.\d+)? (ms|s)\b"), r"N \2"),
    (re.compile(r"-?\b\d\.\d{3}\b"), "0.000"),
    (re.compile(r"\b\d\d:\d\d\b"), "MM:SS"),
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


def on_a_terminal(arguments: list[str], place: Path, columns: int) -> str:
    """Everything a command shows in a terminal of so many columns, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {
        key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "c2v", "--library", "library/", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=place,
        env=environment | {
            "NO_COLOR": "1", "TERM": "xterm", "LC_ALL": "C.UTF-8", "C2V_HOME": str(place / "home"),
            "PYTHONPATH": str(Path(__file__).parents[2]), "HF_HUB_OFFLINE": "1",
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
    process.wait(timeout=60)
    return shown.decode()


def settled(shown: str, place: Path) -> str:
    """What is the same on every machine: no escapes, no places, no times."""
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\]8;[^\x1b]*\x1b\\|\r", "", shown)
    shown = shown.replace(str(place), "PLACE")
    for pattern, settled_form in VOLATILE:
        shown = pattern.sub(settled_form, shown)
    return shown.strip("\n") + "\n"


@pytest.mark.parametrize("columns", [50, 80, 140])
@pytest.mark.parametrize("name", COMMANDS)
def test_the_screen_is_the_kept_one(name: str, columns: int, place: Path) -> None:
    shown = settled(on_a_terminal(COMMANDS[name], place, columns), place)
    file = GOLDEN / f"{name.replace(' ', '-')}-{columns}.txt"
    if os.environ.get("C2V_WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    assert file.is_file(), f"{file.name} is missing: C2V_WRITE_GOLDEN=1 writes it"
    assert shown == file.read_text(encoding="utf-8")

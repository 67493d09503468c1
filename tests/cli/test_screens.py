"""Text from outside reaches a screen as text: no markup, no escape sequence, in any encoding.

Names of files, labels, captions, queries, models and settings hold what terminals and rich would
obey. Every command is run with them, on streams that refuse every character they lack.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import typer

from c2v.cli.app import app, run
from c2v.cli.text import ESCAPING, LONGEST_SENTENCE, printable, shortened
from c2v.config import models_dir
from c2v.encoder.catalogue import locate_bundle

MARKUP = "[bold red][music] [red] :smiley:"
ESCAPES = "\x1b[31m\x1b]0;title\x07\r\n\x9b2J\u202egnp\u2066"
HOSTILE = f"{MARKUP} {ESCAPES} é – … 日本"
SHOWN = "[bold red][music] [red] :smiley: \\x1b[31m\\x1b]0;title\\x07\\r\\n\\x9b2J\\u202egnp\\u2066"
ENCODINGS = ("utf-8", "cp1252", "cp437", "latin-1", "cp932", "ascii")
Run = Callable[..., subprocess.CompletedProcess[str]]


class Place(NamedTuple):
    """What the command lines below speak of."""

    videos: Path
    library: Path
    home: Path

    def file(self, name: str, text: str) -> Path:
        path = self.home / name
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture(scope="module")
def place(videos: ModuleType, c2v: Run, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A library of hostile names, one of them of a file that is no video."""
    home = tmp_path_factory.mktemp("screens")
    folder = home / "videos"
    folder.mkdir()
    for number, name in enumerate((HOSTILE, "plain", MARKUP)):
        made = videos.make_video(home / "made.mp4", count=6 + number, rate=5)
        made.rename(folder / f"{name}.mp4")
    (folder / f"bad {HOSTILE}.mp4").write_text("no video")
    c2v("index", folder, "-L", home / "library", "--model", "mini", code=4)
    return Place(folder, home / "library", home)


def words(place: Place) -> dict[str, list[list[str | Path]]]:
    """Command lines for every command, each with something hostile in it."""
    labels = place.file("labels.txt", f"{HOSTILE.replace(chr(10), ' ')}\n[/red]\n")
    queries = place.file("queries.txt", f"{HOSTILE.replace(chr(10), ' ')}\n")
    captions = place.home / f"{MARKUP}.csv"
    with captions.open("w", encoding="utf-8", newline="") as file:
        rows = [(path.name, HOSTILE) for path in sorted(place.videos.iterdir())]
        csv.writer(file).writerows([("video", "caption"), *rows, ("gone [/b]\x1b.mp4", "[/red]")])
    video, inside = place.videos / f"{HOSTILE}.mp4", ("-L", place.library)
    evaluating = ["evaluate", "--data", captions, "--videos", place.videos, *inside]
    return {
        "index": [["index", place.videos, "--retry-failed", *inside], ["index", f"/no/{HOSTILE}"]],
        "search": [
            ["search", HOSTILE, *inside],
            ["search", "x", *inside, "--moments"],
            ["search", "x", *inside, "--in", HOSTILE],
            ["search", "--video", video, *inside],
            ["search", "--batch", queries, *inside],
            ["search", "-i", HOSTILE, *inside],
            ["search", "x", "-L", HOSTILE],
            ["search", "x", "--strategy", HOSTILE],
            ["search", "x", f"--{HOSTILE}"],
        ],
        "similar": [
            ["similar", video, *inside],
            ["similar", f"{video}@0:01", *inside, "--moments"],
            ["similar", f"{HOSTILE}.mp4@1", *inside],
        ],
        "duplicates": [
            ["duplicates", *inside],
            ["duplicates", f"/no/{HOSTILE}", *inside],
            ["duplicates", "--not-duplicates", video, *inside],
        ],
        "describe": [
            ["describe", video, "--labels", labels, *inside],
            ["describe", f"{HOSTILE}.mp4", "--labels", labels, *inside],
            ["describe", video, "--labels", HOSTILE],
            ["describe", video, "--labels", labels, "--moments", *inside],
        ],
        "tag": [
            ["tag", video, "--add", HOSTILE, *inside],
            ["tag", "--labels", labels, "--min-confidence", "0", *inside],
            ["tag", "--list", *inside],
            ["tag", "--list", video, *inside],
            ["tag", f"/no/{HOSTILE}", *inside],
            ["tag", "--labels", HOSTILE, *inside],
        ],
        "cluster": [["cluster", *inside], ["cluster", "--labels", labels, "-k", "1", *inside]],
        "map": [
            ["map", *inside, "-o", place.home / "map.html"],
            ["map", *inside, "-o", place.home / f"{MARKUP}.png"],
            ["map", *inside, "-o", f"{HOSTILE}.jpg"],
        ],
        "play": [
            ["play", f"{HOSTILE}.mp4", *inside],
            ["play", video, "--play-command", f"./no/{HOSTILE}", *inside],
        ],
        "open": [["open", f"{HOSTILE}.mp4", *inside]],
        "status": [["status", *inside]],
        "remove": [
            ["remove", "--dry-run", place.videos, *inside],
            ["remove", f"/no/{HOSTILE}", *inside],
        ],
        "evaluate": [
            evaluating,
            [*evaluating, "--html", place.home / "page.html", "--per-query", place.home / "q.csv"],
            ["evaluate", "--data", f"{HOSTILE}.csv"],
            [*evaluating, "--model", HOSTILE],
        ],
        "finetune": [["finetune", "--data", f"{HOSTILE}.csv", "--name", HOSTILE]],
        "demo": [["demo", "--dir", place.library / "library.db" / HOSTILE, "--model", HOSTILE]],
        "model list": [["model", "list"]],
        "model info": [["model", "info", HOSTILE]],
        "model pull": [["model", "pull", HOSTILE]],
        "model import": [["model", "import", f"{HOSTILE}.pt", "--name", HOSTILE]],
        "model export": [["model", "export", HOSTILE, "x.pt"]],
        "model tune": [
            ["model", "tune", "mini", "--data", captions, "--videos", place.videos, *inside],
            ["model", "tune", HOSTILE, "--data", captions, *inside],
            ["model", "tune", "mini", "--data", f"{HOSTILE}.csv", "--as", HOSTILE],
        ],
        "model use": [["model", "use", HOSTILE]],
        "model remove": [["model", "remove", HOSTILE, "--yes"]],
        "config show": [["config", "show"]],
        "config set": [["config", "set", HOSTILE, "1"], ["config", "set", "device", HOSTILE]],
        "config unset": [["config", "unset", HOSTILE]],
        "config get": [["config", "get", HOSTILE], ["config", "get", "library"]],
        "config reset": [["config", "reset", f"--{HOSTILE}"]],
        "library list": [["library", "list"]],
        "library delete": [
            ["library", "delete", HOSTILE, "--yes"],
            ["library", "delete", place.library],
        ],
        "": [[HOSTILE], [f"--{HOSTILE}"], ["--library", HOSTILE, "status"]],
    }


def all_commands(group: Any = None, prefix: str = "") -> Iterator[str]:
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from all_commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name


def test_no_command_is_left_out(place: Place) -> None:
    assert set(words(place)) - {""} == set(all_commands())


@pytest.fixture
def hostile_home(c2v_home: Path) -> Path:
    """Settings and models with hostile texts in them."""
    config = c2v_home / "config" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f"library = {json.dumps(HOSTILE)}\n", encoding="utf-8")
    broken = models_dir() / f"broken {HOSTILE}"
    broken.mkdir(parents=True)
    (broken / "config.json").write_text("{", encoding="utf-8")
    strange = models_dir() / "strange"
    shutil.copytree(locate_bundle("mini"), strange)
    described = json.loads((strange / "config.json").read_text(encoding="utf-8"))
    described |= {"name": "strange", "source": HOSTILE, "licence": HOSTILE}
    (strange / "config.json").write_text(json.dumps(described), encoding="utf-8")
    return c2v_home


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_command_neutralises_what_it_shows(
    place: Place, hostile_home: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lines in words(place).values():
        for line in lines:
            bare = [str(word) for word in line]
            shown = run_on_screen(bare, encoding, monkeypatch)
            assert_harmless(shown, bare)


def run_on_screen(arguments: list[str], encoding: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """All that a command prints, on streams that refuse characters they lack."""
    screen = io.BytesIO()
    with monkeypatch.context() as patch:
        for name in ("stdout", "stderr"):
            stream = io.TextIOWrapper(screen, encoding=encoding, errors="strict", newline="\n")
            patch.setattr(sys, name, stream)
        run(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        shown = screen.getvalue().decode(encoding)
        sys.stdout.detach()  # type: ignore[union-attr]
        sys.stderr.detach()  # type: ignore[union-attr]
    return shown


def assert_harmless(shown: str, arguments: list[str]) -> None:
    assert shown, arguments
    for character in shown.replace("\n", ""):
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs"), (arguments, shown)
    for sign in ("Traceback", "unexpected", "😃", "MarkupError"):
        assert sign not in shown, (arguments, shown)


def test_it_is_shown_as_it_is(
    place: Place, hostile_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = words(place)
    for name in ("search", "describe", "status", "index", "model list", "config show", "remove"):
        shown = run_on_screen([str(word) for word in lines[name][0]], "utf-8", monkeypatch)
        wanted = SHOWN if name != "describe" else SHOWN.partition("\\r")[0]  # there a label ends
        assert wanted in shown, name


def test_help_holds_nothing_from_outside(
    hostile_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("C2V_MODEL", HOSTILE)
    monkeypatch.setenv("C2V_DEVICE", HOSTILE)
    for name in ("index", "search", "describe"):
        assert run([name, "--help"]) == 0
        assert_harmless(capsys.readouterr().out, [name])


def test_the_page_of_failures_is_escaped(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    page = place.home / "page.html"
    captions = place.home / "html.csv"
    with captions.open("w", encoding="utf-8", newline="") as file:
        hostile = "<script>alert(1)</script> & \"'><b>"
        rows = [(path.name, hostile) for path in sorted(place.videos.iterdir())]
        csv.writer(file).writerows([("video", "caption"), *rows])
    run(
        ["evaluate", "--data", str(captions), "--videos", str(place.videos), "-L",
         str(place.library), "--html", str(page)]
    )  # fmt: skip
    text = page.read_text(encoding="utf-8")
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert "<b>" not in text


# As c2v.__main__ does, line after line: the start of a process costs more than what it prints.
LINES = """
import json
import sys
from c2v.cli.streams import prepare
prepare()
from c2v.cli.app import run
for line in json.loads(sys.argv[1]):
    code = run(line)
    sys.stdout.flush()
    print(f"== exit code {code}", file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_real_process_prints_in_every_encoding(place: Place, encoding: str) -> None:
    """On its own streams: tables, CSV, JSON, and an error."""
    here = ["-L", str(place.library)]
    lines = [
        (["search", "x", "--all", *here], 5),
        (["search", "x", "--all", *here, "-f", "csv"], 5),
        (["search", "x", *here, "-f", "json"], 5),
        (["status", *here], 0),
        (["index", f"/nö/{HOSTILE}"], 1),
        (["--help"], 0),
        (["search", "--help"], 0),
    ]
    for code, shown in printed([line for line, _ in lines], encoding):
        assert "Traceback" not in shown
        assert code == lines.pop(0)[1], shown
        if encoding == "ascii" and len(lines) == 6:
            assert "####" in shown
    assert not lines


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp932"])
def test_the_real_command_prints_in_an_encoding(place: Place, encoding: str) -> None:
    """The command itself, from its start."""
    for arguments, code in (
        (["search", "x", "--all", "-L", place.library], 5),
        (["index", f"/nö/{HOSTILE}"], 1),
    ):
        command = [sys.executable, "-m", "c2v", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, env=environment(encoding), timeout=60)
        shown = done.stdout.decode(encoding) + done.stderr.decode(encoding)
        assert done.returncode == code, shown
        assert "Traceback" not in shown


def printed(lines: list[list[str]], encoding: str) -> Iterator[tuple[int, str]]:
    """Exit code, and standard output and error, of each line in one process of that encoding."""
    done = subprocess.run(
        [sys.executable, "-c", LINES, json.dumps(lines)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(encoding), timeout=120,
    )  # fmt: skip
    text = done.stdout.decode(encoding)
    assert done.returncode == 0, text
    parts = re.split(r"== exit code (\d+)\r?\n", text)
    for shown, code in zip(parts[::2], parts[1::2], strict=False):
        yield int(code), shown


def environment(encoding: str) -> dict[str, str]:
    return os.environ | {"PYTHONIOENCODING": encoding}


def test_texts_of_every_kind() -> None:
    assert printable("plain [b] :smiley: é 日本") == "plain [b] :smiley: é 日本"
    assert printable("tab\tnew\nline\x00") == "tab\\tnew\\nline\\x00"
    assert printable("\udcff\udcc3\udca9") == "\\xffé"  # one byte that is no text, two that are
    assert printable("\ud800") == "\\ud800"
    assert printable("a\u200db\u00a0c\u202fd") == "a\u200db\u00a0c\u202fd"
    assert "x\udcffy€".encode("cp437", ESCAPING) == b"x\xffy\\u20ac"
    assert len(shortened("x" * 5000)) <= LONGEST_SENTENCE
    assert shortened("short") == "short"

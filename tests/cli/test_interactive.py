"""``c2v search -i``: in a real terminal, with keys as they are typed, and part by part."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import c2v as package
from c2v.cli.latest import Latest
from c2v.errors import UsageError

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def library(videos: ModuleType, c2v: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six videos, some in a folder of their own, one with a name of wide letters."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "some").mkdir()
    for number, name in enumerate(("a", "b", "some/c", "some/d", "東京の犬と猫の物語", "🎬 film")):
        videos.make_video(folder / f"{name}.mp4", count=40 + 10 * number, rate=5)
    c2v("index", folder, "-L", folder / "library", "--model", "mini")
    return folder / "library"


# -- the thread that answers ----------------------------------------------------------------------


def test_what_comes_late_never_replaces_what_is_newer() -> None:
    """While the first is being answered three more come: the last of them alone is done."""
    begun, go, over = threading.Event(), threading.Event(), threading.Event()
    found: list[int] = []

    def work(number: int) -> int:
        if number == 1:
            begun.set()
            assert go.wait(10)
        return 10 * number

    def done(number: int, answer: int) -> None:
        found.append(answer)
        if number == 4:
            over.set()

    latest = Latest(work, done, lambda _number, error: pytest.fail(str(error)))
    latest.ask(1)
    assert begun.wait(10)
    for number in (2, 3, 4):
        before = time.monotonic()
        latest.ask(number)
        assert time.monotonic() - before < 1  # who asks does not wait
    go.set()
    assert over.wait(10)
    latest.stop()
    assert found == [10, 40]


def test_what_fails_is_told_and_the_next_is_done() -> None:
    over = threading.Event()
    told: list[str] = []

    def work(number: int) -> int:
        if number == 1:
            raise UsageError("not like this")
        return number

    def failed(_number: int, error: Exception) -> None:
        told.append(str(error))
        latest.ask(2)

    latest: Latest[int, int] = Latest(work, lambda *_: over.set(), failed)
    latest.ask(1)
    assert over.wait(10)
    latest.stop()
    assert told == ["not like this"]


# -- answers --------------------------------------------------------------------------------------


def test_answers_are_those_of_the_finished_question(library: Path) -> None:
    wanted: dict[str, Any] = {"top": 4, "within": [str(library.parent / "some")], "not_": ["sky"]}
    with package.open(library) as videos:
        typed = videos.as_typed(**wanted)
        assert typed.answer("") is None
        assert typed.answer("  ") is None
        for text in ("a", "a d", "a dog^2"):
            ours, theirs = typed.answer(text), videos.search(text, **wanted)
            assert ours is not None
            assert ours.results == theirs.results
            assert (ours.query, ours.passed, ours.videos) == (theirs.query, 2, 6)
        with pytest.raises(UsageError, match="weight"):
            typed.answer("a dog^0")
        like = videos.as_typed(video=str(library.parent / "a.mp4"))
        first = like.answer("")
        assert first is not None
        assert first[0].path.endswith("a.mp4")


def test_beginnings_of_words_are_not_kept_on_disk(library: Path, c2v_home: Path) -> None:
    with package.open(library) as videos:
        typed = videos.as_typed()
        for text in ("a", "a d", "a do", "a dog"):
            assert typed.answer(text)
    assert [path for path in c2v_home.rglob("*") if path.suffix == ".query"] == []


# -- on the screen --------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "rows", "beside"), [(50, 24, 0), (80, 24, 15), (140, 40, 22)])
def test_results_come_while_it_is_typed(
    library: Path, tmp_path: Path, load_helper: Callable[[str], ModuleType],
    columns: int, rows: int, beside: int,
) -> None:  # fmt: skip
    terminal = load_helper("terminal.py")
    played = tmp_path / "played.txt"
    player = tmp_path / "player.py"
    player.write_text(
        f"import json, sys\nwith open({str(played)!r}, 'a') as file:\n"
        "    file.write(json.dumps(sys.argv[1:]) + '\\n')\n"
    )
    with terminal.Terminal(columns, rows) as window:
        window.c2v(
            "search", "-i", "-L", library, "--play-command",
            f"{sys.executable} {player} {{start}} {{path}}",
        )  # fmt: skip
        window.wait_for("type what to look for")
        window.type("a dog")
        screen = window.wait_until_still(
            lambda screen: (
                screen.startswith("search: a dog\n")
                and "nothing here matches; these are the closest" in screen  # of test pictures
                and sum("▀" in line for line in screen.splitlines()) == beside
            )
        )
        lines = screen.splitlines()
        assert re.match(r"> +1 .*\.mp4 +00:\d\d +-?\d\.\d{3} weak( |$)", lines[2])
        found = [line for line in lines if re.match(r"[> ] +\d ", line)]
        assert len(found) == 6
        if beside:
            assert {line.count("▀") for line in lines if "▀" in line} == {2 * beside}
        window.keys("Down", "Down", "Down", "Up")
        screen = window.wait_for(lambda screen: re.search(r"^> +3 ", screen, re.M))
        assert len(re.findall(r"^>", screen, re.M)) == 1
        (third,) = (line for line in screen.splitlines() if line.startswith(">"))
        window.keys("Enter")
        deadline = time.monotonic() + 60
        while not (played.exists() and played.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        start, path = json.loads(played.read_text())
        assert (float(start), Path(path).exists()) == (0.0, True)
        assert Path(path).name[-6:] in third
        window.wait_for("Esc leaves")
        window.keys("Escape")
        screen = window.wait_for("exit code 0")
        assert "search:" not in screen.splitlines()[1:]
        assert "c2v play 1" in screen
        window.c2v("play", "3", "-L", library, "--play-command",
                   f"{sys.executable} {player} {{start}} {{path}}")  # fmt: skip
        window.wait_for("exit code 0")
    assert played.read_text().splitlines() == [json.dumps([start, path])] * 2


def test_it_fits_into_every_size_and_ctrl_c_leaves(
    library: Path, load_helper: Callable[[str], ModuleType]
) -> None:
    terminal = load_helper("terminal.py")
    with terminal.Terminal(80) as window:
        window.c2v(
            "search", "a", "red", "car", "-i", "-L", library, "--in", library.parent / "some"
        )
        window.wait_for("2 of 6 videos passed the filters")
        for columns, rows, pictures in ((50, 30, 11), (30, 10, 0), (140, 50, 22), (80, 24, 15)):
            window.resize(columns, rows)
            screen = window.wait_for(
                lambda screen, count=pictures, rows=rows: (
                    screen.count("\n") == rows
                    and screen.startswith("search: a red car\n")
                    and screen.splitlines()[-1].startswith("up/down")
                    and sum("▀" in x for x in screen.split("\n")) == count
                )
            )
            lines = screen.splitlines()
            assert sum(bool(re.match(r"[> ] +\d ", line)) for line in lines) == 2
        window.keys("C-c")
        window.wait_for("exit code 0")


def test_what_cannot_be_asked_or_played_is_said_there(
    library: Path, load_helper: Callable[[str], ModuleType]
) -> None:
    terminal = load_helper("terminal.py")
    with terminal.Terminal(100, NO_COLOR="1") as window:
        window.c2v("search", "-i", "a horse", "-L", library, "--play-command", "/no/player")
        screen = window.wait_for("nothing here matches")
        assert "▀" not in screen  # without colours there are no blocks
        assert not re.search(r"\x1b\[[34][0-8]", window.screen(colours=True))
        window.type("^0")
        window.wait_for("a weight is above 0 and at most 100")
        window.keys("BSpace", "BSpace")
        window.wait_for("nothing here matches")
        window.keys("Enter")
        window.wait_for("/no/player cannot be started")
        window.keys("C-u")
        screen = window.wait_for("type what to look for")
        assert not re.search(r"^[> ] +\d ", screen, re.M)
        window.keys("C-d")
        window.wait_for("exit code 0")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_sigterm_leaves_the_terminal_as_it_was(
    library: Path, load_helper: Callable[[str], ModuleType]
) -> None:
    terminal = load_helper("terminal.py")
    with terminal.Terminal(80) as window:
        window.c2v("search", "-i", "a dog", "-L", library)
        window.wait_for("nothing here matches")
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = process.read_bytes().split(b"\0")
            except OSError:
                continue
            if b"-i" in words and os.fsencode(library) in words and b"search" in words:
                os.kill(int(process.parent.name), signal.SIGTERM)
        window.wait_for("exit code 130")
        window.line("stty -a")
        assert re.search(r"\becho\b.*", window.wait_for("icanon"))
        assert not re.search(r"-(echo|icanon)\b", window.screen())


# -- where it cannot be ---------------------------------------------------------------------------


def test_without_a_terminal_it_is_one_sentence(library: Path, c2v: Run) -> None:
    done = c2v("search", "-i", "a dog", "-L", library, code=2)
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: -i needs a terminal to type in", 'hint: c2v search "a dog"',
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [("--batch", "-"), ("--format", "json"), ("--cut", "x"), ("--thumbnails",), ("--play",)],
)
def test_other_ways_to_show_results_are_refused(
    library: Path, c2v: Run, words: tuple[str, ...]
) -> None:
    done = c2v("search", "-i", "-L", library, *words, code=2)
    assert words[0] in done.stderr.splitlines()[0]


def test_no_other_search_imports_it(run_python: Run, library: Path) -> None:
    script = (
        "import sys; from c2v.cli.app import run\n"
        "sys.argv = ['c2v', 'search', 'a dog', '-L', sys.argv[1], '-f', 'json']\n"
        "run(sys.argv[1:]) if run.__code__.co_argcount else run()\n"
    )
    done = run_python("-X", "importtime", "-c", script, library, code=None)
    assert json.loads(done.stdout)["results"]
    assert "prompt_toolkit" not in done.stderr


# -- pictures that are no text --------------------------------------------------------------------


@pytest.fixture
def preview(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """The preview of a terminal that draws so, with a picture that needs no file."""
    from c2v.cli import interactive_preview
    from c2v.cli.interactive_screen import Remarks

    made: list[Any] = []

    def of(drawing: str) -> Any:
        monkeypatch.setattr(interactive_preview, "drawing_of_terminal", lambda: drawing)
        monkeypatch.setattr(interactive_preview, "cell_size", lambda: (8, 16))
        monkeypatch.setattr("c2v.cli.thumbnails.cell_size", lambda: (8, 16))
        preview = interactive_preview.Preview(Remarks(), come.set, pytest.fail)
        made.append(preview)
        return preview

    come = threading.Event()
    of.come = come  # type: ignore[attr-defined]
    yield of
    for one in made:
        one.stop()


@pytest.mark.parametrize(
    ("drawing", "begins"),
    [("kitty", "\x1b_Ga=T"), ("iterm2", "\x1b]1337;File"), ("sixel", "\x1bP0;1q")],
)
def test_pictures_are_drawn_once_at_their_place(
    preview: Any, library: Path, drawing: str, begins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = preview(drawing)
    with package.open(library) as videos:
        moment = videos.search("a dog")[0]
    shown.show(moment)
    assert preview.come.wait(30)
    drawn = shown.draw(50, 2, 30, 15)
    place = drawn.index("\x1b[3;51H")
    assert drawn.index(begins) > place
    assert drawn.startswith("\x1b7")
    assert drawn.endswith("\x1b8")
    assert shown.draw(50, 2, 30, 15) == ""
    assert begins in shown.draw(40, 2, 30, 15)  # the screen has another size
    shown.forget_screen()
    assert begins in shown.draw(40, 2, 30, 15)
    shown.show(None)
    gone = shown.draw(40, 2, 30, 15)
    assert ("\x1b_Ga=d" in gone) if drawing == "kitty" else gone.count("\x1b[30X") == 15
    assert shown.lines(30, 15) == []
    shown.stop()
    assert ("\x1b_Ga=d" in capsys.readouterr().out) == (drawing == "kitty")


def test_a_file_without_a_picture_says_why(preview: Any, tmp_path: Path, library: Path) -> None:
    from dataclasses import replace

    shown = preview("kitty")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(np.random.default_rng(0).bytes(5000))
    with package.open(library) as videos:
        shown.show(replace(videos.search("a dog")[0], path=str(broken)))
    assert preview.come.wait(30)
    ((_, sentence),) = shown.lines(30, 15)
    assert sentence.startswith("no picture: ")

"""The display of ``c2v index``: what it draws for what happens, and on the screen of a terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from rich.cells import cell_len

from c2v.cli.console import PlainConsole
from c2v.cli.progress import MOST_FILES, IndexDisplay
from c2v.cli.text import fitted

Run = Callable[..., subprocess.CompletedProcess[str]]
NAMES = (
    "clip.mp4",
    "a film with a name that is longer than any line of any terminal could ever be.mkv",
    "東京の長い映画と犬と猫の物語、第二部、日本語字幕付きの完全版.mp4",
    "🎬🎥📽 holidays 🏖.mov",
    "\x1b[31mred\n.mp4",
)


def display(width: int, height: int = 24, **options: bool) -> IndexDisplay:
    console = PlainConsole(
        file=StringIO(), force_terminal=True, width=width, height=height, **options
    )
    return IndexDisplay(console, shown=True)


def drawn(board: IndexDisplay) -> list[str]:
    return [line.plain for line in board.board()]


def share(line: str) -> int:
    found = re.match(r" *(\d+)%", line)
    assert found is not None, line
    return int(found[1])


def test_the_total_never_goes_back() -> None:
    """Films of other lengths a byte, one that is read again from its start, one that fails."""
    board = display(80)
    board.scanned(5)
    assert drawn(board) == ["scanning, 5 files"]
    sizes = [1000, 50_000, 200, 9_000, 4_000]
    paths = [Path(f"/v/{number}.mp4") for number in range(5)]
    board.planned(5, sum(sizes))
    seen = [share(drawn(board)[0])]

    def note() -> None:
        seen.append(share(drawn(board)[0]))

    for number, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        board.opened(path, seconds=60.0 * (5 - number), size_bytes=size)
        note()
        for _ in range(3):
            board.advanced(path, seconds=15.0 * (5 - number))
            note()
        if number == 1:  # it changed while it was read
            board.opened(path, seconds=600.0, size_bytes=size)
            note()
            board.advanced(path, seconds=600.0)
            note()
        board.closed(path, failed=number == 2)
        note()
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 100)
    assert len(set(seen)) > 8
    assert drawn(board)[0].endswith("5/5 videos, 1 failed")


@pytest.mark.parametrize("width", [20, 30, 50, 80, 140])
def test_columns_are_fixed_and_nothing_is_wider_than_the_terminal(width: int) -> None:
    board = display(width)
    board.planned(12, 12_000)
    at = set()
    for number in range(12):
        path = Path("/v") / f"{number}{NAMES[number % len(NAMES)]}"
        board.opened(path, seconds=10.0 ** (number % 5 + 1), size_bytes=1000)
        board.advanced(path, seconds=1.0)
        lines = board.board()
        assert max(line.cell_len for line in lines) < max(width, 21)
        assert all(line.plain == line.plain.rstrip() for line in lines)
        at |= {line.plain.index("%") for line in lines if "%" in line.plain}
        for line in lines[1:]:
            name = line.plain[line.plain.rindex("  ") :] if "more" not in line.plain else ""
            assert "\x1b" not in name
    assert at == {3}
    assert len(drawn(board)) == 1 + MOST_FILES + 1
    assert width < 30 or drawn(board)[-1].strip() == f"and {12 - MOST_FILES} more"


def test_names_begin_in_one_column_whatever_else_changes() -> None:
    board = display(80)
    board.planned(1234, 10**9)
    starts = set()
    for seconds in (5.0, 500.0, 50_000.0):
        path = Path(f"/v/name{seconds}.mp4")
        board.opened(path, seconds=seconds, size_bytes=1000)
        board.advanced(path, seconds=seconds / 3)
        starts |= {line.index("name") for line in drawn(board)[1:]}
    starts.add(drawn(board)[0].index("   0/1234 videos"))
    assert len(starts) == 1


def test_only_files_in_flight_are_shown() -> None:
    board = display(80)
    board.planned(3, 3000)
    first, second = Path("/v/first.mp4"), Path("/v/second.mp4")
    board.opened(first, seconds=10, size_bytes=1000)
    board.advanced(first, seconds=10)  # it waits to be stored, with others
    board.opened(second, seconds=10, size_bytes=1000)
    assert [line for line in drawn(board) if ".mp4" in line] == [drawn(board)[1]]
    assert "second" in drawn(board)[1]


def test_a_low_terminal_has_room_for_the_whole() -> None:
    board = display(80, height=6)
    board.planned(9, 9000)
    for number in range(9):
        board.opened(Path(f"/v/{number}.mp4"), seconds=10, size_bytes=1000)
    assert len(drawn(board)) == 4


def test_what_is_kept_of_a_film_does_not_count_as_speed() -> None:
    board = display(80)
    board.planned(1, 1000)
    film = Path("/v/film.mp4")
    board.opened(film, seconds=3600, size_bytes=1000)
    board.resumed(film, seconds=1800)
    assert "x" not in drawn(board)[0].partition("videos")[0]
    assert share(drawn(board)[0]) == share(drawn(board)[1]) == 50


def test_without_colours_the_bar_is_seen() -> None:
    board = display(80, no_color=True)
    board.planned(1, 1000)
    board.opened(Path("/v/film.mp4"), seconds=100, size_bytes=1000)
    board.advanced(Path("/v/film.mp4"), seconds=50)
    assert drawn(board)[1].count("━") == 8


def test_fitted_is_exactly_as_wide() -> None:
    for name in NAMES[:4]:
        for cells in range(1, 60):
            assert cell_len(fitted(name, cells, tail=10)) == cells
    assert fitted(NAMES[1], 20, tail=6) == "a film with a…be.mkv"


@pytest.fixture
def film(videos: ModuleType, tmp_path: Path) -> Path:
    """An hour and more, beside short ones, under a name of wide letters."""
    folder = tmp_path / "films"
    folder.mkdir()
    made = videos.make_video(folder / "b.mp4", count=300, rate=5, size=(320, 240))
    return videos.repeat(made, folder / f"{NAMES[2]}.mp4", times=120)  # type: ignore[no-any-return]


def test_on_the_screen_it_survives_other_widths_and_ctrl_c(
    film: Path, tmp_path: Path, load_helper: Callable[[str], ModuleType]
) -> None:
    terminal = load_helper("terminal.py")
    library = tmp_path / "library"
    words = ("index", film.parent, "-L", library, "--model", "mini", "-j", "1")
    with terminal.Terminal(80, OMP_NUM_THREADS="1") as window:
        window.c2v(*words)
        window.wait_for("東京")
        for columns in (50, 140, 60):
            window.resize(columns)
            screen = window.wait_for(
                lambda screen, columns=columns: (
                    re.search(r"^ *\d+%.*\n *\d+%.*東", screen, re.M)
                    and "videos" in screen
                    and len(terminal.lines_of(screen)) <= 4
                )
            )
            assert len(re.findall(r"/\d+ videos", screen)) == 1, screen
        window.wait_for(lambda screen: re.search(r" 0[2-9]:\d\d/2:00:00", screen))
        window.keys("C-c")
        screen = window.wait_for("exit code 130")
    assert "not in the library yet" in screen
    assert "interrupted; what was finished is kept" in screen
    assert "%" not in screen  # nothing of the bars is left


def test_the_last_line_is_the_next_step(
    videos: ModuleType, tmp_path: Path, load_helper: Callable[[str], ModuleType], c2v: Run
) -> None:
    terminal = load_helper("terminal.py")
    folder = tmp_path / "films"
    folder.mkdir()
    videos.make_video(folder / "a.mp4", count=20)
    library = tmp_path / "my library"
    words = ("index", folder, "-L", library, "--model", "mini")
    with terminal.Terminal(140) as window:
        window.c2v(*words)
        lines = terminal.lines_of(window.wait_for("exit code 0"))
        step = lines[lines.index("exit code 0") - 1]
        assert step == f"next: c2v search --library '{library}' \"a dog catching a frisbee\""
        window.c2v(*words)  # nothing new: nothing to say
        assert "next:" not in window.wait_for("exit code 0")
        window.c2v(*words, "--rebuild", "--yes", "--quiet")
        assert "next:" not in window.wait_for("exit code 0")
    done = c2v(*words, "--rebuild", "--yes", "--format", "json")
    assert (done.stderr, json.loads(done.stdout)["updated"]) == ("", 1)


def test_a_pipe_gets_no_bars(film: Path, tmp_path: Path) -> None:
    small = film.parent / "b.mp4"
    done = subprocess.run(
        [sys.executable, "-m", "c2v", "index", small, "-L", tmp_path / "l", "--model", "mini"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "%" not in done.stdout + done.stderr
    assert "next:" not in done.stdout + done.stderr

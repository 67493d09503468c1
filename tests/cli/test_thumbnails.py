"""Pictures in the terminal: pseudo-terminals that answer, or do not, and what they would show."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.cli.terminal_pictures import half_blocks, iterm2, kitty, resized, sixel
from c2v.media.thumbnails import jpeg

fcntl = pytest.importorskip("fcntl", reason="pseudo-terminals are of Unix")
import pty  # noqa: E402
import termios  # noqa: E402

Shown = tuple[bytes, float]
ATTRIBUTES = b"\x1b[c"


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """A quarter each of red, green, blue and grey."""
    made = np.zeros((40, 40, 3), np.uint8)
    made[:20, :20], made[:20, 20:] = (255, 0, 0), (0, 255, 0)
    made[20:, :20], made[20:, 20:] = (0, 0, 255), (120, 120, 120)
    return made


# -- notations ------------------------------------------------------------------------------------


def read_sixel(text: str) -> NDArray[np.uint8]:
    """The pixels that a terminal draws for sixels."""
    head = re.match(r'\x1bP[\d;]*q"1;1;(\d+);(\d+)', text)
    assert head is not None
    assert text.endswith("\x1b\\")
    width, height = int(head[1]), int(head[2])
    shown = np.zeros((-(-height // 6) * 6, width, 3), np.uint8)
    colours: dict[int, NDArray[np.uint8]] = {}
    current, x, top = 0, 0, 0
    tokens = re.compile(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)(.)|(\$)|(-)|([?-~])")
    at, end = head.end(), len(text) - 2
    while at < end:
        match = tokens.match(text, at)
        assert match is not None, text[at : at + 20]
        at = match.end()
        if match[1]:
            shares = [int(match[place]) for place in (2, 3, 4)]
            colours[int(match[1])] = np.array([round(one * 2.55) for one in shares], np.uint8)
        elif match[5]:
            current = int(match[5])
        elif match[8]:
            x = 0
        elif match[9]:
            x, top = 0, top + 6
        else:
            count, drawn = int(match[6] or 1), ord(match[7] or match[10]) - 63
            for row in range(6):
                if drawn >> row & 1:
                    shown[top + row, x : x + count] = colours[current]
            x += count
    return shown[:height]


def read_kitty(text: str) -> tuple[dict[str, str], NDArray[np.uint8]]:
    """The keys and the pixels of a picture in kitty's notation."""
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in parts) == text
    assert all(len(data) <= 4096 for _, data in parts)
    assert [dict(pair.split("=") for pair in keys.split(","))["m"] for keys, _ in parts] == [
        *["1"] * (len(parts) - 1), "0",
    ]  # fmt: skip
    keys = dict(pair.split("=") for pair in parts[0][0].split(","))
    data = b64decode("".join(data for _, data in parts))
    return keys, np.frombuffer(data, np.uint8).reshape(int(keys["v"]), int(keys["s"]), 3)


def test_sixels_are_the_picture(picture: NDArray[np.uint8]) -> None:
    shown = read_sixel(sixel(picture))
    assert shown.shape == picture.shape
    assert (shown[:20] == picture[:20]).all()
    assert np.abs(shown[20:, 20:].mean(axis=(0, 1)) - 120).max() < 6
    # Values between two of the colours are mixed of both.
    ramp = np.repeat(np.linspace(0, 255, 60).astype(np.uint8)[None, :, None], 3, axis=2)
    ramp = np.repeat(ramp, 60, axis=0)
    shown = read_sixel(sixel(ramp))
    assert np.abs(resized(shown, 10, 10).astype(int) - resized(ramp, 10, 10)).max() < 8


def test_kitty_gets_every_pixel(picture: NDArray[np.uint8]) -> None:
    keys, shown = read_kitty(kitty(picture, 22, 11))
    assert (shown == picture).all()
    assert (keys["c"], keys["r"], keys["f"], keys["C"]) == ("22", "11", "24", "1")


def test_iterm2_gets_a_jpeg(picture: NDArray[np.uint8]) -> None:
    match = re.fullmatch(
        r"\x1b\]1337;File=inline=1;size=(\d+);width=22;height=11;[^:]*:(.*)\a",
        iterm2(jpeg(picture), 22, 11),
    )
    assert match is not None
    data = b64decode(match[2])
    assert len(data) == int(match[1])
    with av.open(BytesIO(data), format="mjpeg") as file:
        assert next(file.decode(video=0)).width == 40


def test_half_blocks_are_two_pixels_each(picture: NDArray[np.uint8]) -> None:
    lines = half_blocks(resized(picture, 4, 4))
    assert [line.plain for line in lines] == ["▀▀▀▀"] * 2
    style = lines[0].spans[0].style
    assert style.color.triplet == (255, 0, 0)  # type: ignore[union-attr]
    mixed = half_blocks(np.array([[[1, 2, 3]], [[4, 5, 6]]], np.uint8))[0].spans[0].style
    assert mixed.color.triplet == (1, 2, 3)  # type: ignore[union-attr]
    assert mixed.bgcolor.triplet == (4, 5, 6)  # type: ignore[union-attr]


# -- in a terminal --------------------------------------------------------------------------------


@pytest.fixture
def on_a_terminal(demo_library: Path) -> Callable[..., Shown]:
    """Run a search with --thumbnails in a terminal that answers as it is told; what it shows."""

    def show(answer: bytes | None, columns: int = 80, **environment: str) -> Shown:
        ours, theirs = pty.openpty()
        fcntl.ioctl(
            theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, columns * 8, 40 * 16)
        )
        plain = ("TMUX", "STY", "TERM_PROGRAM", "LC_TERMINAL", "NO_COLOR", "COLUMNS", "LINES")
        variables = {key: value for key, value in os.environ.items() if key not in plain}
        process = subprocess.Popen(
            [sys.executable, "-m", "c2v", "-L", str(demo_library), "search", "a rocket",
             "--min-score=-1", "-n", "3", "--thumbnails"],
            stdin=theirs, stdout=theirs, stderr=theirs,
            env=variables | {"TERM": "xterm-256color", "COLORTERM": "truecolor",
                             "LC_ALL": "C.UTF-8", "PYTHONPATH": str(Path(__file__).parents[2]),
                             **environment},
        )  # fmt: skip
        os.close(theirs)
        shown, asked = b"", 0.0
        while True:
            if not select.select([ours], [], [], 60)[0]:
                process.kill()
                pytest.fail(f"it hangs: {shown!r}")
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
            if not asked and ATTRIBUTES in shown:
                asked = time.monotonic()
                if answer is not None:
                    os.write(ours, answer)
        os.close(ours)
        assert process.wait(timeout=60) == 0, shown
        return shown, time.monotonic() - asked if asked else -1.0

    return show


def test_a_terminal_with_sixels_gets_sixels(on_a_terminal: Callable[..., Shown]) -> None:
    shown, _ = on_a_terminal(b"\x1b[?62;4;22c")
    pictures = re.findall(r"\x1bP0;1q.*?\x1b\\", shown.decode(), re.DOTALL)
    assert len(pictures) == 3
    pixels = read_sixel(pictures[0].replace("\r\n", "\n"))
    assert pixels.shape == (11 * 16, 22 * 8, 3)
    assert pixels.std() > 20


def test_a_terminal_with_kittys_pictures_gets_those(on_a_terminal: Callable[..., Shown]) -> None:
    shown, _ = on_a_terminal(b"\x1b_Gi=31;OK\x1b\\\x1b[?62;4c")
    text = shown.decode()
    begins = [match.start() for match in re.finditer(r"\x1b_Ga=T", text)]
    assert len(begins) == 3
    keys, pixels = read_kitty(text[begins[0] : text.index("\x1b8", begins[0])])
    assert pixels.shape == (224, 224, 3)
    assert (keys["c"], keys["r"]) == ("22", "11")


def test_iterm2_is_known_by_its_name(on_a_terminal: Callable[..., Shown]) -> None:
    shown, asked = on_a_terminal(None, TERM_PROGRAM="iTerm.app")
    assert shown.count(b"\x1b]1337;File=inline=1") == 3
    assert asked == -1.0


@pytest.mark.parametrize(
    ("answer", "environment"),
    [
        (b"\x1b[?1;2c", {}),
        (None, {}),
        (b"typed by somebody", {}),
        (b"\x1b_Gi=31;OK\x1b\\\x1b[?1;2c", {"TMUX": "/tmp/tmux-0/default,1,0"}),
        (None, {"TERM_PROGRAM": "iTerm.app", "TMUX": "/tmp/tmux-0/default,1,0"}),
    ],
)
def test_all_others_get_half_blocks_and_nobody_waits(
    on_a_terminal: Callable[..., Shown], answer: bytes | None, environment: dict[str, str]
) -> None:
    shown, since = on_a_terminal(answer, **environment)
    assert b"\x1b_Ga" not in shown
    assert b"\x1bP" not in shown
    assert shown.decode().count("▀") == 3 * 22 * 11
    assert b"38;2;" in shown
    assert since < 30  # far from a hang: an idle machine needs half a second


def test_rows_are_as_wide_as_the_terminal(on_a_terminal: Callable[..., Shown]) -> None:
    for columns, a_row in ((50, 2), (140, 3)):
        shown = on_a_terminal(b"\x1b[?1;2c", columns)[0].decode()
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\]8;[^\x1b]*\x1b\\|\r", "", shown)
        lines = [line for line in plain.splitlines() if "▀" in line]
        assert lines[0].count("▀") == a_row * 22
        assert len(lines) == 11 * (1 if a_row == 3 else 2)
        assert max(len(line) for line in lines) <= columns


def test_without_colours_there_is_one_notice(on_a_terminal: Callable[..., Shown]) -> None:
    shown, _ = on_a_terminal(b"\x1b[?1;2c", NO_COLOR="1")
    assert "▀" not in shown.decode()
    assert b"no colours for pictures" in shown


def test_nothing_is_drawn_into_a_pipe(
    c2v: Callable[..., subprocess.CompletedProcess[str]], demo_library: Path
) -> None:
    plain = c2v("search", "a rocket", "--min-score=-1", "-L", demo_library, "-n", "3")
    drawn = c2v(
        "search", "a rocket", "--min-score=-1", "-L", demo_library, "-n", "3", "--thumbnails"
    )
    assert drawn.stdout == plain.stdout
    assert "\x1b" not in drawn.stdout + drawn.stderr

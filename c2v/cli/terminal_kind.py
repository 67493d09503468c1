"""Which pictures a terminal draws: what its variables say, and what it answers when it is asked.

One question is asked, and every terminal answers at least its second half (the attributes of a
device, "DA1"); whoever does not within a third of a second draws half blocks. Nothing is asked
where somebody could be typing into a pipe, and what comes too late is thrown away.
"""

import os
import re
import sys
import time
from typing import Literal

Drawing = Literal["kitty", "iterm2", "sixel", "blocks"]

_PATIENCE_SECONDS = 0.33
_QUESTION = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"
"""Whether kitty's pictures are understood, then the attributes."""
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]*)c")
_SIXEL_ATTRIBUTE = b"4"
_CELL = (10, 20)
"""Pixels of a cell, where the terminal does not say."""


def drawing_of_terminal() -> Drawing:
    """How pictures are drawn on standard output, which is a terminal."""
    inside = any(os.environ.get(name) for name in ("TMUX", "STY"))
    programs = {os.environ.get("TERM_PROGRAM", ""), os.environ.get("LC_TERMINAL", "")}
    if not inside and {"iTerm.app", "iTerm2"} & programs:
        return "iterm2"
    answer = _asked()
    if not inside and b"\x1b_Gi=31;OK" in answer:
        return "kitty"
    attributes = _ATTRIBUTES.search(answer)
    if attributes and _SIXEL_ATTRIBUTE in attributes[1].split(b";"):
        return "sixel"
    return "blocks"


def cell_size() -> tuple[int, int]:
    """Width and height of a cell in pixels."""
    if sys.platform == "win32":
        return _CELL
    import fcntl
    import struct
    import termios

    try:
        packed = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
    except OSError:
        return _CELL
    rows, columns, width, height = struct.unpack("HHHH", packed)
    if not (rows and columns and width >= columns and height >= rows):
        return _CELL
    return width // columns, height // rows


def _asked() -> bytes:
    """What the terminal answers; nothing where it cannot be asked."""
    if sys.platform == "win32" or os.environ.get("TERM", "dumb") == "dumb":
        return b""
    if sys.stdin is None or not sys.stdin.isatty():
        return b""
    import select
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    answer = b""
    try:
        tty.setcbreak(descriptor, termios.TCSANOW)
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), _QUESTION)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _ATTRIBUTES.search(answer):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                break
            piece = os.read(descriptor, 1024)
            if not piece:
                break
            answer += piece
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
    return answer

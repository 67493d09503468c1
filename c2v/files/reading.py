"""Reading small files of strangers: plain files, never a pipe that is waited for; and JSON.

Every failure is an ``OSError`` or a ``ValueError`` with a reason that can stand in a sentence.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from io import BufferedReader
from pathlib import Path
from typing import Any

DEEPEST_JSON = 100
"""Lists and objects inside each other; what c2v writes has four."""

STDIN_NAME = "-"
_NEVER_WAITED_FOR = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/", os.devnull)
"""Devices that can be read: they are open already, or end at once."""
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_plain(path: Path) -> BufferedReader:
    """Open a file for reading; a pipe, a device or a folder is refused and never waited for.

    Raises:
        OSError: it is absent, locked away or no plain file; ``strerror`` is the reason.
    """
    try:
        # Without O_NONBLOCK, opening a pipe nobody writes into never comes back.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
    except ValueError as error:  # a NUL in the name
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = next((name for test, name in _KINDS if test(mode)), "something else")
    raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))


def read_plain(path: Path) -> bytes:
    """The content of a plain file; errors as those of :func:`open_plain`."""
    with open_plain(path) as file:
        return file.read()


def open_input(path: Path) -> BufferedReader:
    """A file that a user names to be read; standard input for ``-``.

    The pipe of a shell, ``<(...)``, is one that is open already, and is read.

    Raises:
        OSError: as :func:`open_plain`, or standard input is closed.
    """
    if str(path) == STDIN_NAME:
        return open(_stdin_descriptor(), "rb", closefd=False)  # noqa: PTH123 - no path
    return path.open("rb") if str(path).startswith(_NEVER_WAITED_FOR) else open_plain(path)


def read_input(path: Path) -> bytes:
    """All of :func:`open_input`."""
    with open_input(path) as file:
        return file.read()


def _stdin_descriptor() -> int:
    if sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed")
    descriptor = sys.stdin.fileno()
    try:
        os.read(descriptor, 0)  # fails at once where c2v was started without one
    except OSError as error:
        raise OSError(error.errno, "standard input is closed") from error
    return descriptor


def parse_json(text: str) -> Any:
    """``json.loads``, with a ``ValueError`` for everything that can be wrong with a text."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def check_depth(content: object) -> None:
    """Raises ValueError for JSON so deep that working with it would not end well."""
    level = [content]
    for _ in range(DEEPEST_JSON):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise ValueError("it is nested too deeply")

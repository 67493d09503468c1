"""Small files that a user names to be read: labels, captions, queries; never waited for."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

STDIN_NAME = "-"
_OPEN_ALREADY = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


def read_input(path: Path) -> bytes:
    """All of a file; of standard input for ``-``.

    Raises:
        OSError: it cannot be read, or is nothing that can be read to an end: a named pipe, to
            which nobody may ever write, or a device. (The pipe of a shell, ``<(...)``, is one that
            is open already.)
    """
    if str(path) == STDIN_NAME:
        with open(stdin_descriptor(), "rb", closefd=False) as stream:  # noqa: PTH123 - no path
            return stream.read()
    check_input(path)
    return path.read_bytes()


def check_input(path: Path) -> None:
    """Refuse what :func:`read_input` would, without opening it.

    Raises:
        OSError: see there.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) or str(path) == os.devnull or str(path).startswith(_OPEN_ALREADY):
        return
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket"}
    kind = kinds.get(stat.S_IFMT(mode), "a device")
    raise OSError(0, f"it is {kind}, not a file (- reads standard input)", str(path))


def stdin_descriptor() -> int:
    """The number of standard input.

    Raises:
        OSError: it is closed.
    """
    if sys.stdin is None:
        raise OSError(0, "standard input is closed")
    descriptor = sys.stdin.fileno()
    try:
        os.read(descriptor, 0)  # fails at once where c2v was started without one
    except OSError as error:
        raise OSError(error.errno, "standard input is closed") from error
    return descriptor

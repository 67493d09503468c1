"""The standard streams of a process, made fit for use before anything else is opened.

A shell may start c2v without them (``<&-``, ``>&-``, ``2>&-``): then the next file that is opened,
the library's say, would get the number of standard error and everything that is printed there. And
a stream may fail: on a full disk, or because its reader left.
"""

import io
import os
import sys
from typing import Any

from c2v.cli.text import ESCAPING

STDOUT_NAME = "standard output"


def prepare() -> None:
    """Occupy closed streams, and give those of text their names and manners.

    Standard output: errors of writing carry its name. Standard error: what cannot be written is
    dropped, for there is nobody left to tell. Neither ever fails for want of a character.
    """
    _occupy(0, os.O_WRONLY)  # reading fails as it does from a closed one
    _occupy(1, os.O_RDONLY)
    _occupy(2, os.O_WRONLY)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115, PTH123
    sys.stdout = _dressed(sys.stdout, 1, _Results)
    sys.stderr = _dressed(sys.stderr, 2, _Remarks)


def abandon(descriptor: int) -> None:
    """Let what is still to be written to a broken stream go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _occupy(descriptor: int, mode: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, mode)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)
        os.set_inheritable(descriptor, True)


class _Results(io.FileIO):
    """Standard output as bytes."""

    def write(self, data: Any) -> int | None:  # type: ignore[override]
        """Write some of it, or say which stream failed."""
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, STDOUT_NAME) from error


class _Remarks(io.FileIO):
    """Standard error as bytes."""

    def write(self, data: Any) -> int | None:  # type: ignore[override]
        """Write some of it; from the first failure on, nothing."""
        try:
            return super().write(data)
        except OSError:
            abandon(2)
            return len(data)


def _dressed(stream: Any, descriptor: int, kind: type[io.FileIO]) -> io.TextIOWrapper:
    """A text stream as ``stream`` is, over bytes of that kind."""
    buffer = getattr(stream, "buffer", None)
    if stream is not None and type(getattr(buffer, "raw", buffer)) is not io.FileIO:
        stream.reconfigure(errors=ESCAPING)  # a console of Windows has ways of its own
        return stream  # type: ignore[no-any-return]
    raw = kind(descriptor, "w", closefd=False)
    unbuffered = isinstance(buffer, io.FileIO)  # python -u
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding if stream else "utf-8",
        errors=ESCAPING,
        newline=None if os.name == "nt" else "\n",
        line_buffering=stream.line_buffering if stream else descriptor == 2,
        write_through=stream.write_through if stream else False,
    )

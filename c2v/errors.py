"""Every error a user can meet, with its hint and its exit code.

The tree is drawn once, here, and caught once, at the edge of the command line::

    C2VError            1   something went wrong
    ├── UsageError      2   the command was typed in a way c2v does not understand
    ├── LibraryError    3   no library, or a library of another model
    │   └── DamagedRowsError    what a library holds of some videos is not what was written
    ├── NoRoomError     1   the disk is full, or could not be written
    ├── MediaError      1   one video cannot be read (data of a report, rarely the end of a run)
    │   └── ChangedError    it was renamed, replaced or written to while it was read
    ├── ModelError      1   an encoder bundle is absent, damaged or cannot be fetched
    │   └── UnreachableError    the host of the weights does not answer, or may not be asked
    ├── DeviceError     1   a device was asked for and is not there
    ├── DataError       1   a captions or labels file cannot be used
    └── MissingPartError 1  an optional part of c2v was asked for and is not installed

Three more exit codes have no exception: 4 (done in part), 5 (a search that nothing matched) and
130 (interrupted).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_LIBRARY = 3
EXIT_PARTIAL = 4
EXIT_NO_MATCH = 5
EXIT_INTERRUPTED = 130


class C2VError(Exception):
    """One sentence that names the file or option, and one hint with the command that mends it."""

    exit_code = EXIT_ERROR

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(C2VError):
    """An option or argument that cannot be understood."""

    exit_code = EXIT_USAGE


class LibraryError(C2VError):
    """No library where one was expected, or one filled by another model."""

    exit_code = EXIT_LIBRARY


class DamagedRowsError(LibraryError):
    """What the library holds of some segments is not what was written."""

    def __init__(self, message: str, *, hint: str, segment_ids: tuple[int, ...]) -> None:
        super().__init__(message, hint=hint)
        self.segment_ids = segment_ids


class NoRoomError(C2VError):
    """Something could not be written, most likely because the disk is full."""


class MediaError(C2VError):
    """One video cannot be read; the message is the reason shown in the table of failures.

    ``trace`` is the traceback of an exception that nobody foresaw, shown with --verbose.
    """

    def __init__(self, message: str, *, hint: str = "", trace: str = "") -> None:
        super().__init__(message, hint=hint)
        self.trace = trace


class ChangedError(MediaError):
    """A file did not stay as it was while it was read: worth another try, and not remembered."""


class ModelError(C2VError):
    """An encoder bundle is absent, damaged or cannot be fetched."""


class UnreachableError(ModelError):
    """The host that has the weights does not answer, or may not be asked.

    ``reason`` goes after the name of the model: "is not on this machine and ...".
    """

    def __init__(self, name: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{name} {reason}", hint=hint)
        self.reason = reason


class DeviceError(C2VError):
    """A device was asked for and is not there."""


class DataError(C2VError):
    """A captions or labels file cannot be used."""


class MissingPartError(C2VError):
    """An optional part of c2v was asked for and is not installed; the hint is how to get it."""


@contextmanager
def only_this_file() -> Iterator[None]:
    """Whatever is wrong with the one file that the block reads becomes a :class:`MediaError`.

    Decoders meet files that nobody foresaw, and no file may end a run over thousands. What is no
    fault of the file passes: our own errors, memory that ran out, interrupts.
    """
    try:
        yield
    except (C2VError, MemoryError):
        raise
    except Exception as error:
        import traceback  # which nearly no run needs

        sentence = f"unexpected {type(error).__name__}: {error}".splitlines()[0]
        raise MediaError(sentence, trace=traceback.format_exc()) from error

"""What is said when a command fails: one sentence, and one hint with what mends it."""

import errno
import os
from collections.abc import Sequence

from c2v.cli.streams import STDOUT_NAME, abandon
from c2v.cli.text import printable, shortened
from c2v.errors import UsageError

_HINTS = {
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "choose a folder that can be written to",
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room within your quota",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path: a part of it is a file",
    errno.EISDIR: "check the path: it is a folder",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EMFILE: "allow more open files: ulimit -n 4096",
    errno.ENFILE: "close other programs: the machine has too many open files",
}
_UNKNOWN_HINT = "run it again with --verbose and report what it prints"


def complain(message: str, hint: str, code: int) -> int:
    """Print one sentence and one hint, whatever the terminal; returns ``code``."""
    from rich.text import Text

    from c2v.cli.console import PlainConsole

    console = PlainConsole(stderr=True)
    sentence = printable(shortened(message))
    console.print(Text.assemble(("error: ", "bold red"), sentence), soft_wrap=True)
    if hint:
        text = printable(shortened(hint))
        console.print(Text.assemble(("hint: ", "bold"), text), soft_wrap=True)
    return code


def print_trace(error: Exception) -> None:
    """The way an error came, for --verbose; texts in it are as harmless as anywhere else."""
    import traceback

    from c2v.cli.console import PlainConsole

    console = PlainConsole(stderr=True)
    for line in "".join(traceback.format_exception(error)).splitlines():
        console.print(line, soft_wrap=True)


def explain(error: Exception) -> tuple[str, str]:
    """The sentence and the hint for an exception that is not a C2VError.

    What the operating system refuses names the path and the reason; anything else is a bug.
    """
    if isinstance(error, OSError) and error.strerror:
        return _explain_os(error)
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return "a path begins with ~ and there is no such home folder", "write the path out"
    return f"unexpected {type(error).__name__}: {error}", _UNKNOWN_HINT


def _explain_os(error: OSError) -> tuple[str, str]:
    reason = error.strerror
    if error.filename == STDOUT_NAME:
        abandon(1)
        if error.errno == errno.EBADF:
            return "standard output is closed", "leave it open, or write to a file: c2v ... > FILE"
        return f"{STDOUT_NAME}: {reason}", _HINTS.get(error.errno or 0, "write to another file")
    if error.filename is None and _current_folder_is_gone():
        return f"the current folder: {reason}", "change to a folder that exists: cd"
    if error.filename is None:
        return f"the system refuses: {reason}", _HINTS.get(error.errno or 0, _UNKNOWN_HINT)
    name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
    return f"{name}: {reason}", _HINTS.get(error.errno or 0, _UNKNOWN_HINT)


def _current_folder_is_gone() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - no path is wanted
    except FileNotFoundError:
        return True
    return False


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse what can be neither a name nor a text.

    Raises:
        UsageError: an argument holds NUL, or half of a character.
    """
    for argument in arguments:
        if "\0" in argument:
            raise UsageError(f"{argument!r} holds a NUL character", hint="leave it out")
        try:
            os.fsencode(argument).decode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise UsageError(f"{argument!r} is not text", hint="leave it out") from error

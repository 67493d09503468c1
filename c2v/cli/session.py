"""What every command shares: the global options, before or after it, and the two consoles."""

import functools
import inspect
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2v.config import Settings, load_settings

if TYPE_CHECKING:
    import threading

    from rich.console import Console

    from c2v.services.video_library import VideoLibrary

LibraryFlag = Annotated[
    str | None,
    typer.Option(
        "--library",
        "-L",
        metavar="NAME|DIR",
        help="The library: a name, or a folder.  \\[env: C2V_LIBRARY]",
        show_default=False,
    ),
]
QuietFlag = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no notices.", show_default=False)
]
VerboseFlag = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="More detail, and where errors come from.", show_default=False
    ),
]


class ReaderLeft(Exception):  # noqa: N818 - what happened, not what went wrong
    """Whoever read our standard output (head, less) has closed it."""


@dataclass(frozen=True)
class Session:
    """The global options of one call, and where it writes."""

    library: str | None = None
    quiet: bool = False
    verbose: bool = False

    def settings(self) -> Settings:
        """The settings of this call: --library > environment > config file > default."""
        return load_settings(library=self.library)

    def videos(self, *, library: str | None = None, **flags: str | None) -> "VideoLibrary":
        """The library that is meant, its settings resolved; remarks come out on standard error."""
        from c2v.services.video_library import VideoLibrary

        asked_for = library or self.library
        return VideoLibrary(
            load_settings(library=asked_for, **flags),
            asked_for=asked_for is not None,
            on_notice=self.notice,
            on_problem=self.problem,
        )

    @property
    def library_option(self) -> str:
        """What follows a command in a hint, so that it means the library of this call."""
        return f" --library {shlex.quote(self.library)}" if self.library else ""

    @cached_property
    def out(self) -> "Console":
        """Standard output, for results."""
        return _console(stderr=False)

    @cached_property
    def err(self) -> "Console":
        """Standard error, for progress and notices."""
        return _console(stderr=True)

    def notice(self, text: str) -> None:
        """One line that is no result."""
        if not self.quiet:
            self.err.print(text, style="dim", soft_wrap=True)

    def problem(self, text: str) -> None:
        """One line about something that was left out; --quiet does not silence it."""
        self.err.print(text, style="yellow", soft_wrap=True)


def _console(*, stderr: bool) -> "Console":
    from c2v.cli.console import PlainConsole

    return PlainConsole(stderr=stderr)


def command(function: Callable[..., int | None]) -> Callable[..., int]:
    """Give a command the global options and turn them into the session it gets first.

    ``function(session, ...)`` returns its exit code; None is 0.
    """
    # Not typing.get_type_hints, which wraps a default of None in Optional before Python 3.11: the
    # annotation inside is then out of Typer's sight.
    hints = inspect.get_annotations(function, eval_str=True)
    own = [
        parameter.replace(annotation=hints[name])
        for name, parameter in list(inspect.signature(function).parameters.items())[1:]
    ]

    @functools.wraps(function)
    def run(
        context: typer.Context, library: str | None, quiet: bool, verbose: bool, **options: Any
    ) -> int:
        before: Session = context.find_root().obj or Session()
        session = Session(
            library=library or before.library,
            quiet=quiet or before.quiet,
            verbose=verbose or before.verbose,
        )
        try:
            code = function(session, **options) or 0
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise ReaderLeft from error
        return code

    globals_ = {"library": (LibraryFlag, None), "quiet": (QuietFlag, False)}
    globals_["verbose"] = (VerboseFlag, False)
    parameters = [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own),
        *(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
            for name, (annotation, default) in globals_.items()
        ),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__  # or the hints of the undecorated function would be read instead
    return run


@contextmanager
def stop_on_signals() -> "Iterator[threading.Event]":
    """An event that the first Ctrl-C or SIGTERM sets; a second one interrupts for good."""
    import signal
    import threading

    stop = threading.Event()

    def handle(number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    wanted = [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, handle) for number in wanted}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""``c2v search -i``: results while the question is typed."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.render import Format
from c2v.cli.session import Session
from c2v.cores import answer_on_one_core
from c2v.errors import MissingPartError, UsageError
from c2v.optional import has

if TYPE_CHECKING:
    from pathlib import Path

    from c2v.cli.doing import Doing
    from c2v.services.wanted import Wanted

InteractiveFlag = Annotated[
    bool,
    typer.Option(
        "--interactive",
        "-i",
        help="Results while you type; Enter plays the moment.",
        show_default=False,
    ),
]


def check_interactive(doing: "Doing", style: Format, batch: "Path | None") -> None:
    """Refuse what makes no sense with -i.

    Raises:
        UsageError: another option that says what becomes of the results, or no terminal.
        MissingPartError: what draws the screen is not installed.
    """
    others = {
        "--batch": batch is not None,
        "--play": doing.play,
        "--cut": doing.cut is not None,
        "--thumbnails": doing.thumbnails,
        f"--format {style.value}": style is not Format.TABLE,
    }
    for option, is_given in others.items():
        if is_given:
            raise UsageError(
                f"-i shows what it finds on its own screen, not by {option}",
                hint=f"leave out -i or {option.partition(' ')[0]}",
            )
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("-i needs a terminal to type in", hint='c2v search "a dog"')
    if not has("prompt_toolkit"):  # c2v of before, without what it has needed since
        raise MissingPartError(
            "-i needs prompt_toolkit, which is not installed",
            hint=shlex.join([sys.executable, "-m", "pip", "install", "prompt_toolkit"]),
        )


def search_as_typed(
    session: Session,
    words: str | None,
    wanted: "Wanted",
    *,
    play_command: str | None,
    **flags: str | None,
) -> int:
    """Show the screen until it is left; the last answer is kept for ``c2v play`` and others."""
    answer_on_one_core()
    from c2v.cli.interactive_screen import Remarks, Screen

    remarks = Remarks(session.library, session.quiet, session.verbose)
    try:
        with remarks.videos(**flags) as videos:
            screen = Screen(remarks, videos.as_typed(**wanted), words or "", play_command)
            code = screen.run()
            if screen.answer:
                videos.keep(screen.answer)
    finally:
        for line in dict.fromkeys(remarks.problems):
            session.problem(line)
    if screen.answer:
        place = session.library_option
        session.notice(f"these results are kept: c2v play 1{place}, c2v open 1{place}")
    return code

"""Asking before something is forgotten or deleted: one way for every command that does."""

import sys
from typing import Annotated

import typer

from c2v.cli.session import Session
from c2v.cli.text import printable
from c2v.errors import EXIT_ERROR, UsageError

YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]


def interactive() -> bool:
    """Whether somebody is there to be asked: who can read the question and answer it."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def agreed(question: str) -> bool:
    """The answer of whoever is there."""
    return typer.confirm(printable(question), err=True)


def require_consent(session: Session, what: str, *, yes: bool) -> None:
    """Go on only if ``what`` is wanted: by --yes, or by an answer.

    Args:
        session: where a refusal is noted.
        what: what would be forgotten, as the beginning of a sentence: ``remove forgets 3 videos``.
        yes: whether --yes was given.

    Raises:
        UsageError: nobody can be asked.
        typer.Exit: the answer was no.
    """
    if yes:
        return
    if not interactive():
        raise UsageError(
            f"{what}, and there is no terminal to ask on", hint="add --yes if it is meant"
        )
    if not agreed(f"{what}. Go on?"):
        session.notice("nothing was done")
        raise typer.Exit(EXIT_ERROR)

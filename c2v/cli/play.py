"""``c2v play`` and ``c2v open``: results of the last search in a player, or in their folder."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.session import Session, command
from c2v.config import load_settings

if TYPE_CHECKING:
    from c2v.services.playing import PlayFrom

WhichArgument = Annotated[
    str,
    typer.Argument(
        metavar="N|FILE[@TIME]",
        help="Result N of the last search in this library, or a file (TIME: 90 or 1:30).",
    ),
]
PlayCommandFlag = Annotated[
    str | None,
    typer.Option(
        "--play-command",
        metavar="COMMAND",
        help="The player, without a shell: {path}, {uri} and {start} (seconds) are filled in, "
        'as in "mpv --start={start} {path}".  \\[env: C2V_PLAY_COMMAND]',
        show_default=False,
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("play")(command(play))
    app.command("open")(command(open_))


def play(
    session: Session, which: WhichArgument = "1", play_command: PlayCommandFlag = None
) -> None:
    """Play a result of the last search at its moment.

    With mpv, vlc, or the player of the system.
    """
    play_at(session, _meant(session, which), play_command)


def open_(session: Session, which: WhichArgument = "1") -> None:
    """Show a result of the last search in the file manager."""
    from c2v.services.playing import reveal

    reveal(_meant(session, which).path, on_choice=_saying(session, "opened with"))


def play_at(session: Session, place: "PlayFrom", play_command: str | None) -> None:
    """Play it as the flag or the settings say, after everything that was printed before."""
    from c2v.services.playing import play

    settings = load_settings(play_command=play_command)
    session.out.file.flush()
    play(place, settings.play_command, on_choice=_saying(session, "played with"))


def _meant(session: Session, which: str) -> "PlayFrom":
    from c2v.services.playing import PlayFrom, play_from

    if not (which.isascii() and which.isdecimal()):
        return play_from(which)
    with session.videos() as videos:
        moment = videos.last(int(which))
    return PlayFrom(moment.path, moment.start)


def _saying(session: Session, verb: str) -> Callable[[str], None]:
    """Tells with --verbose what was chosen."""

    def say(choice: str) -> None:
        if session.verbose:
            session.notice(f"{verb} {choice}")

    return say

"""``c2v library``: the libraries that there are, and how they go."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.consent import YesFlag, require_consent
from c2v.cli.render import PlainFormat, PlainFormatFlag, new_table, show
from c2v.cli.session import Session, command

if TYPE_CHECKING:
    from c2v.services.libraries import FoundLibrary

AddressArgument = Annotated[
    str, typer.Argument(help="The library: a name, or a folder.", metavar="NAME|DIR")
]


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    group = typer.Typer(help="List and delete libraries.", no_args_is_help=True)
    group.command("list")(command(list_all))
    group.command("delete")(command(delete))
    app.add_typer(group, name="library")


def list_all(session: Session, style: PlainFormatFlag = PlainFormat.TABLE) -> None:
    """List the libraries: how much is in each, by which model, and when it was last used."""
    from c2v.services.libraries import list_libraries

    current = session.settings().library
    found = list_libraries(also=current)
    show(
        style,
        whole=lambda: [one.as_dict() for one in found],
        table=lambda: _print_libraries(session, found, current),
    )


def _print_libraries(session: Session, found: "tuple[FoundLibrary, ...]", current: str) -> None:
    if not found:
        session.notice("there is no library yet: c2v index PATH")
        return
    right = {"justify": "right", "overflow": "fold"}
    table = new_table("name", ("videos", right), ("size", right), "model", "last used")
    for one in found:
        videos = f"{one.videos:,}" if not one.problem else "?"
        model = f"damaged: {one.problem}" if one.problem else one.model or "none yet"
        table.add_row(
            one.name, videos, f"{one.size_bytes / 1e6:.1f} MB", model, _day(one.last_used)
        )
    session.out.print(table)
    session.notice(f"in use: {current}; another one for a command: --library NAME")


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(seconds))


def delete(session: Session, address: AddressArgument, yes: YesFlag = False) -> None:
    """Delete a library. The videos stay where they are, and so does all else in its folder."""
    from c2v.services.libraries import delete_library

    def confirm(doomed: "FoundLibrary") -> None:
        from c2v.library.refusals import amount

        held = amount(doomed.videos, doomed.seconds_of_video)
        what = (
            f"a damaged library ({doomed.problem})"
            if doomed.problem
            else f"what is known of {held}"
        )
        require_consent(
            session,
            f"library delete forgets {what}, {doomed.size_bytes / 1e6:.1f} MB in "
            f"{doomed.directory}; the videos stay",
            yes=yes,
        )

    done = delete_library(address, confirm=confirm)
    session.notice(f"deleted the library {done.library.directory}")
    if done.other_files:
        count = done.other_files
        session.notice(f"not of c2v, and still in that folder: {count:,} file{'s'[: count != 1]}")

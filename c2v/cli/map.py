"""``c2v map``: a picture of the whole library."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.label_options import PathsArgument
from c2v.cli.render import PlainFormat, PlainFormatFlag, file_link, show
from c2v.cli.session import Session, command

if TYPE_CHECKING:
    from c2v.services.mapping import LibraryMap


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("map")(command(map_))


def map_(
    session: Session,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.png|FILE.html",
            help="A picture, or a page: there a click opens the video.",
        ),
    ],
    paths: PathsArgument = None,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> None:
    """Draw a map of the library: a picture of each video, like ones beside each other."""
    from c2v.cli.counting import Counting

    with (
        session.videos() as videos,
        Counting(session.err, "pictures read", shown=not session.quiet) as counting,
    ):
        drawn = videos.map(output, paths or (), on_progress=counting.update)
    show(style, whole=drawn.as_dict, table=lambda: _print_map(session, drawn))
    if not drawn:
        session.notice("there is nothing to be drawn, and no file was written")


def _print_map(session: Session, drawn: "LibraryMap") -> None:
    if drawn.file is None:
        return
    session.out.print(file_link(drawn.file), soft_wrap=True)
    videos = f"{len(drawn):,} video{'s'[: len(drawn) != 1]}"
    session.notice(f"{videos}, {drawn.columns} x {drawn.rows}")

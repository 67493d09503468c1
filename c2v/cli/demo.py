"""``c2v demo``: the whole tool on videos made from what installed packages carry."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from c2v.cli.answers import print_answer
from c2v.cli.model_options import DeviceFlag, ModelFlag
from c2v.cli.render import Format
from c2v.cli.session import Session, command
from c2v.config import cache_dir
from c2v.errors import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("demo")(command(demo))


def demo(
    session: Session,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where the videos go.  \\[default: the cache]"),
    ] = None,
    model: ModelFlag = None,
    device: DeviceFlag = None,
) -> int:
    """Make a small folder of real videos, index it and search it. Needs no network.

    The pictures and clips come from the packages of the extra demo.
    """
    from c2v.cli.progress import IndexDisplay, running
    from c2v.demo.clips import QUERIES, make_demo_videos

    home = (folder or cache_dir() / "demo").absolute()
    clips, library = home / "videos", home / "library"
    session.notice(f"making videos out of installed packages in {clips}")
    make_demo_videos(clips)
    with session.videos(library=str(library), device=device) as videos:
        display = IndexDisplay(session.err, shown=not session.quiet)
        report = videos.index(clips, model=model, progress=display, stop=running(display))
        if report.interrupted:
            return EXIT_INTERRUPTED
        session.out.print(
            f"{report.added + report.unchanged} videos in the library, "
            f"{report.seconds_of_video:.0f} s of video read in {report.elapsed_seconds:.1f} s"
        )
        search = f"c2v search --library {shlex.quote(str(library))}"
        for answer in videos.search_many(QUERIES, top=3):
            session.out.print()
            line = f'$ {search} --top 3 "{answer.query}"'
            session.out.print(line, style="bold", soft_wrap=True)
            print_answer(session, answer, Format.TABLE)
    session.out.print()
    session.out.print(f'Try your own: {search} "..."', soft_wrap=True)
    return EXIT_ERROR if report.failed else EXIT_OK

"""``c2v demo``: the whole tool on videos made from what installed packages carry."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from c2v.cli.models import DeviceFlag, ModelFlag
from c2v.cli.render import Format, print_answer
from c2v.cli.session import Session, command, stop_on_signals
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
    from c2v.cli.progress import IndexDisplay
    from c2v.demo.clips import QUERIES, make_demo_videos
    from c2v.indexing.opening import open_for_indexing
    from c2v.indexing.options import IndexOptions
    from c2v.indexing.pipeline import index
    from c2v.search.ranking import SearchOptions, find, text_queries

    home = (folder or cache_dir() / "demo").absolute()
    videos = home / "videos"
    session.notice(f"making videos out of installed packages in {videos}")
    make_demo_videos(videos)
    settings = session.settings(device=device)
    with open_for_indexing(
        home / "library",
        model=model,
        configured=settings.model,
        device=settings.device,
        precision=settings.precision,
        notice=session.notice,
    ) as (library, bundle):
        display = IndexDisplay(session.err, shown=not session.quiet)
        with stop_on_signals() as stop, display:
            report = index(
                library, bundle, [videos], options=IndexOptions(), progress=display, stop=stop
            )
        if report.interrupted:
            return EXIT_INTERRUPTED
        session.out.print(
            f"{report.added + report.unchanged} videos in the library, "
            f"{report.seconds_of_video:.0f} s of video read in {report.elapsed_seconds:.1f} s"
        )
        for query in text_queries(bundle, QUERIES):
            session.out.print()
            session.out.print(f'$ c2v search --top 3 "{query.label}"', style="bold")
            answer = find(library, bundle, query, SearchOptions(top=3))
            print_answer(session, answer, Format.TABLE)
    session.out.print()
    session.out.print(
        f'Try your own: c2v --library {shlex.quote(str(home / "library"))} search "..."',
        soft_wrap=True,
    )
    return EXIT_ERROR if report.failed else EXIT_OK

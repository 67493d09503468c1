"""``c2v status`` and ``c2v remove``: what a library holds, and taking something out of it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2v.cli.consent import YesFlag, require
from c2v.cli.render import (
    PlainFormat,
    PlainFormatFlag,
    clock,
    file_link,
    print_json,
    short_path,
)
from c2v.cli.session import Session, command
from c2v.errors import EXIT_OK, C2VError, DataError, UsageError

if TYPE_CHECKING:
    from c2v.library import Store, VideoRecord


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("status")(command(status))
    app.command("remove")(command(remove))


def status(session: Session, style: PlainFormatFlag = PlainFormat.TABLE) -> None:
    """Show what the library holds, which model filled it, and which files failed."""
    from c2v.library import open_store

    with open_store(session.library_address()) as library:
        facts = _facts(library)
    if style is PlainFormat.JSON:
        print_json(facts)
    else:
        _print_facts(session, facts)


def _facts(library: "Store") -> dict[str, Any]:
    counts, sizes, model = library.counts(), library.storage_sizes(), library.model
    return {
        "library": library.address,
        "model": model.name if model else None,
        "videos": counts.videos,
        "segments": counts.segments,
        "frames": counts.frames,
        "seconds_of_video": round(counts.seconds, 3),
        "size_bytes": sizes.total_bytes,
        "failed": [
            {"path": failure.path, "reason": failure.reason} for failure in library.failures()
        ],
    }


def _print_facts(session: Session, facts: dict[str, Any]) -> None:
    from rich.table import Table

    hours = facts["seconds_of_video"] / 3600
    size = facts["size_bytes"] / 1e6
    per_hour = f", {size / hours:.1f} MB an hour of video" if hours > 0.05 else ""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("library", file_link(facts["library"]))
    table.add_row("model", facts["model"] or "none yet")
    table.add_row("videos", f"{facts['videos']:,}")
    table.add_row("segments", f"{facts['segments']:,}")
    table.add_row("frames", f"{facts['frames']:,}")
    table.add_row("video", f"{clock(facts['seconds_of_video'])}")
    table.add_row("on disk", f"{size:.1f} MB{per_hour}")
    table.add_row("failed", f"{len(facts['failed']):,}")
    session.out.print(table)
    if facts["failed"]:
        failures = Table(box=None, pad_edge=False, header_style="bold red")
        failures.add_column("failed", overflow="fold")
        failures.add_column("reason", overflow="fold")
        for failure in facts["failed"]:
            failures.add_row(file_link(failure["path"]), failure["reason"])
        session.out.print(failures)


def remove(
    session: Session,
    paths: Annotated[
        list[str],
        typer.Argument(help="Videos, folders with all below, or patterns.", metavar="PATH"),
    ],
    yes: YesFlag = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be removed.")
    ] = False,
) -> int:
    """Forget videos: they leave the library, the files stay where they are."""
    from c2v.indexing.pruning import amount_of
    from c2v.library import open_store

    with open_store(session.library_address()) as library:
        doomed = _meant(library, paths)
        if dry_run:
            for video in doomed:
                session.out.print(short_path(video.path), soft_wrap=True)
            return EXIT_OK
        such = f"{'such as ' if len(doomed) > 1 else ''}{short_path(doomed[0].path)}"
        what = f"remove forgets {amount_of(doomed)}, {such}; the files stay"
        require(session, what, yes=yes)
        removed = library.remove_videos([video.id for video in doomed])
        library.clear_failures([video.path for video in doomed])
        give_back_room(session, library)
    session.notice(f"removed {removed} videos")
    return EXIT_OK


def give_back_room(session: Session, library: "Store") -> None:
    """After a removal: give the disk its room back where that pays, and say so."""
    room = library.bytes_to_give_back()
    if not room:
        return
    session.notice(f"writing the library anew gives {room / 1e6:.1f} MB back to the disk")
    try:
        library.shrink()
    except C2VError as error:
        session.problem(f"{error.message}; the library stays as large as it is")


def damaged_line(paths: list[str], what: str) -> str:
    """One line about videos of which rows of the library are damaged: the first, how many more."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"rows of {short_path(paths[0])}{more} {what}"


def tell_damage(session: Session, library: "Store") -> None:
    """One line when searches leave out what is damaged in the library."""
    paths = library.left_out()
    if paths:
        import shlex

        place = f" --library {shlex.quote(library.address)}" if session.library else ""
        again = f"read again: c2v index {shlex.quote(paths[0])}{place}"
        session.problem(damaged_line(paths, f"are damaged in the library and left out; {again}"))


def _meant(library: "Store", paths: list[str]) -> "list[VideoRecord]":
    """The videos that the paths and patterns mean, each once; each must mean some."""
    from c2v.globs import PatternError
    from c2v.path_patterns import select

    videos = library.videos()
    try:
        chosen, unmatched = select(paths, [video.path for video in videos])
    except PatternError as error:
        raise UsageError(str(error), hint="give videos, folders, or patterns as *.mp4") from error
    if unmatched:
        raise DataError(
            f"{unmatched[0]} is not in the library {library.address}",
            hint="c2v status shows the library; --library names another one",
        )
    return [videos[place] for place in chosen]

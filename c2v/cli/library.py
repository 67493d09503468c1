"""``c2v status`` and ``c2v remove``: what a library holds, and taking something out of it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.consent import YesFlag, require_consent
from c2v.cli.render import (
    PlainFormat,
    PlainFormatFlag,
    clock,
    failures_table,
    file_link,
    new_table,
    short_path,
    show,
)
from c2v.cli.session import Session, command
from c2v.errors import EXIT_OK

if TYPE_CHECKING:
    from c2v.library import VideoRecord
    from c2v.services.reports import Removed, Status


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("status")(command(status))
    app.command("remove")(command(remove))


def status(session: Session, style: PlainFormatFlag = PlainFormat.TABLE) -> None:
    """Show what the library holds, which model filled it, and what could not be read."""
    with session.videos() as videos:
        found = videos.status()
    show(style, whole=found.as_dict, table=lambda: _print_status(session, found))


def _print_status(session: Session, found: "Status") -> None:
    hours = found.seconds_of_video / 3600
    size = found.size_bytes / 1e6
    per_hour = f", {size / hours:.1f} MB an hour of video" if hours > 0.05 else ""
    table = new_table(("", {"style": "bold", "no_wrap": True}), "", show_header=False)
    table.add_row("library", file_link(found.library))
    table.add_row("model", found.model or "none yet")
    table.add_row("videos", f"{found.videos:,}")
    table.add_row("segments", f"{found.segments:,}")
    table.add_row("frames", f"{found.frames:,}")
    table.add_row("video", f"{clock(found.seconds_of_video)}")
    table.add_row("on disk", f"{size:.1f} MB{per_hour}")
    if found.lines or found.subtitles_without_text:
        without = found.subtitles_without_text
        pictures = f"; {without:,} subtitles are pictures, left out" if without else ""
        table.add_row("subtitles", f"{found.lines:,} line{'s'[: found.lines != 1]}{pictures}")
    table.add_row("failed", f"{len(found.failed):,}")
    if found.partly:
        table.add_row("read in part", f"{len(found.partly):,}")
    session.out.print(table)
    lists = (
        ("failed", [(one.path, one.reason) for one in found.failed]),
        ("read in part", [(one.path, "; ".join(one.problems)) for one in found.partly]),
        ("folder", [(one.path, one.reason) for one in found.folders]),
    )
    for title, rows in lists:
        if rows:
            session.out.print(failures_table(title, rows))
    if found.failed or found.folders:
        place = session.library_option
        session.notice(
            f"to try them again: c2v index --retry-failed{place} PATH; "
            f"to forget them: c2v remove{place} PATH"
        )


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
    """Forget videos, and files that failed: they leave the library, not the disk."""
    with session.videos() as videos:
        removed = videos.remove(paths, dry_run=dry_run, confirm=_asking(session, yes=yes))
    if dry_run:
        for path in (*removed.paths, *removed.failures):
            session.out.print(short_path(path), soft_wrap=True)
    else:
        session.notice(", ".join(_said(removed)))
    return EXIT_OK


def _said(removed: "Removed") -> list[str]:
    videos, failures = len(removed.paths), len(removed.failures)
    said = [f"removed {videos:,} video{'s'[: videos != 1]}"] if videos else []
    if failures:
        said.append(f"forgot {failures:,} failure{'s'[: failures != 1]}")
    return said


def _asking(session: Session, *, yes: bool) -> "Callable[[Sequence[VideoRecord]], None]":
    def confirm(doomed: "Sequence[VideoRecord]") -> None:
        from c2v.indexing.pruning import amount_of

        such = f"{'such as ' if len(doomed) > 1 else ''}{short_path(doomed[0].path)}"
        require_consent(
            session, f"remove forgets {amount_of(doomed)}, {such}; the files stay", yes=yes
        )

    return confirm

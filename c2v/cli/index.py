"""``c2v index``: bring a library up to date with folders of video."""

import os
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2v.cli.consent import YesFlag, interactive, require
from c2v.cli.library import damaged_line, give_back_room
from c2v.cli.models import DeviceFlag, ModelFlag, PrecisionFlag
from c2v.cli.render import PlainFormat, PlainFormatFlag, clock, file_link, print_json
from c2v.cli.session import Session, command, stop_on_signals
from c2v.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_PARTIAL, C2VError

if TYPE_CHECKING:
    from c2v.cli.progress import IndexDisplay
    from c2v.indexing.opening import BeforeRebuild
    from c2v.indexing.report import ConfirmPrune, Failure, IndexReport
    from c2v.library import Store, VideoRecord


class Sampling(str, Enum):
    """Which pictures stand for the wanted times."""

    EXACT = "exact"
    FAST = "fast"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("index")(command(index))


def index(
    session: Session,
    paths: Annotated[
        list[Path], typer.Argument(help="Folders and files to index.", metavar="PATH")
    ],
    model: ModelFlag = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", "-x", metavar="PATH-GLOB", help="Leave out what matches; repeatable."
        ),
    ] = None,
    hidden: Annotated[bool, typer.Option("--hidden", help="Take hidden files too.")] = False,
    segment: Annotated[
        str | None,
        typer.Option(
            "--segment",
            metavar="auto|whole|SECONDS|scene",
            help="How a video is cut into searchable pieces.  \\[default: auto]",
            show_default=False,
        ),
    ] = None,
    sampling: Annotated[
        Sampling, typer.Option("--sampling", help="Exact frames, or the nearest keyframes.")
    ] = Sampling.EXACT,
    decoder: Annotated[
        str | None,
        typer.Option("--decoder", metavar="auto|pyav|decord", help="Who reads the files."),
    ] = None,
    device: DeviceFlag = None,
    precision: PrecisionFlag = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", "-j", min=1, help="Decoding threads.  \\[default: one a core]"),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Drop videos that are no longer on disk.")
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try unchanged files again that failed before."),
    ] = False,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Read what is below PATH again; with other towers (--model) forget all else.",
        ),
    ] = False,
    max_megapixels: Annotated[
        float,
        typer.Option(
            "--max-megapixels",
            min=0.01,
            metavar="N",
            help="Refuse files with larger pictures: they take gigabytes of memory.",
        ),
    ] = 200.0,
    yes: YesFlag = False,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> int:
    """Index videos: new and changed files are read, moved ones keep what is known of them.

    A second run reads nothing that has not changed. Interrupt it whenever you like.
    """
    from c2v.cli.downloads import fetch_model
    from c2v.cli.progress import IndexDisplay
    from c2v.indexing.memory import return_large_blocks
    from c2v.indexing.opening import open_for_indexing
    from c2v.indexing.options import IndexOptions
    from c2v.indexing.pipeline import index as run_index
    from c2v.media.decode import choose_decoder

    settings = session.settings(
        decoder=decoder, segment=segment, device=device, precision=precision
    )
    options = replace(
        IndexOptions.from_settings(settings, segment_is_chosen=segment is not None),
        exclude=tuple(exclude or ()),
        hidden=hidden,
        exactness=sampling.value,
        workers=workers,
        prune=prune,
        retry_failed=retry_failed,
        max_megapixels=max_megapixels,
        reread=rebuild,
    )
    choose_decoder(settings.decoder, exactness=sampling.value)  # said before any work
    _check_paths(paths, session.library_address())
    return_large_blocks()
    with open_for_indexing(
        session.library_address(),
        model=model,
        configured=settings.model,
        device=settings.device,
        precision=settings.precision,
        notice=session.notice,
        fetch=lambda name: fetch_model(session, name, instead="c2v index --model mini"),
        before_rebuild=_asking(session, paths, yes=yes) if rebuild else None,
    ) as (library, bundle):
        display = IndexDisplay(session.err, shown=not session.quiet)
        with stop_on_signals() as stop, display:
            report = run_index(
                library,
                bundle,
                paths,
                options=options,
                progress=display,
                confirm_prune=_pruning(display, prune=prune, yes=yes),
                stop=stop,
            )
        if report.removed:
            give_back_room(session, library)
        if library.slower_because:
            session.notice(library.slower_because)
    for pattern in report.unmatched:
        session.problem(f"--exclude {pattern}: nothing was left out for it")
    if report.damaged:
        what = "were damaged in the library and had to be read again"
        session.problem(damaged_line(report.damaged, what))
    if style is PlainFormat.JSON:
        print_json(report_as_dict(report))
    else:
        _print_report(session, report)
    if report.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_PARTIAL if report.failed or report.partly else EXIT_OK


def _asking(session: Session, paths: list[Path], *, yes: bool) -> "BeforeRebuild":
    """What --rebuild does to a library, said and asked before it is done."""
    from c2v.indexing.pruning import amount_of

    def before_rebuild(library: "Store", everything: bool) -> None:
        found = [video for path in paths for video in _at_or_below(library, path)]
        below = list({video.id: video for video in found}.values())
        if everything:
            what = f"forgets all of {amount_of(list(library.videos()))}"
            rest = f" and reads {amount_of(below)} again"
        else:
            what, rest = f"reads {amount_of(below)} again", ""
        if everything or below:
            require(session, f"--rebuild {what} in the library {library.address}{rest}", yes=yes)

    return before_rebuild


def _at_or_below(library: "Store", path: Path) -> "list[VideoRecord]":
    """The video of that path, or those of that folder."""
    # A name such as ~nobody stays as it is, and links stay links.
    absolute = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111
    video = library.video_by_path(absolute)
    return [video] if video else list(library.videos(under=absolute))


def _pruning(display: "IndexDisplay", *, prune: bool, yes: bool) -> "ConfirmPrune":
    """Who says whether vanished videos go: --yes (to --prune alone), whoever is there, nobody."""
    from c2v.indexing.report import refuse

    if prune and yes:
        return lambda _question: True
    return display.confirm_prune if interactive() else refuse


def _check_paths(paths: list[Path], address: str) -> None:
    """Say at once when there is nothing to do; a drive the library knows may be unplugged."""
    from c2v.library import open_store, store_exists

    missing = [path for path in paths if not os.path.lexists(os.path.expanduser(path))]  # noqa: PTH111
    if len(missing) < len(paths):
        return  # the missing ones are reported beside what is done
    if store_exists(address):
        with open_store(address) as known:
            if any(_at_or_below(known, path) for path in missing):
                return
    raise C2VError(f"{missing[0]}: no such file or folder", hint="check the path")


def report_as_dict(report: "IndexReport") -> dict[str, Any]:
    """The report as the JSON of the command-line contract."""
    return {
        "added": report.added,
        "updated": report.updated,
        "moved": report.moved,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "missing": report.missing,
        "failed": _failures(report.failed),
        "partly": _failures(report.partly),
        "seconds_of_video": round(report.seconds_of_video, 3),
        "elapsed_s": round(report.elapsed_seconds, 3),
        "interrupted": report.interrupted,
    }


def _failures(failures: "list[Failure]") -> list[dict[str, str]]:
    return [{"path": str(failure.path), "reason": failure.reason} for failure in failures]


def _print_report(session: Session, report: "IndexReport") -> None:
    done = [
        f"{count} {word}"
        for count, word in (
            (report.added, "added"),
            (report.updated, "updated"),
            (report.moved, "moved"),
            (report.unchanged, "unchanged"),
            (report.removed, "removed"),
            (len(report.failed), "failed"),
        )
        if count
    ]
    line = ", ".join(done) or ("nothing finished" if report.interrupted else "no videos found")
    if report.seconds_of_video:
        rate = report.seconds_of_video / max(report.elapsed_seconds, 1e-9)
        line += (
            f"; {clock(report.seconds_of_video)} of video in {report.elapsed_seconds:.1f} s"
            f" ({rate:.0f}x realtime)"
        )
    if not session.quiet:
        session.out.print(line)
    if report.missing:
        session.notice(f"{report.missing} no longer on disk were kept; --prune drops them")
    if report.interrupted:
        session.notice("interrupted; what was finished is kept, run it again to go on")
    _print_failures(session, "failed", report.failed)
    _print_failures(session, "read in part", report.partly)


def _print_failures(session: Session, title: str, failures: "list[Failure]") -> None:
    from rich.table import Table

    if not failures:
        return
    table = Table(box=None, pad_edge=False, header_style="bold red")
    table.add_column(title, overflow="fold")
    table.add_column("reason", overflow="fold")
    for failure in failures:
        table.add_row(file_link(str(failure.path)), failure.reason)
    session.err.print(table)
    if session.verbose:
        for failure in failures:
            for line in (f"{failure.path}:", *failure.trace.splitlines()) if failure.trace else ():
                session.problem(line)

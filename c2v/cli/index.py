"""``c2v index``: bring a library up to date with folders of video."""

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.consent import YesFlag, interactive, require_consent
from c2v.cli.model_options import DeviceFlag, ModelFlag, PrecisionFlag
from c2v.cli.render import (
    MOST_LISTED,
    PlainFormat,
    PlainFormatFlag,
    clock,
    damaged_line,
    failures_table,
    short_path,
    show,
)
from c2v.cli.session import Session, command
from c2v.config import SETTINGS
from c2v.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_PARTIAL

if TYPE_CHECKING:
    from c2v.cli.progress import IndexDisplay
    from c2v.indexing.report import ConfirmPrune, Failure, IndexReport
    from c2v.media.scan import NamedFolder


class SamplingChoice(str, Enum):
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
            metavar=SETTINGS["segment"].metavar,
            help="How a video is cut into searchable pieces.  \\[default: auto]",
            show_default=False,
        ),
    ] = None,
    sampling: Annotated[
        SamplingChoice, typer.Option("--sampling", help="Exact frames, or the nearest keyframes.")
    ] = SamplingChoice.EXACT,
    decoder: Annotated[
        str | None,
        typer.Option("--decoder", metavar=SETTINGS["decoder"].metavar, help="Who reads the files."),
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
    no_subtitles: Annotated[
        bool,
        typer.Option("--no-subtitles", help="Read no subtitles, beside videos or in them."),
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
    from c2v.cli.progress import IndexDisplay, running

    display = IndexDisplay(session.err, shown=not session.quiet)
    with session.videos(
        decoder=decoder, segment=segment, device=device, precision=precision
    ) as videos:
        report = videos.index(
            paths,
            model=model,
            exclude=exclude or (),
            hidden=hidden,
            segment=segment,
            sampling=sampling.value,
            workers=workers,
            prune=prune,
            retry_failed=retry_failed,
            subtitles=not no_subtitles,
            rebuild=rebuild,
            max_megapixels=max_megapixels,
            progress=display,
            confirm_prune=_pruning(display, prune=prune, yes=yes),
            confirm_rebuild=lambda what: require_consent(session, what, yes=yes),
            fetch=lambda name: fetch_model(session, name, instead="c2v index --model mini"),
            stop=running(display),
        )
    for pattern in report.unmatched:
        session.problem(f"--exclude {pattern}: nothing was left out for it")
    if report.damaged:
        what = "were damaged in the library and had to be read again"
        session.problem(damaged_line(report.damaged, what))
    show(style, whole=report.as_dict, table=lambda: _print_report(session, report, prune=prune))
    if report.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_PARTIAL if report.is_partial else EXIT_OK


def _pruning(display: "IndexDisplay", *, prune: bool, yes: bool) -> "ConfirmPrune":
    """Who says whether vanished videos go: --yes (to --prune alone), whoever is there, nobody."""
    from c2v.indexing.report import refuse

    if prune and yes:
        return lambda _question: True
    return display.confirm_prune if interactive() else refuse


def _print_report(session: Session, report: "IndexReport", *, prune: bool) -> None:
    done = [
        f"{count} {word}"
        for count, word in (
            (report.added, "added"),
            (report.updated, "updated"),
            (report.moved, "moved"),
            (report.reembedded, "re-embedded"),
            (report.unchanged, "files unchanged" if report.reembedded else "unchanged"),
            (report.removed, "removed"),
            (len(report.failed), "failed"),
        )
        if count
    ]
    nothing = "nothing finished" if report.interrupted else "no videos found"
    line = ", ".join(done) or ("" if report.known_failures else nothing)
    if report.seconds_of_video:
        rate = report.seconds_of_video / max(report.elapsed_seconds, 1e-9)
        line += (
            f"; {clock(report.seconds_of_video)} of video in {report.elapsed_seconds:.1f} s"
            f" ({rate:.0f}x realtime)"
        )
    if report.lines:
        line += (
            f"{'; ' if line else ''}{report.lines:,} line{'s'[: report.lines != 1]} of subtitles"
        )
    if report.known_failures:
        known = report.known_failures
        line += f"{'; ' if line else ''}{known:,} known failure{'s'[: known != 1]}: "
        line += f"c2v status{session.library_option}"
    if not session.quiet:
        session.out.print(line, soft_wrap=True)
    for remark in report.subtitle_remarks[:MOST_LISTED]:
        session.notice(f"{short_path(str(remark.path))}: {remark.reason}")
    if (more := len(report.subtitle_remarks) - MOST_LISTED) > 0:
        session.notice(f"and {more:,} more remarks on subtitles")
    for seen in report.without_videos:
        session.notice(_without_videos(seen))
    if report.missing:
        drops = "--prune --yes drops" if prune else "--prune drops"
        session.notice(f"{report.missing} no longer on disk were kept; {drops} them")
    if report.interrupted:
        session.notice("interrupted; what was finished is kept, run it again to go on")
    _print_failures(session, "failed", report.failed)
    _print_failures(session, "read in part", report.partly)
    _print_failures(session, "folder", report.folders)


def _without_videos(seen: "NamedFolder") -> str:
    """Why nothing was found in a folder: another place, other kinds of files, or left out."""
    from c2v.media.scan import VIDEO_EXTENSIONS

    line = f"{short_path(str(seen.path))}: saw {seen.files:,} file{'s'[: seen.files != 1]}"
    kept_back = [
        f"{count:,} video{'s'[: count != 1]} {why}"
        for count, why in (
            (seen.left_out, "left out by --exclude or .c2vignore"),
            (seen.hidden, "hidden, which --hidden takes"),
        )
        if count
    ]
    if kept_back:
        return f"{line}, {' and '.join(kept_back)}"
    extensions = " ".join(f".{extension}" for extension in VIDEO_EXTENSIONS)
    return f"{line}, none with the extension of a video: {extensions}"


def _print_failures(session: Session, title: str, failures: "Sequence[Failure]") -> None:
    if not failures:
        return
    rows = ((str(failure.path), failure.reason) for failure in failures)
    session.err.print(failures_table(title, rows))
    if session.verbose:
        for failure in failures:
            for line in (f"{failure.path}:", *failure.trace.splitlines()) if failure.trace else ():
                session.problem(line)

"""``c2v model tune``: settings around a model's weights, tried on one's own captioned videos."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2v.cli.model_options import DeviceFlag
from c2v.cli.render import (
    MOST_LISTED,
    PlainFormat,
    PlainFormatFlag,
    failures_table,
    new_table,
    show,
)
from c2v.cli.session import Session, stop_on_signals
from c2v.errors import EXIT_OK, EXIT_PARTIAL

if TYPE_CHECKING:
    from c2v.indexing.report import IndexProgress
    from c2v.services.tuned import Tuned

_KINDS = {
    "captions": "captions",
    "with_prefix": '"find the video where ..."',
    "short": "one or two words",
}
_SHOWN = ("R@1", "R@5", "MRR")


def tune(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name of the model.", metavar="NAME")],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="FILE|NAME",
            help="CSV, TSV, JSON or JSONL with video, caption; or a benchmark, such as msrvtt-9k.",
        ),
    ],
    videos: Annotated[
        Path | None,
        typer.Option(
            "--videos",
            metavar="DIR",
            help="Where the videos are.  \\[default: beside the file, else in the library]",
            show_default=False,
        ),
    ] = None,
    called: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NEWNAME",
            help="What the new model is called.  \\[default: NAME-tuned]",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace one of that name.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Write the model even if nothing helped.")
    ] = False,
    device: DeviceFlag = None,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> int:
    """Make a model that fits one's own videos better, with the same weights.

    Tried on videos held back: whether what is near to every sentence should stand back, whether
    "find the video where" is better left away, how one or two words are best asked, and from which
    score on a result is a match. What does not help stays as it was. Videos that are not in the
    library yet are indexed first; nothing else in it changes.
    """
    from c2v.cli.downloads import fetch_model

    def indexing() -> "AbstractContextManager[IndexProgress]":
        from c2v.cli.progress import IndexDisplay

        return IndexDisplay(session.err, shown=not session.quiet)

    with session.videos(device=device) as library, stop_on_signals() as stop:
        result = library.tune(
            name,
            data,
            videos=videos,
            called=called,
            overwrite=overwrite,
            keep=keep,
            indexing=indexing,
            fetch=lambda wanted: fetch_model(session, wanted, instead="c2v model tune mini"),
            stop=stop,
        )
    show(style, whole=result.as_dict, table=lambda: _print_report(session, result))
    return EXIT_PARTIAL if result.missing else EXIT_OK


def _print_report(session: Session, result: "Tuned") -> None:
    if result.missing:
        rows = ((missing.path, missing.reason) for missing in result.missing[:MOST_LISTED])
        session.err.print(failures_table("not used", rows))
        if len(result.missing) > MOST_LISTED:
            session.notice(f"and {len(result.missing) - MOST_LISTED} more")
    _print_figures(session, result)
    for remark in result.found.remarks:
        session.notice(remark)
    lines = described(result.found.as_dict())
    for what in result.found.changed:
        session.notice(f"{what}: {lines[what]}")
    if not result.written:
        session.problem(
            f"nothing helped {result.parent} on the videos held back, and no model was written; "
            "--keep writes one all the same"
        )
        return
    session.notice(
        f"{result.name}: use it: c2v index --model {result.name}{session.library_option} PATH"
    )


def _print_figures(session: Session, result: "Tuned") -> None:
    found, number = result.found, {"justify": "right"}
    title = f"{result.videos} videos, held back in {found.folds} parts"
    table = new_table(title, ("", {}), *((name, number) for name in _SHOWN))
    for kind, before in found.before.items():
        for when, figures in (("before", before), ("after", found.after[kind])):
            row = figures.as_dict()
            label = _KINDS[kind] if when == "before" else ""
            table.add_row(label, when, *(f"{row[name]:.1f}" for name in _SHOWN))
    session.out.print(table)
    if found.confidence is None:
        return
    session.out.print()
    table = new_table("of 100 captions", ("", {}), ("refused", number), ("false matches", number))
    for when, one in zip(("before", "after"), found.confidence, strict=True):
        label = "confidence" if when == "before" else ""
        table.add_row(label, when, f"{one.refused:.1f}", f"{one.accepted:.1f}")
    session.out.print(table)


def described(settings: dict[str, Any]) -> dict[str, str]:
    """A line each on hubs, questions and calibration of a model."""
    hubs, calibration = settings["hubs"], settings["calibration"]
    return {
        "hubs": "off"
        if hubs is None
        else f"less {hubs['weight']:g} of the mean score of the {hubs['neighbours']} nearest "
        "sentences of its bank",
        "questions": _asked(settings["questions"]),
        "calibration": "estimated of each library"
        if calibration is None
        else f"fitted on galleries of {calibration['fewest']} to {calibration['most']} segments",
    }


def _asked(questions: dict[str, Any] | None) -> str:
    if questions is None:
        return "asked as typed"
    parts = ['without "find the video where"'] if questions["strip"] else []
    if template := questions["short_template"]:
        parts.append(f'one or two words also as "{template}"')
    return ", ".join(parts)

"""``c2v evaluate``: how well a library finds the videos of a captions file, in both directions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.models import DeviceFlag, library_bundle, open_library
from c2v.cli.render import PlainFormat, PlainFormatFlag, print_json
from c2v.cli.session import Session, command

if TYPE_CHECKING:
    from c2v.training.evaluation import Evaluation


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("evaluate")(command(evaluate))


def evaluate(
    session: Session,
    data: Annotated[
        Path,
        typer.Option("--data", metavar="FILE", help="CSV, TSV, JSON or JSONL: video, caption."),
    ],
    videos: Annotated[
        Path | None,
        typer.Option(
            "--videos", metavar="DIR", help="Where the videos are.  \\[default: beside the file]"
        ),
    ] = None,
    device: DeviceFlag = None,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> None:
    """Measure retrieval: R@1/5/10/50, median and mean rank, text to video and video to text.

    The videos of the file are looked up in the library; those not in it are reported.
    """
    from c2v.training.captions import read_captions
    from c2v.training.evaluation import evaluate_library

    captions = read_captions(data, videos=videos)
    with open_library(session) as library:
        bundle = library_bundle(session, library, device=device)
        result = evaluate_library(library, bundle, captions)
    if style is PlainFormat.JSON:
        print_json(result.as_dict())
    else:
        _print_result(session, result)


def _print_result(session: Session, result: "Evaluation") -> None:
    from rich.table import Table

    names = ("R@1", "R@5", "R@10", "R@50", "MdR", "MnR")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("direction")
    for name in names:
        table.add_column(name, justify="right")
    content = result.as_dict()
    for label, key in (("text to video", "text_to_video"), ("video to text", "video_to_text")):
        table.add_row(label, *(f"{content[key][name]:.1f}" for name in names))
    session.out.print(table)
    session.notice(f"{result.texts} texts, {result.videos} videos, model {result.model}")
    for path in result.skipped:
        session.notice(f"skipped, not in the library: {path}")

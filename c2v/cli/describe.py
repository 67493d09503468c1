"""``c2v describe``: video to text."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.model_options import DeviceFlag, ModelFlag, PrecisionFlag
from c2v.cli.render import RANK, SCORE, LabelFormat, LabelFormatFlag, new_table, score_cell, show
from c2v.cli.session import Session, command
from c2v.errors import UsageError

if TYPE_CHECKING:
    from c2v.services.reports import Description


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("describe")(command(describe))


def describe(
    session: Session,
    video: Annotated[Path, typer.Argument(help="The clip to describe.")],
    labels: Annotated[
        Path,
        typer.Option(
            "--labels", metavar="FILE|-", help="Sentences to choose from: a line each, or a CSV."
        ),
    ],
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="How many results.")] = 10,
    min_score: Annotated[
        float | None,
        typer.Option("--min-score", min=-1.0, max=1.0, help="Only results at least this good."),
    ] = None,
    model: ModelFlag = None,
    device: DeviceFlag = None,
    precision: PrecisionFlag = None,
    style: LabelFormatFlag = LabelFormat.TABLE,
) -> None:
    """Rank sentences by how well they describe a clip.

    The clip need not be in a library; the encoder is the library's own, if there is one.
    """
    from c2v.search.labels import read_labels

    if style in (LabelFormat.PATHS, LabelFormat.PATHS0):
        raise UsageError(f"--format {style.value}: labels have no paths", hint="--format json")
    sentences = read_labels(labels)
    with session.videos(device=device, precision=precision) as videos:
        found = videos.describe(video, sentences, top=top, min_score=min_score, model=model)
    show(
        style,
        whole=found.as_dict,
        table=lambda: _print_labels(session, found),
        rows=lambda: [label.as_dict() for label in found],
        columns=("rank", "label", "score"),
    )


def _print_labels(session: Session, found: "Description") -> None:
    table = new_table(RANK, "label", SCORE)
    highest = max((label.score for label in found), default=0.0)
    for label in found:
        table.add_row(
            str(label.rank), label.label, score_cell(label.score, label.score, of=highest)
        )
    session.out.print(table)

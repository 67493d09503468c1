"""``c2v describe``: video to text."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2v.cli.label_options import NeededLabelsFlag, read_labels_flag
from c2v.cli.model_options import DeviceFlag, ModelFlag, PrecisionFlag
from c2v.cli.render import (
    RANK,
    SCORE,
    LabelFormat,
    LabelFormatFlag,
    clock,
    new_table,
    score_cell,
    show,
)
from c2v.cli.session import Session, command
from c2v.errors import UsageError

_SHOWN = 3
"""Labels of a moment in the table."""

if TYPE_CHECKING:
    from c2v.services.reports import Description


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("describe")(command(describe))


def describe(
    session: Session,
    video: Annotated[Path, typer.Argument(help="The clip to describe.")],
    labels: NeededLabelsFlag,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="How many results.")] = 10,
    min_score: Annotated[
        float | None,
        typer.Option("--min-score", min=-1.0, max=1.0, help="Only results at least this good."),
    ] = None,
    moments: Annotated[
        bool, typer.Option("--moments", help="Describe each moment of the clip, too.")
    ] = False,
    model: ModelFlag = None,
    device: DeviceFlag = None,
    precision: PrecisionFlag = None,
    style: LabelFormatFlag = LabelFormat.TABLE,
) -> None:
    """Rank labels by how well they describe a clip.

    The clip need not be in a library; the model is the library's own, if there is one.
    """
    if style in (LabelFormat.PATHS, LabelFormat.PATHS0):
        raise UsageError(f"--format {style.value}: labels have no paths", hint="--format json")
    names = read_labels_flag(session, labels)
    with session.videos(device=device, precision=precision) as videos:
        found = videos.describe(
            video, names, top=top, min_score=min_score, model=model, moments=moments
        )
    show(
        style,
        whole=found.as_dict,
        table=lambda: _print_description(session, found),
        rows=lambda: _rows(found),
        columns=(("start", "end") if moments else ()) + ("rank", "label", "score"),
    )
    if not found and not any(moment.results for moment in found.moments or ()):
        session.notice(f"no label reached {min_score:g}; --min-score lowers the bar")


def _rows(found: "Description") -> list[dict[str, Any]]:
    """A row a label; of moments, those of each one after the other."""
    if found.moments is None:
        return [label.as_dict() for label in found]
    rows = []
    for moment in found.moments:
        content = moment.as_dict()
        times = {"start": content["start"], "end": content["end"]}
        rows += [times | label for label in content["results"]]
    return rows


def _print_description(session: Session, found: "Description") -> None:
    if found:
        table = new_table(RANK, "label", SCORE)
        highest = max((label.score for label in found), default=0.0)
        for label in found:
            score = score_cell(label.score, label.score, of=highest)
            table.add_row(str(label.rank), label.label, score)
        session.out.print(table)
    shown = [moment for moment in found.moments or () if moment.results]
    if not shown:
        return
    times = {"justify": "right", "style": "cyan", "no_wrap": True}
    table = new_table(("start-end", times), "labels")
    for moment in shown:
        labels = ", ".join(f"{one.label} {one.score:.3f}" for one in moment.results[:_SHOWN])
        table.add_row(f"{clock(moment.start)}-{clock(moment.end)}", labels)
    if found:
        session.out.print()
    session.out.print(table)

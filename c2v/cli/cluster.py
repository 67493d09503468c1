"""``c2v cluster``: the library in groups of like videos."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2v.cli.label_options import LabelsFlag, PathsArgument, read_labels_flag
from c2v.cli.render import RANK, FigureFormat, FigureFormatFlag, file_link, new_table, show
from c2v.cli.session import Session, command

if TYPE_CHECKING:
    from rich.text import Text

    from c2v.services.clustering import Clustering, VideoGroup

_SHOWN = 3
"""Videos of a group in the table."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("cluster")(command(cluster))


def cluster(
    session: Session,
    paths: PathsArgument = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            "-k",
            min=1,
            help="How many groups.  \\[default: as many as there are kinds]",
            show_default=False,
        ),
    ] = None,
    labels: LabelsFlag = None,
    style: FigureFormatFlag = FigureFormat.TABLE,
) -> None:
    """Sort videos into groups of like ones, each named by the label that fits it best."""
    names = None if labels is None else read_labels_flag(session, labels)
    with session.videos() as videos:
        found = videos.cluster(paths or (), count=count, labels=names)
    show(
        style,
        whole=found.as_dict,
        table=lambda: _print_groups(session, found),
        rows=lambda: _rows(found),
        columns=("group", "name", "path", "score"),
    )
    if not found:
        session.notice("there is nothing to be grouped")


def _rows(found: "Clustering") -> Iterator[dict[str, Any]]:
    for one in found:
        for video in one:
            yield {"group": one.rank, "name": one.name, **video.as_dict()}


def _print_groups(session: Session, found: "Clustering") -> None:
    if not found:
        return
    table = new_table(RANK, "group", ("videos", {"justify": "right"}), "most typical")
    for one in found:
        table.add_row(str(one.rank), one.name, f"{len(one):,}", _examples(one))
    session.out.print(table)
    groups = f"{len(found):,} group{'s'[: len(found) != 1]}"
    videos = f"{found.videos:,} video{'s'[: found.videos != 1]}"
    session.notice(f"{groups} of {videos}; all of them: --format json or csv")


def _examples(one: "VideoGroup") -> "Text":
    """The first videos by name, each linked to its file."""
    from rich.text import Text

    lines = []
    for video in one.results[:_SHOWN]:
        link = file_link(video.path)
        lines.append(Text(_name(video.path), style=link.style))
    if len(one) > _SHOWN:
        lines.append(Text(f"and {len(one) - _SHOWN:,} more", style="dim"))
    return Text("\n").join(lines)


def _name(path: str) -> str:
    from c2v.cli.text import printable

    return printable(os.path.basename(path))  # noqa: PTH119

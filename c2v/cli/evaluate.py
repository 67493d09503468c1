"""``c2v evaluate``: how well encoders find the videos of a captions file, in both directions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2v.cli.models import DeviceFlag, library_bundle, open_library
from c2v.cli.render import PlainFormat, PlainFormatFlag, print_json
from c2v.cli.session import Session, command

if TYPE_CHECKING:
    from rich.table import Table

    from c2v.encoder.bundle import Bundle
    from c2v.library import Library
    from c2v.training.captions import Captions
    from c2v.training.evaluation import Evaluation
    from c2v.training.published import PublishedRow

METRICS = ("R@1", "R@5", "R@10", "R@50", "MdR", "MnR")
MOST_LISTED = 20


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("evaluate")(command(evaluate))


def evaluate(
    session: Session,
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
            "--videos", metavar="DIR", help="Where the videos are.  \\[default: beside the file]"
        ),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            "--annotations", metavar="DIR", help="A benchmark's own files.", show_default=False
        ),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", metavar="train|val|test", help="Part of a benchmark.")
    ] = "test",
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="The encoder; several are set side by side.  \\[default: the library's]",
            show_default=False,
        ),
    ] = None,
    normalize: Annotated[
        str,
        typer.Option(
            "--normalize",
            metavar="none|dual-softmax|qb-norm",
            help="Correct for hubs; needs many queries at once, so a search cannot do it.",
        ),
    ] = "none",
    bank: Annotated[
        str | None,
        typer.Option(
            "--bank", metavar="FILE|NAME", help="Training captions for qb-norm.", show_default=False
        ),
    ] = None,
    per_query: Annotated[
        Path | None,
        typer.Option(
            "--per-query", metavar="FILE", help="CSV: each query's rank and winners.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Page: the worst failures, with pictures.",
            show_default=False,
        ),
    ] = None,
    device: DeviceFlag = None,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> None:  # fmt: skip
    """Measure retrieval: R@1/5/10/50, median and mean rank, text to video and video to text.

    The videos of the file are looked up in the library; those not in it are reported.
    """
    from c2v.training.evaluation import evaluate_library
    from c2v.training.failures import write_page, write_queries
    from c2v.training.published import published_rows

    captions = _load(data, split=split, videos=videos, annotations=annotations)
    banked = _load(bank, split="train", videos=videos, annotations=annotations) if bank else None
    with open_library(session) as library:
        results = [
            evaluate_library(
                library, bundle, captions, normalize=normalize, bank=banked.texts if banked else ()
            )
            for bundle in _bundles(session, library, model, device=device)
        ]
    if per_query is not None:
        write_queries(results, per_query)
    if html is not None:
        write_page(results[0], html)
    published = published_rows(captions.benchmark)
    if style is PlainFormat.JSON:
        print_json(_as_dict(results, published))
    else:
        _print_results(session, results, published)


def _load(
    data: str, *, split: str, videos: Path | None, annotations: Path | None
) -> "Captions":
    from c2v.errors import UsageError
    from c2v.training.datasets import SPLITS, load_captions

    for known in SPLITS:
        if known == split:
            return load_captions(data, split=known, videos=videos, annotations=annotations)
    raise UsageError(f"--split {split}", hint=f"one of {', '.join(SPLITS)}")


def _bundles(
    session: Session, library: "Library", names: list[str] | None, *, device: str | None
) -> "list[Bundle]":
    """The encoders asked for, or the library's own."""
    from c2v.encoder.bundle import load_bundle

    if not names:
        return [library_bundle(session, library, device=device)]
    settings = session.settings(device=device)
    return [
        load_bundle(name, device=settings.device, precision=settings.precision) for name in names
    ]


def _as_dict(results: "list[Evaluation]", published: "tuple[PublishedRow, ...]") -> dict[str, Any]:
    """The first model's result at the top, all of them under ``models``."""
    content = results[0].as_dict()
    if len(results) > 1:
        content["models"] = [result.as_dict() for result in results]
    if published:
        content["published"] = [row.as_dict() for row in published]
    return content


def _print_results(
    session: Session, results: "list[Evaluation]", published: "tuple[PublishedRow, ...]"
) -> None:
    first = results[0]
    _print_direction(session, "text to video", "text_to_video", results, published)
    several = first.several_captions
    label = "video to text, best caption of each video" if several else "video to text"
    _print_direction(session, label, "video_to_text", results, published)
    if several:
        label = "video to text, all captions as candidates"
        _print_direction(session, label, "video_to_text_by_caption", results, ())
    note = f"{first.texts} texts, {first.videos} videos; in brackets: 95 % by bootstrap"
    if first.normalize == "dual-softmax":
        note += "; dual softmax over all queries of the test: not what a single search gives"
    elif first.normalize == "qb-norm":
        note += "; text to video with QB-Norm against a bank of captions, video to text without"
    session.notice(note)
    for missing in first.missing[:MOST_LISTED]:
        session.notice(f"skipped, {missing.reason}: {missing.path}")
    if len(first.missing) > MOST_LISTED:
        session.notice(f"and {len(first.missing) - MOST_LISTED} more skipped")


def _print_direction(
    session: Session, title: str, key: str, results: "list[Evaluation]",
    published: "tuple[PublishedRow, ...]",
) -> None:  # fmt: skip
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title)
    for name in METRICS:
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        figures = result.as_dict()[key]
        bounds = result.intervals.get(key, {})
        normalised = "" if result.normalize == "none" else f" + {result.normalize}"
        cells = [_cell(figures[name], bounds.get(name)) for name in METRICS]
        table.add_row(result.model + normalised, *cells)
    _add_published(table, key, published)
    session.out.print(table)


def _add_published(table: "Table", key: str, published: "tuple[PublishedRow, ...]") -> None:
    for row in published:
        figures = row.as_dict()[key]
        if figures is not None:
            cells = ["-" if figures.get(name) is None else f"{figures[name]:.1f}"
                     for name in METRICS]  # fmt: skip
            table.add_row(f"{row.model} ({row.source})", *cells, style="dim")


def _cell(value: float, bounds: tuple[float, float] | None) -> str:
    if bounds is None:
        return f"{value:.1f}"
    return f"{value:.1f} [{bounds[0]:.0f}-{bounds[1]:.0f}]"

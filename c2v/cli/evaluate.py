"""``c2v evaluate``: how well encoders find the videos of a captions file, in both directions."""

from pathlib import Path
from typing import Annotated

import typer

from c2v.cli.evaluate_report import print_report
from c2v.cli.finetune_options import AnnotationsFlag, DataFlag, VideosFlag
from c2v.cli.model_options import DeviceFlag
from c2v.cli.render import FigureFormat, FigureFormatFlag
from c2v.cli.session import Session, command
from c2v.errors import EXIT_OK, EXIT_PARTIAL

SplitFlag = Annotated[
    str, typer.Option("--split", metavar="train|val|test", help="Part of a benchmark.")
]
ModelsFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="The model; several are set side by side.  \\[default: the library's]",
        show_default=False,
    ),
]
ProtocolFlag = Annotated[
    str,
    typer.Option(
        "--protocol",
        metavar="library|clip4clip|clip2video",
        help="Whose frames: those of the library, or those a paper takes, read from the videos.",
    ),
]
TiesFlag = Annotated[
    str,
    typer.Option(
        "--ties",
        metavar="optimistic|average|pessimistic|legacy",
        help="What an equal score counts as; legacy: as the papers' code does.",
    ),
]
NormalizeFlag = Annotated[
    str,
    typer.Option(
        "--normalize",
        metavar="none|dual-softmax|qb-norm",
        help="Correct for hubs; needs many captions at once, so a search cannot do it.",
    ),
]
BankFlag = Annotated[
    str | None,
    typer.Option(
        "--bank",
        metavar="FILE|NAME",
        help="Training captions for qb-norm.  \\[default: those of the benchmark]",
        show_default=False,
    ),
]
PerQueryFlag = Annotated[
    Path | None,
    typer.Option(
        "--per-query",
        metavar="FILE",
        help="CSV: each caption's rank, and what came before it.",
        show_default=False,
    ),
]
HtmlFlag = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Page: the worst failures, with pictures.",
        show_default=False,
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("evaluate")(command(evaluate))


def evaluate(
    session: Session,
    data: DataFlag,
    videos: VideosFlag = None,
    annotations: AnnotationsFlag = None,
    split: SplitFlag = "test",
    model: ModelsFlag = None,
    protocol: ProtocolFlag = "library",
    normalize: NormalizeFlag = "none",
    bank: BankFlag = None,
    ties: TiesFlag = "optimistic",
    per_query: PerQueryFlag = None,
    html: HtmlFlag = None,
    device: DeviceFlag = None,
    style: FigureFormatFlag = FigureFormat.TABLE,
) -> int:
    """Measure how well captions find their videos, and videos their captions (R@1/5/10/50, rank).

    The videos of the file are looked up in the library, or with --protocol read from the disk and
    looked at as in the paper. Those that cannot be ranked are reported.
    """
    from c2v.cli.counting import Counting
    from c2v.evaluation.failures import check_target, write_page, write_queries

    check_target(per_query)
    check_target(html)
    counted = protocol != "library" and not session.quiet
    with (
        session.videos(device=device) as library,
        Counting(session.err, "videos read", shown=counted) as counting,
    ):
        found = library.evaluate(
            data,
            videos=videos,
            annotations=annotations,
            split=split,
            models=model or (),
            protocol=protocol,
            normalize=normalize,
            bank=bank,
            ties=ties,
            on_progress=counting.update,
        )
    print_report(session, found, style)
    if per_query is not None:
        write_queries(list(found), per_query)
        session.notice(f"every query: {per_query}")
    if html is not None:
        write_page(found[0], html)
        session.notice(f"the worst failures of {found[0].model}: {html}")
    return EXIT_PARTIAL if protocol != "library" and found[0].missing else EXIT_OK

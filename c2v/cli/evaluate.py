"""``c2v evaluate``: how well encoders find the videos of a captions file, in both directions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.evaluate_report import ReportFormat, print_report
from c2v.cli.finetune_options import AnnotationsFlag, DataFlag, VideosFlag
from c2v.cli.finetune_report import say_what_is_odd
from c2v.cli.models import DeviceFlag, library_bundle, open_library
from c2v.cli.session import Session, command
from c2v.errors import EXIT_OK, EXIT_PARTIAL

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.evaluation.captions import Captions
    from c2v.evaluation.published_videos import Protocol
    from c2v.evaluation.retrieval import Evaluation, Measure
    from c2v.library import Store

SplitFlag = Annotated[
    str, typer.Option("--split", metavar="train|val|test", help="Part of a benchmark.")
]
ModelsFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="The encoder; several are set side by side.  \\[default: the library's]",
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
        help="Correct for hubs; needs many queries at once, so a search cannot do it.",
    ),
]
BankFlag = Annotated[
    str | None,
    typer.Option(
        "--bank", metavar="FILE|NAME", help="Training captions for qb-norm.  \\[default: those of "
        "the benchmark]", show_default=False,
    ),
]  # fmt: skip
PerQueryFlag = Annotated[
    Path | None,
    typer.Option(
        "--per-query", metavar="FILE", help="CSV: each query's rank and winners.",
        show_default=False,
    ),
]  # fmt: skip
HtmlFlag = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Page: the worst failures, with pictures.",
        show_default=False,
    ),
]  # fmt: skip
ReportFormatFlag = Annotated[
    ReportFormat, typer.Option("--format", "-f", help="How the report is printed.")
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
    style: ReportFormatFlag = ReportFormat.TABLE,
) -> int:
    """Measure retrieval: R@1/5/10/50, median and mean rank, text to video and video to text.

    The videos of the file are looked up in the library, or with --protocol read from the disk and
    looked at as in the paper. Those that cannot be ranked are reported.
    """
    from c2v.evaluation.failures import write_page, write_queries
    from c2v.evaluation.published import published_rows
    from c2v.evaluation.published_videos import published_protocol
    from c2v.evaluation.retrieval import Measure

    captions = _load(data, split=split, videos=videos, annotations=annotations)
    paper = published_protocol(protocol, data=data, first_seconds=captions.first_seconds)
    say_what_is_odd(session, captions)
    banked = _bank(bank, data, normalize, videos=videos, annotations=annotations)
    measure = Measure.of(normalize=normalize, bank=banked, ties=ties)
    if paper is None:
        results = _over_library(session, captions, measure, names=model, device=device)
    else:
        results = _over_files(session, captions, measure, paper, names=model, device=device)
    print_report(session, results, published_rows(captions.benchmark), style)
    if per_query is not None:
        write_queries(results, per_query)
        session.notice(f"every query: {per_query}")
    if html is not None:
        write_page(results[0], html)
        session.notice(f"the worst failures of {results[0].model}: {html}")
    return EXIT_PARTIAL if paper is not None and results[0].missing else EXIT_OK


def _over_library(
    session: Session, captions: "Captions", measure: "Measure", *, names: list[str] | None,
    device: str | None,
) -> "list[Evaluation]":  # fmt: skip
    from c2v.evaluation.library_names import in_library
    from c2v.evaluation.retrieval import evaluate_library

    with open_library(session) as library:
        captions = in_library(library, captions)
        return [
            evaluate_library(library, bundle, captions, measure)
            for bundle in _bundles(session, library, names, device=device)
        ]


def _over_files(
    session: Session, captions: "Captions", measure: "Measure", paper: "Protocol", *,
    names: list[str] | None, device: str | None,
) -> "list[Evaluation]":  # fmt: skip
    """Of the videos themselves; there need be no library."""
    from c2v.cli.counting import Counting
    from c2v.evaluation.published_videos import embed_published
    from c2v.evaluation.retrieval import evaluate_candidates
    from c2v.library import open_store, store_exists

    address = session.library_address()
    if names is None and store_exists(address):
        with open_store(address) as library:
            bundles = _bundles(session, library, names, device=device)
    else:
        bundles = _bundles(session, None, names, device=device)
    with Counting(session.err, "videos read", shown=not session.quiet) as counting:
        candidates = embed_published(
            bundles, captions.videos, paper.sampling, on_progress=counting.update,
            on_problem=session.problem,
        )  # fmt: skip
    return [
        evaluate_candidates(bundle, captions, ranked, measure, paper)
        for bundle, ranked in zip(bundles, candidates, strict=True)
    ]


def _load(data: str, *, split: str, videos: Path | None, annotations: Path | None) -> "Captions":
    from c2v.errors import UsageError
    from c2v.evaluation.datasets import SPLITS, load_captions

    for known in SPLITS:
        if known == split:
            return load_captions(data, split=known, videos=videos, annotations=annotations)
    raise UsageError(f"--split {split}", hint=f"one of {', '.join(SPLITS)}")


def _bank(
    bank: str | None, data: str, normalize: str, *, videos: Path | None, annotations: Path | None
) -> tuple[str, ...]:
    """The captions of --bank; with qb-norm on a benchmark its training captions."""
    from c2v.evaluation.datasets import BENCHMARKS

    if normalize != "qb-norm":
        return ()
    if bank is None:
        if data.lower() not in BENCHMARKS:
            return ()
        bank = data
    if bank.lower() not in BENCHMARKS:  # a file of one's own has neither
        videos = annotations = None
    return _load(bank, split="train", videos=videos, annotations=annotations).texts


def _bundles(
    session: Session, library: "Store | None", names: list[str] | None, *, device: str | None
) -> "list[Bundle]":
    """The encoders asked for, or the library's own, or the default."""
    from c2v.encoder.bundle import load_bundle
    from c2v.encoder.catalogue import choose_default

    settings = session.settings(device=device)
    if not names:
        if library is not None and library.model is not None:
            return [library_bundle(session, library, device=device)]
        name, remark = choose_default(configured=settings.model)
        if remark:
            session.notice(remark)
        names = [name]
    return [
        load_bundle(name, device=settings.device, precision=settings.precision) for name in names
    ]

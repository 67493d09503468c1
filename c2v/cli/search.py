"""``c2v search`` and ``c2v describe``: text to video, video to video, video to text."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.library import tell_damage
from c2v.cli.models import (
    DeviceFlag,
    ModelFlag,
    PrecisionFlag,
    chosen_bundle,
    library_bundle,
    open_library,
)
from c2v.cli.render import (
    Format,
    FormatFlag,
    print_answer,
    print_csv,
    print_json,
    print_json_lines,
    score_cell,
)
from c2v.cli.session import Session, command
from c2v.config import cache_dir
from c2v.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.search.labels import RankedLabel
    from c2v.search.ranking import Query


_EXAMPLE = 'c2v search "a dog catching a frisbee"'


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("search")(command(search))
    app.command("describe")(command(describe))


def search(
    session: Session,
    query: Annotated[
        str | None, typer.Argument(help="What to look for, in words.", show_default=False)
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option("--video", metavar="FILE", help="Look for videos like this one instead."),
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option(
            "--batch",
            metavar="FILE|-",
            help="Answer every line of a file, or of standard input as lines come in.",
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="How many results.")] = 10,
    moments: Annotated[
        bool, typer.Option("--moments", help="Every moment, not only the best of each video.")
    ] = False,
    within: Annotated[
        list[str] | None,
        typer.Option("--in", metavar="PATH-GLOB", help="Only videos at or below; repeatable."),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option("--min-score", min=-1.0, max=1.0, help="Only results at least this good."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", metavar="auto|exact|hnsw", help="How the vectors are searched."),
    ] = None,
    rerank: Annotated[
        int,
        typer.Option("--rerank", min=0, help="Score the first N again by pairs (tightTransf)."),
    ] = 0,
    device: DeviceFlag = None,
    style: FormatFlag = Format.TABLE,
) -> int:
    """Find the videos, and the moments in them, that show what a sentence says.

    Give a sentence, or a clip with --video, or many sentences with --batch.
    """
    from c2v.library import Filter
    from c2v.search.ranking import SearchOptions, find

    query = _as_text(query)
    _check_question(query, video, batch, rerank=rerank)
    options = SearchOptions(
        top=top,
        moments=moments,
        where=Filter(paths=tuple(within or ())),
        on_unmatched=_naming(session),
        min_score=min_score,
        strategy=session.settings(strategy=strategy).strategy,
        rerank=rerank,
    )
    with open_library(session) as library:
        bundle = library_bundle(session, library, device=device)
        if batch is not None:
            from c2v.cli.batch import answer_batch

            code = answer_batch(session, batch, library, bundle, options, style)
        else:
            question = _text_query(bundle, query) if query else _clip_query(bundle, video)
            if video is not None and bundle.slower_because:
                session.notice(bundle.slower_because)
            print_answer(session, find(library, bundle, question, options), style)
            code = EXIT_OK
        tell_damage(session, library)
        if library.graph_not_kept():
            session.problem(f"the HNSW graph could not be saved in {library.graph_not_kept()}")
        if library.slower_because:
            session.notice(library.slower_because)
    return code


def _naming(session: Session) -> Callable[[str], None]:
    """Names what of --in means no video, each once in however many questions."""
    named: set[str] = set()

    def name(pattern: str) -> None:
        if pattern not in named:
            named.add(pattern)
            session.problem(f"--in {pattern}: no video of the library is there")

    return name


def _as_text(query: str | None) -> str | None:
    """The words as typed: what the locale could not read is UTF-8, or no text at all."""
    if query is None or not any("\ud800" <= character <= "\udfff" for character in query):
        return query
    try:
        return os.fsencode(query).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"the QUERY {query} is not UTF-8 text", hint=_EXAMPLE) from error


def _check_question(
    query: str | None, video: Path | None, batch: Path | None, *, rerank: int
) -> None:
    """Exactly one kind of question, and one that can be asked."""
    if [query, video, batch].count(None) != 2:
        raise UsageError("give one of QUERY, --video FILE and --batch FILE", hint=_EXAMPLE)
    if query is not None and not query.strip():
        raise UsageError("the QUERY is empty", hint=_EXAMPLE)
    if rerank and video is not None:
        raise UsageError("--rerank compares sentences with videos", hint="give a QUERY")


def _text_query(bundle: "Bundle", text: str) -> "Query":
    from c2v.search.text_cache import cached_query

    return cached_query(bundle, text, cache_dir() / "queries")


def _clip_query(bundle: "Bundle", video: Path | None) -> "Query":
    from c2v.indexing.query_clip import embed_clip
    from c2v.search.ranking import video_query

    assert video is not None  # see _check_question
    clip = embed_clip(video, bundle)
    return video_query(str(video), clip.features, clip.vector)


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
    style: FormatFlag = Format.TABLE,
) -> None:
    """Rank sentences by how well they describe a clip.

    The clip need not be in a library; the encoder is the library's own, if there is one.
    """
    from c2v.indexing.query_clip import embed_clip
    from c2v.search.labels import rank_labels, read_labels

    if style in (Format.PATHS, Format.PATHS0):
        raise UsageError(f"--format {style.value}: labels have no paths", hint="--format json")
    sentences = read_labels(labels)
    bundle = chosen_bundle(session, model, device=device, precision=precision)
    if bundle.slower_because:
        session.notice(bundle.slower_because)
    ranked = rank_labels(bundle, embed_clip(video, bundle).vector, sentences)[:top]
    ranked = [label for label in ranked if min_score is None or label.score >= min_score]
    rows = [{"rank": r.rank, "label": r.label, "score": round(r.score, 6)} for r in ranked]
    if style is Format.JSON:
        print_json({"video": str(video.absolute()), "model": bundle.name, "results": rows})
    elif style is Format.JSONL:
        print_json_lines(rows)
    elif style is Format.CSV:
        print_csv(("rank", "label", "score"), (list(row.values()) for row in rows))
    else:
        _print_labels(session, ranked)


def _print_labels(session: Session, ranked: "list[RankedLabel]") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right", style="dim")
    table.add_column("label", overflow="fold")
    table.add_column("score", no_wrap=True)
    highest = max((label.score for label in ranked), default=0.0)
    for label in ranked:
        table.add_row(str(label.rank), label.label, score_cell(label.score, highest))
    session.out.print(table)

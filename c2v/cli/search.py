"""``c2v search``: text to video, and video to video."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.model_options import DeviceFlag
from c2v.cli.render import Format, FormatFlag, print_answer, print_damage
from c2v.cli.session import Session, command
from c2v.config import SETTINGS
from c2v.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from c2v.services.wanted import Wanted


_EXAMPLE = 'c2v search "a dog catching a frisbee"'


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("search")(command(search))


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
        typer.Option(
            "--strategy", metavar=SETTINGS["strategy"].metavar, help="How the vectors are searched."
        ),
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
    query = _as_text(query)
    _check_question(query, video, batch, rerank=rerank)
    wanted: Wanted = {
        "top": top,
        "moments": moments,
        "within": within or (),
        "min_score": min_score,
        "rerank": rerank,
    }
    with session.videos(strategy=strategy, device=device) as videos:
        if batch is not None:
            from c2v.cli.batch import answer_batch

            return answer_batch(session, videos, batch, wanted, style)
        answer = videos.search(query, **wanted) if query else videos.similar(video or "", **wanted)
        videos.keep(answer)
        print_answer(session, answer, style)
        print_damage(session, answer.left_out, answer.library)
    return EXIT_OK


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

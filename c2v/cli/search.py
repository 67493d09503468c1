"""``c2v search``: text to video, and video to video."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.answers import print_alone
from c2v.cli.doing import CutFlag, Doing, ExactFlag, PlayFlag, ThumbnailsFlag, do_with
from c2v.cli.filter_options import (
    ExtFlag,
    InFlag,
    MaxDurationFlag,
    MinDurationFlag,
    MinHeightFlag,
    SinceFlag,
    TagFlag,
    UntilFlag,
)
from c2v.cli.interactive import InteractiveFlag, check_interactive, search_as_typed
from c2v.cli.model_options import DeviceFlag
from c2v.cli.play import PlayCommandFlag
from c2v.cli.ranking_options import (
    AllFlag,
    ExplainFlag,
    MinScoreFlag,
    MomentsFlag,
    StrategyFlag,
    TopFlag,
)
from c2v.cli.render import Format, FormatFlag
from c2v.cli.session import Session, command
from c2v.errors import UsageError

if TYPE_CHECKING:
    from c2v.services.wanted import Wanted


_ASK = "More of the question"
_EXAMPLE = 'c2v search "a dog catching a frisbee"'


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("search")(command(search))


def search(
    session: Session,
    query: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORDS]...", help="What to look for; WORDS^2 counts twice.", show_default=False
        ),
    ] = None,
    and_: Annotated[
        list[str] | None,
        typer.Option(
            "--and", metavar="TEXT", help="This as well; repeatable.", rich_help_panel=_ASK
        ),
    ] = None,
    not_: Annotated[
        list[str] | None,
        typer.Option(
            "--not", metavar="TEXT", help="Less of this; repeatable.", rich_help_panel=_ASK
        ),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="FILE", help="Like this picture.", rich_help_panel=_ASK),
    ] = None,
    video: Annotated[
        list[str] | None,
        typer.Option(
            "--video",
            metavar="FILE[@TIME|@FROM-TO]",
            help="Like this clip, or a part of it as film.mp4@1:30-1:45.",
            rich_help_panel=_ASK,
        ),
    ] = None,
    like: Annotated[
        list[int] | None,
        typer.Option(
            "--like",
            metavar="N",
            min=1,
            help="Like result N of the last search.",
            rich_help_panel=_ASK,
        ),
    ] = None,
    said: Annotated[
        str | None,
        typer.Option(
            "--said",
            metavar="TEXT",
            help='Where the subtitles have these words, "in a row" or begun*; alone, or near '
            "what else is asked for.",
            rich_help_panel=_ASK,
        ),
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option(
            "--batch",
            metavar="FILE|-",
            help="Answer every line of a file, or of standard input as lines come in.",
        ),
    ] = None,
    top: TopFlag = 10,
    moments: MomentsFlag = False,
    within: InFlag = None,
    extensions: ExtFlag = None,
    tags: TagFlag = None,
    since: SinceFlag = None,
    until: UntilFlag = None,
    min_duration: MinDurationFlag = None,
    max_duration: MaxDurationFlag = None,
    min_height: MinHeightFlag = None,
    min_score: MinScoreFlag = None,
    all_rows: AllFlag = False,
    strategy: StrategyFlag = None,
    rerank: Annotated[
        int,
        typer.Option(
            "--rerank",
            min=0,
            help="Look at the first N again; for a model with the head tightTransf (wti always "
            "does, at 200).",
        ),
    ] = 0,
    device: DeviceFlag = None,
    play: PlayFlag = False,
    play_command: PlayCommandFlag = None,
    cut: CutFlag = None,
    exact: ExactFlag = False,
    thumbnails: ThumbnailsFlag = False,
    explain: ExplainFlag = False,
    interactive: InteractiveFlag = False,
    style: FormatFlag = Format.TABLE,
) -> int:
    """Find the videos, and the moments in them, that show what a sentence says.

    Give words, a picture, a clip, an earlier result, or several of them: all are one question.
    `c2v "red car"` without the command searches, too, unless the first word is like a command.
    """
    words = _joined(query)
    doing = Doing(play, play_command, cut, exact=exact, thumbnails=thumbnails)
    doing.check(style, is_batch=batch is not None)
    wanted: Wanted = {
        "top": top,
        "moments": moments,
        "min_score": min_score,
        "rerank": rerank,
        "within": within or (),
        "extensions": extensions or (),
        "tags": tags or (),
        "since": since,
        "until": until,
        "min_duration": min_duration,
        "max_duration": max_duration,
        "min_height": min_height,
        "and_": [as_text(text) for text in and_ or ()],
        "not_": [as_text(text) for text in not_ or ()],
        "image": image or (),
        "video": video or (),
        "like": like or (),
        "said": None if said is None else as_text(said),
        "missing": style is Format.TABLE,  # whoever else reads it opens the files
    }
    if interactive:
        check_interactive(doing, style, batch)
        return search_as_typed(
            session, words, wanted, play_command=play_command, strategy=strategy, device=device
        )
    _check_question(words, wanted, batch)
    with session.videos(strategy=strategy, device=device) as videos:
        if batch is not None:
            from c2v.cli.batch import answer_batch

            return answer_batch(session, videos, batch, wanted, style, all_rows=all_rows)
        answer = videos.search(words, **wanted)
        videos.keep(answer)
        print_alone(session, answer, style, all_rows=all_rows, explain=explain)
    return do_with(session, answer, doing, style, all_rows=all_rows)


def _joined(query: list[str] | None) -> str | None:
    """The words of the question, however the shell has cut them."""
    return as_text(" ".join(query)) if query else None


def as_text(query: str) -> str:
    """The words as typed: what the locale could not read is UTF-8, or no text at all."""
    if not any("\ud800" <= character <= "\udfff" for character in query):
        return query
    try:
        return os.fsencode(query).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"the QUERY {query} is not UTF-8 text", hint=_EXAMPLE) from error


def _check_question(words: str | None, wanted: "Wanted", batch: Path | None) -> None:
    """There is a question, and one that can be asked."""
    looked_at = wanted["image"] or wanted["video"] or wanted["like"]
    if batch is not None and words is not None:
        raise UsageError("give a QUERY or --batch FILE, not both", hint=_EXAMPLE)
    if words is not None and not words.strip():
        raise UsageError("the QUERY is empty", hint=_EXAMPLE)
    is_said = wanted["said"] is not None
    if batch is None and words is None and not (looked_at or wanted["and_"] or is_said):
        if wanted["not_"]:
            raise UsageError(
                "--not needs something to be taken from", hint='c2v search "a dog" --not "grass"'
            )
        raise UsageError(
            "give a QUERY, --image FILE, --video FILE, --like N, --said TEXT or --batch FILE",
            hint=_EXAMPLE,
        )
    is_alone = is_said and words is None and batch is None and not wanted["and_"]
    if wanted["rerank"] and (looked_at or is_alone):
        raise UsageError("--rerank compares sentences with videos", hint="give a QUERY")

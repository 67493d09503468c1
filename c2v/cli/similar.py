"""``c2v similar``: videos that look like one, or like a moment of one."""

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


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("similar")(command(similar))


def similar(
    session: Session,
    video: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO[@TIME|@FROM-TO]",
            help="A video, the shot at a TIME of it (90 or 1:30), or a part of it.",
        ),
    ],
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
    device: DeviceFlag = None,
    play: PlayFlag = False,
    play_command: PlayCommandFlag = None,
    cut: CutFlag = None,
    exact: ExactFlag = False,
    thumbnails: ThumbnailsFlag = False,
    explain: ExplainFlag = False,
    style: FormatFlag = Format.TABLE,
) -> int:
    """Find other videos that look like one, or like a moment of it.

    The video itself and exact copies of it are left out. It need not be in the library.
    """
    if not video.strip():
        raise UsageError("the VIDEO is empty", hint="c2v similar film.mp4@1:30")
    doing = Doing(play, play_command, cut, exact=exact, thumbnails=thumbnails)
    doing.check(style, is_batch=False)
    wanted: Wanted = {
        "top": top,
        "moments": moments,
        "min_score": min_score,
        "within": within or (),
        "extensions": extensions or (),
        "tags": tags or (),
        "since": since,
        "until": until,
        "min_duration": min_duration,
        "max_duration": max_duration,
        "min_height": min_height,
        "missing": style is Format.TABLE,  # whoever else reads it opens the files
    }
    with session.videos(strategy=strategy, device=device) as videos:
        answer = videos.similar(video, **wanted)
        videos.keep(answer)
        print_alone(session, answer, style, all_rows=all_rows, explain=explain)
    return do_with(session, answer, doing, style, all_rows=all_rows)

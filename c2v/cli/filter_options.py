"""Options that say which videos may be found: the same wherever something is searched."""

from typing import Annotated

import typer

_PANEL = "Which videos"

InFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--in", metavar="PATH-GLOB", help="At or below; repeatable.", rich_help_panel=_PANEL
    ),
]
ExtFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--ext", metavar="EXT", help="Of this type, as mp4; repeatable.", rich_help_panel=_PANEL
    ),
]
TagFlag = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="With this tag; repeatable.", rich_help_panel=_PANEL),
]
SinceFlag = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="DATE|AGE",
        help="Recorded then or later: 2023, 2023-05-17, 3d, 2w, 6m, 1y. Without a date of "
        "recording in the file, its last change counts.",
        rich_help_panel=_PANEL,
    ),
]
UntilFlag = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="DATE|AGE",
        help="Recorded then or earlier; the whole of that day, month or year counts.",
        rich_help_panel=_PANEL,
    ),
]
MinDurationFlag = Annotated[
    str | None,
    typer.Option(
        "--min-duration",
        metavar="TIME",
        help="At least so long: 90, 1m30s or 1:30.",
        rich_help_panel=_PANEL,
    ),
]
MaxDurationFlag = Annotated[
    str | None,
    typer.Option("--max-duration", metavar="TIME", help="At most so long.", rich_help_panel=_PANEL),
]
MinHeightFlag = Annotated[
    int | None,
    typer.Option(
        "--min-height",
        metavar="LINES",
        min=1,
        help="With at least so many lines, as 1080.",
        rich_help_panel=_PANEL,
    ),
]

"""Options that say what of a ranking is wanted: the same wherever moments are ranked."""

from typing import Annotated

import typer

from c2v.config import SETTINGS

TopFlag = Annotated[int, typer.Option("--top", "-n", min=1, help="How many results.")]
MomentsFlag = Annotated[
    bool, typer.Option("--moments", help="Every good moment of every video, each once.")
]
MinScoreFlag = Annotated[
    float | None,
    typer.Option("--min-score", min=-1.0, max=1.0, help="Only results at least this good."),
]
AllFlag = Annotated[bool, typer.Option("--all", help="Weak results too, which are no match.")]
ExplainFlag = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Say how the results were found; with the head wti, which frame answers which word.",
        show_default=False,
    ),
]
StrategyFlag = Annotated[
    str | None,
    typer.Option(
        "--strategy", metavar=SETTINGS["strategy"].metavar, help="How the vectors are searched."
    ),
]

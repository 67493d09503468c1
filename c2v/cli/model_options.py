"""The options that choose an encoder, and where and how it runs."""

from typing import Annotated

import typer

from c2v.config import SETTINGS

ModelFlag = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", metavar="NAME", help="The model.  \\[env: C2V_MODEL]", show_default=False
    ),
]
DeviceFlag = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar=SETTINGS["device"].metavar,
        help="What the model runs on.  \\[env: C2V_DEVICE]",
        show_default=False,
    ),
]
PrecisionFlag = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar=SETTINGS["precision"].metavar,
        help="Numbers the tower for pictures computes with.  \\[env: C2V_PRECISION]",
        show_default=False,
    ),
]

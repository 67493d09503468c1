"""The options that choose an encoder, and where and how it runs."""

from typing import Annotated

import typer

ModelFlag = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", metavar="NAME", help="The encoder.  \\[env: C2V_MODEL]", show_default=False
    ),
]
DeviceFlag = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda|cuda:N|mps",
        help="Where the encoder runs.  \\[env: C2V_DEVICE]",
        show_default=False,
    ),
]
PrecisionFlag = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="auto|fp32|bf16|fp16|int8",
        help="Numbers the image tower computes with.  \\[env: C2V_PRECISION]",
        show_default=False,
    ),
]

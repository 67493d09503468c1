"""Everything runs on this machine: libraries that report home are told not to.

They read their variable while they are imported, so it is set when ``c2v`` is, whichever of its
modules is asked for first. ONNX Runtime (1.29 and newer) otherwise keeps a device id and a database
of events under ``~/.cache`` and looks for a host to send them to; the client of the Hugging Face
hub adds the versions of other packages and a guess at what started it to its requests.
"""

from __future__ import annotations

import os
from typing import Final

REFUSALS: Final = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")
_ASKED_FOR: Final = ("0", "false", "no", "off")


def refuse_telemetry() -> None:
    """Switch it off for this process and those it starts.

    Whoever wants it says so: ``ORT_DISABLE_TELEMETRY=0``. Unset, empty or any other value is no
    such wish.
    """
    for name in REFUSALS:
        if not _wanted(name):
            os.environ[name] = "1"


def runtime_may_report() -> bool:
    """Whether the user asked for ONNX Runtime's telemetry."""
    return _wanted("ORT_DISABLE_TELEMETRY")


def _wanted(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in _ASKED_FOR

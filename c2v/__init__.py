"""c2v: grep for videos."""

from __future__ import annotations

from c2v.telemetry import refuse_telemetry

__version__ = "0.1.0"

refuse_telemetry()

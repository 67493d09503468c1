"""The one place that imports ONNX Runtime: it sends nothing from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from c2v.telemetry import refuse_telemetry, runtime_may_report

if TYPE_CHECKING:
    from onnxruntime import (  # type: ignore[import-untyped]  # noqa: TID251
        InferenceSession as InferenceSession,
    )
    from onnxruntime import SessionOptions as SessionOptions  # noqa: TID251


def onnx_runtime() -> Any:
    """The module ``onnxruntime``, its telemetry off unless the user asked for it."""
    refuse_telemetry()  # again: the environment may have been changed since c2v was imported
    import onnxruntime  # noqa: TID251

    # For a program that had imported it before c2v: what is not sent yet will not be.
    disable = getattr(onnxruntime, "disable_telemetry_events", None)
    if disable is not None and not runtime_may_report():
        disable()
    return onnxruntime

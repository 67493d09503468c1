"""The project's own goldens: a checkout alone is guarded against drift.

They were written by `own/tiny.py` when the code reproduced the reference's outputs.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

OWN = Path(__file__).parent / "own"
TINY: dict[str, Any] = runpy.run_path(str(OWN / "tiny.py"))


@pytest.mark.parametrize("case", TINY["CASES"])
def test_case(case: str) -> None:
    wanted = {
        k: v for k, v in load_file(OWN / "own.safetensors").items() if k.startswith(f"{case}.")
    }
    got = TINY["outputs"](case)
    assert got.keys() == wanted.keys()
    for name, tensor in wanted.items():
        limit = 5e-5 if name.endswith("logits") else 5e-6
        assert (got[name] - tensor).abs().max() <= limit, name


def test_switches_make_a_difference() -> None:
    """The cases would not guard what they name if their outputs were equal."""
    stored = load_file(OWN / "own.safetensors")
    ragged = {case: stored[f"{case}.ragged.logits"] for case in TINY["CASES"]}
    for other in ("clip2video_legacy", "clip2video_strict", "clip2video_sub"):
        assert (ragged["clip2video"] - ragged[other]).abs().max() > 1e-2
    assert (ragged["meanP"] - ragged["meanP_3d"]).abs().max() > 1e-2

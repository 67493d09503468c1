"""The project's own goldens: a checkout alone is guarded against drift.

They were written by `own/tiny.py` and `own/rules.py` when the code reproduced the reference's
outputs.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file

OWN = Path(__file__).parent / "own"
RULES: dict[str, Any] = runpy.run_path(str(OWN / "rules.py"))
TINY: dict[str, Any] = runpy.run_path(str(OWN / "tiny.py"))


@pytest.mark.parametrize("case", TINY["CASES"])
def test_case(case: str) -> None:
    wanted = {
        k: v for k, v in load_file(OWN / "own.safetensors").items() if k.startswith(f"{case}.")
    }
    got = TINY["outputs"](case)
    assert got.keys() == wanted.keys()
    for name, tensor in wanted.items():
        limit = 5e-5 if name.endswith(("logits", "loss", "gradient")) else 5e-6
        assert (got[name] - tensor).abs().max() <= limit, name


def test_switches_make_a_difference() -> None:
    """The cases would not guard what they name if their outputs were equal."""
    stored = load_file(OWN / "own.safetensors")
    ragged = {case: stored[f"{case}.ragged.logits"] for case in TINY["CASES"]}
    for other in ("clip2video_legacy", "clip2video_strict", "clip2video_sub"):
        assert (ragged["clip2video"] - ragged[other]).abs().max() > 1e-2
    assert (ragged["meanP"] - ragged["meanP_3d"]).abs().max() > 1e-2


@pytest.mark.parametrize("kind", ["frames", "pictures", "metrics", "optimiser"])
def test_rules(kind: str) -> None:
    stored = load_arrays(OWN / "rules.safetensors")
    got = RULES[kind]()
    start = kind.removesuffix("s") if kind == "pictures" else kind
    assert got.keys() == {name for name in stored if name.startswith(f"{start}.")}
    for name, array in got.items():
        if array.dtype.kind in "iu":
            np.testing.assert_array_equal(array, stored[name], err_msg=name)
        else:
            np.testing.assert_allclose(array, stored[name], rtol=2e-6, atol=1e-7, err_msg=name)


def test_ties_make_a_difference() -> None:
    """The cases would not guard what they name if their figures were equal."""
    stored = load_arrays(OWN / "rules.safetensors")
    for name in ("one", "several"):
        figures = [stored[f"metrics.{name}.{ties}"] for ties in RULES["TIES"]]
        assert not any(np.array_equal(figures[0], other) for other in figures[1:])

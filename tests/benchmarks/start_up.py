"""How soon ``c2v --help`` and a shell's completion are there: as a share of ``import torch``."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.measure import Asked, Row, Side, compare, interleave, python, wall

LIMIT = Asked("<=", 0.1)
TORCH = "python -c 'import torch'"


def measure(folder: Path, *, runs: int, short: bool) -> list[Row]:
    """Help, completion of a word (what the shell calls at every Tab), and its script."""
    home = {"C2V_HOME": str(folder)}
    asking = home | {"COMP_WORDS": "c2v search --m", "COMP_CWORD": "2"}
    c2v = python("-m", "c2v")
    sides = {
        TORCH: Side(python("-c", "import torch")),
        "c2v --help": Side((*c2v, "--help"), home),
        "completion (Tab)": Side(c2v, asking | {"_C2V_COMPLETE": "complete_bash"}),
        "completion script": Side(c2v, home | {"_C2V_COMPLETE": "source_bash"}),
    }
    found = interleave(sides, runs=min(runs, 3) if short else max(runs, 15))
    theirs = wall(found.pop(TORCH))
    return [
        compare(name, TORCH, wall(usages), theirs, asked=LIMIT) for name, usages in found.items()
    ]

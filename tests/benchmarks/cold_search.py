"""A search from a cold process: against importing PyTorch, and against open_clip with hnswlib.

Whole processes, from the shell's point of view. Every run asks what was not asked before, but for
the rows that say so. Vectors of CLIP2Video on ViT-B/32 have 1024 numbers, those of mini 512; the
rival's have 512, which is what open_clip gives.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.benchmarks import library_growth, made_library, one_shot_rival
from tests.benchmarks.measure import (
    Asked,
    Row,
    Side,
    Usage,
    compare,
    interleave,
    peak_mb,
    plain,
    python,
    wall,
)

TORCH = "python -c 'import torch'"
RIVAL = "open_clip + hnswlib, one shot"
QUESTION = "a dog catching a frisbee on the beach"
SEGMENTS = 100_000
_MEMORY = Asked("<=", 250)


def measure(folder: Path, *, runs: int, short: bool) -> list[Row]:
    """100,000 segments with both text towers, and 1,000,000."""
    home = made_library.home(folder.parent)
    segments = 2_000 if short else SEGMENTS
    large = library_growth.grown_in(folder.parent, short=short)
    rival = ("-m", "tests.benchmarks.one_shot_rival", _rival(folder, segments), QUESTION)
    sides = {TORCH: Side(python("-c", "import torch")), RIVAL: Side(python(*rival))}
    names = {}
    for name, model in (("CLIP2Video on ViT-B/32, 1024-d", "temporal"), ("mini, 512-d", "mini")):
        library = made_library.ready(folder / model, home, model, segments)
        names[name] = f"cold search, {segments:,} segments, {name}"
        sides[name] = _search(library, home, fresh=True)
        sides[f"{name}, asked before"] = _search(library, home, fresh=False)
    names["large"] = f"cold search, {large.segments:,} segments, CLIP2Video, 1024-d"
    sides["large"] = _search(large.directory, home, fresh=True)
    found = interleave(sides, runs=min(runs, 3) if short else runs)
    return _rows(found, names)


def _rows(found: dict[str, list[Usage]], names: dict[str, str]) -> list[Row]:
    torch, rival = wall(found[TORCH]), wall(found[RIVAL])
    rows = []
    for name, title in names.items():
        limit = Asked("<=", 0.5 if name == "large" else 0.2)
        rows.append(compare(title, TORCH, wall(found[name]), torch, asked=limit))
        rows.append(plain(f"{title}: memory", peak_mb(found[name]), unit="MB",
                          asked=None if name == "large" else _MEMORY))  # fmt: skip
        if name == "large":
            continue
        again = wall(found[f"{name}, asked before"])
        rows.append(compare(f"{title}, asked before", "asked for the first time", again,
                            wall(found[name])))  # fmt: skip
        rows.append(compare(title, RIVAL, wall(found[name]), rival, is_speed=True,
                            asked=Asked(">=", 20)))  # fmt: skip
    rows.append(plain(f"{RIVAL}: memory", peak_mb(found[RIVAL]), unit="MB"))
    return rows


def _search(library: Path, home: Path, *, fresh: bool) -> Side:
    """``c2v search``; a fresh one finds no embedded query from the run before."""
    cache = home / "cache" / "queries"

    def forget() -> None:
        shutil.rmtree(cache, ignore_errors=True)

    words = ("-m", "c2v", "search", QUESTION, "--library", library)
    return Side(python(*words), {"C2V_HOME": str(home)}, before=forget if fresh else None)


def _rival(folder: Path, segments: int) -> Path:
    made = folder / "rival"
    if not made.exists():
        space = made_library.Space(one_shot_rival.DIM)
        one_shot_rival.build(made, space.segments(segments // made_library.SEGMENTS_A_VIDEO))
    return made

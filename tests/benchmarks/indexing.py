"""Indexing 1080p videos with ViT-B/32, against how it is done without c2v (naive_index.py).

Whole processes, start-up included, the same moments of the same clips with the same weights. Twice:
with c2v's own sampling (a picture a second) and with twelve pictures a video, as benchmarks of
retrieval have them. Weights are random: speed does not depend on them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.clips import HD, make_clips
from tests.benchmarks.encoders import make_vit_b_32
from tests.benchmarks.measure import (
    Asked,
    Row,
    Side,
    Usage,
    compare,
    cpu,
    interleave,
    python,
    run,
    wall,
)

NAIVE = Path(__file__).with_name("naive_index.py")
TWELVE = "12 pictures a clip"
EXACT = (Asked(">=", 6), Asked(">=", 4))
FAST = (Asked(">=", 12), Asked(">=", 7))
OTHERS = {"opencv": "CLIP4Clip's OpenCV seek loop", "files": "rclip's way, a JPEG a picture"}


def measure(folder: Path, *, runs: int, short: bool) -> list[Row]:
    """Both samplings against the naive loop, by the clock and by processor time."""
    recipe = replace(HD, seconds=12.0, width=640, height=360) if short else HD
    clips = make_clips(folder / "clips", 1 if short else 3, recipe)
    weights = make_vit_b_32(folder / "vit")
    home = {"C2V_HOME": str(folder / "home")}
    seconds = recipe.seconds
    every_second = plan(seconds, "auto")
    twelve = plan(seconds, "whole")
    index = (
        *python("-m", "c2v", "index", folder / "clips"),
        "--model",
        folder / "vit",
        "--rebuild",
        "--yes",
    )
    sides = {
        "naive": naive("decord", weights, every_second, clips),
        "exact": Side((*index, "-L", folder / "a"), home),
        "fast": Side((*index, "-L", folder / "b", "--sampling", "fast"), home),
        "naive 12": naive("decord", weights, twelve, clips),
        "exact 12": Side((*index, "-L", folder / "c", "--segment", "whole"), home),
        "fast 12": Side(
            (*index, "-L", folder / "d", "--segment", "whole", "--sampling", "fast"), home
        ),
        **{way: naive(way, weights, every_second, clips) for way in OTHERS},
    }
    run(sides["fast"])  # tries what this processor is good at, once for a machine
    found = interleave(sides, runs=1 if short else min(runs, 3), warmups=0)
    for name in ("naive", "opencv", "files"):
        assert {int(usage.output) for usage in found[name]} == {len(every_second) * len(clips)}
    rows: list[Row] = []
    for what, asked in (("exact", EXACT), ("fast", FAST)):
        label = f"index 1080p, ViT-B/32, {what}"
        rows += both(label, "naive decord + open_clip", found[what], found["naive"], asked)
        rows += both(
            f"{label}, {TWELVE}", "the same loop", found[f"{what} 12"], found["naive 12"], asked
        )
    for way, name in OTHERS.items():
        rows += both("index 1080p, ViT-B/32, exact", name, found["exact"], found[way], None)
    return rows


def both(
    what: str, against: str, ours: Sequence[Usage], theirs: Sequence[Usage],
    asked: tuple[Asked, Asked] | None,
) -> list[Row]:  # fmt: skip
    """A row by the clock and one by processor time."""
    first, second = asked or (None, None)
    return [
        compare(what, against, wall(ours), wall(theirs), is_speed=True, asked=first),
        compare(
            f"{what}, CPU", against, cpu(ours), cpu(theirs), unit="CPU s", is_speed=True,
            asked=second,
        ),
    ]  # fmt: skip


def plan(seconds: float, mode: str) -> list[float]:
    """The moments of a clip that c2v looks at."""
    from c2v.media.segments import SegmentMode, plan_segments

    segments = plan_segments(seconds, mode=SegmentMode.parse(mode))
    return [time for segment in segments for time in segment.times]


def naive(way: str, weights: Path, times: list[float], clips: list[Path]) -> Side:
    """One of the ways without c2v, as a process."""
    return Side(python(NAIVE, way, weights / "image.safetensors", json.dumps(times), *clips))

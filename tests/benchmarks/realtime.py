"""``mini`` over 480p videos: how many times faster than they play, and how large a library gets.

The size is that of the whole folder, caches included, for an hour of video; for ViT-B/32 with
random weights on the same clips.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.benchmarks.clips import SD, make_clips
from tests.benchmarks.encoders import make_vit_b_32
from tests.benchmarks.measure import Asked, Row, Side, interleave, plain, python, run, wall

REALTIME = Asked(">=", 100)
SAMPLINGS = ("exact", "fast")
HOUR = 3600


def measure(folder: Path, *, runs: int, short: bool) -> list[Row]:
    """Times faster than the videos play, and megabytes an hour of them takes."""
    recipe = replace(SD, seconds=10.0) if short else SD
    clips = make_clips(folder / "clips", 2 if short else 8, recipe)
    played = recipe.seconds * len(clips)
    home = {"C2V_HOME": str(folder / "home")}
    index = (*python("-m", "c2v", "index", folder / "clips"), "--rebuild")
    sides = {
        sampling: Side(
            (*index, "--model", "mini", "-L", folder / sampling, "--sampling", sampling), home
        )
        for sampling in SAMPLINGS
    }
    found = interleave(sides, runs=1 if short else runs)
    rows = [
        plain(
            f"index 480p with mini, {sampling}", [played / seconds for seconds in wall(usages)],
            unit="x realtime", asked=REALTIME,
        )
        for sampling, usages in found.items()
    ]  # fmt: skip
    large = make_vit_b_32(folder / "vit")
    run(Side((*index, "--model", large, "-L", folder / "large", "--sampling", "fast"), home))
    for name, library, limit in (("mini", "exact", 8), ("ViT-B/32", "large", 12)):
        size = sum(path.stat().st_size for path in (folder / library).rglob("*") if path.is_file())
        rows.append(
            plain(
                f"library of an hour of video, {name}", [size * HOUR / played / 1e6],
                unit="MB", asked=Asked("<=", limit),
            )
        )  # fmt: skip
    return rows

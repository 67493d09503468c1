"""``mini`` over 480p videos: how many times faster than they play, and how large a library gets.

Made clips, and the real ones of ../shared/data where they lie beside the project. The size is that
of the whole folder, caches included, for an hour of video; for ViT-B/32 with random weights on the
same clips.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.clips import SD, make_clips
from tests.benchmarks.encoders import make_vit_b_32
from tests.benchmarks.measure import ROOT, Asked, Row, Side, interleave, plain, python, run, wall

REALTIME = Asked(">=", 100)
HOUR = 3600
REAL = ROOT.parent / "shared" / "data" / "clips"


def measure(folder: Path, *, runs: int, short: bool) -> list[Row]:
    """Times faster than the videos play, and megabytes an hour of them takes."""
    clips = folder / "480p"
    make_clips(clips, 2 if short else 8, replace(SD, seconds=10.0) if short else SD)
    sources = {"480p": clips} | ({"real clips": REAL} if REAL.is_dir() else {})
    sides = {
        f"index {name} with mini, {sampling}": _index(folder, source, "mini", sampling)
        for name, source in sources.items()
        for sampling in ("exact", "fast")
    }
    found = interleave(sides, runs=1 if short else runs)
    rows = []
    for what, usages in found.items():
        played = [json.loads(usage.output)["seconds_of_video"] for usage in usages]
        speeds = [length / taken for length, taken in zip(played, wall(usages), strict=True)]
        rows.append(plain(what, speeds, unit="x realtime", asked=REALTIME))
    return rows + _sizes(folder, clips)


def _index(folder: Path, videos: Path, model: str | Path, sampling: str) -> Side:
    """``c2v index`` into a library of its own, ``folder / "library-..."``."""
    library = folder / f"library-{videos.name}-{Path(model).name}-{sampling}"
    words = ("index", videos, "--model", model, "-L", library, "--sampling", sampling)
    home = {"C2V_HOME": str(folder / "home")}
    return Side(python("-m", "c2v", *words, "--rebuild", "--yes", "--format", "json"), home)


def _sizes(folder: Path, clips: Path) -> list[Row]:
    """Megabytes of a library of an hour of video, both encoders."""
    rows = []
    for name, model, limit in (
        ("mini", "mini", 8),
        ("ViT-B/32", make_vit_b_32(folder / "vit"), 12),
    ):
        side = _index(folder, clips, model, "fast")
        played = json.loads(run(side).output)["seconds_of_video"]
        library = folder / f"library-{clips.name}-{Path(model).name}-fast"
        size = sum(path.stat().st_size for path in library.rglob("*") if path.is_file())
        rows.append(
            plain(
                f"library of an hour of video, {name}", [size * HOUR / played / 1e6],
                unit="MB", asked=Asked("<=", limit),
            )
        )  # fmt: skip
    return rows

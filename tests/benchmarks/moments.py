"""The right moment of films joined of captioned clips: ``python -m tests.benchmarks.moments DATA``.

For every caption: is the right moment first, is it among the first three, and how much of its span
is right (intersection over union with the true shot); in a library of all films, and in one that
holds the film alone. For libraries cut into windows of 12 s, by colour (``scene``), and as ``auto``
does; with segments and CPU seconds of indexing, in turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import c2v
from tests.benchmarks.montages import Shot, captioned_clips, found_in, make_montages

WAYS = {"windows of 12 s": "12", "by colour": "scene", "auto": "auto"}


def main() -> None:
    """Print a line for each way of cutting."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path, help="folder with clips/ and msrvtt/clips/")
    options.add_argument("--seeds", type=int, default=2)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="c2v-moments-") as scratch:
        for seed in range(given.seeds):
            clips = captioned_clips(given.data)
            shots = make_montages(Path(scratch) / "films", clips, seed=seed)
            for name, segment in WAYS.items():
                print(f"seed {seed}, {name:16}", *_measured(Path(scratch), shots, segment, seed))


def _measured(scratch: Path, shots: Sequence[Shot], segment: str, seed: int) -> list[str]:
    films = sorted({shot.film for shot in shots})
    started = time.process_time()
    with c2v.open(scratch / f"{segment}-{seed}") as library:
        library.index(films, model="mini", segment=segment)
        taken = time.process_time() - started
        segments = library.status().segments
        together = found_in(library, shots)
    alone = [
        found_in(one, [shot for shot in shots if shot.film == film])
        for film in films
        for one in [_library_of(scratch / f"{segment}-{film.stem}", film, segment)]
    ]
    mean = [
        sum(getattr(one, key) for one in alone) / len(alone)
        for key in ("first", "in_three", "overlap")
    ]
    return [
        f"{segments:4} segments {taken:5.1f} CPU s",
        f"| all films {together.first:4.0%} {together.in_three:4.0%} IoU {together.overlap:.2f}",
        f"| one film {mean[0]:4.0%} {mean[1]:4.0%} IoU {mean[2]:.2f}",
    ]


def _library_of(folder: Path, film: Path, segment: str) -> c2v.VideoLibrary:
    library = c2v.open(folder)
    library.index([film], model="mini", segment=segment)
    return library


if __name__ == "__main__":
    main()

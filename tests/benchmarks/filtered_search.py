"""What filters cost a search: one question with and one without, in turn, each in an open library
that has not been asked anything yet, and again in one that is warm.

    python -m tests.benchmarks.filtered_search FOLDER [SEGMENTS]

makes a library in FOLDER (kept for the next time) and prints, for each filter, the median time of
both and their ratio. A filter is to cost at most as much again as the search.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.library import Filter, ModelRecord, Store, Tag, open_store
from tests.benchmarks.made_library import Space, create

DIM = 512
RUNS = 9
ASKED = 2.0
_NOW, _TEN_YEARS = 1_700_000_000, 10 * 365 * 86400
MODEL = ModelRecord("made", "head", "towers", feature_dim=8, vector_dim=DIM)
FILTERS = {
    "nothing but a path, 1 % pass": Filter(paths=("/videos/0000",)),
    "extension, all pass": Filter(extensions=("mp4",)),
    "since, half pass": Filter(since=_NOW - _TEN_YEARS / 2),
    "since, 5 % pass": Filter(since=_NOW - _TEN_YEARS / 20),
    "length, all pass": Filter(min_duration=60.0),
    "tag, 1 % pass": Filter(tags=("dog",)),
    "path, extension, since and height": Filter(
        paths=("/videos",), extensions=("mp4",), since=_NOW - _TEN_YEARS / 2, min_height=720
    ),
}


def main(folder: Path, segments: int) -> int:
    """Print a line a filter; 1 when one costs too much."""
    directory = folder / f"filtered-{segments}"
    if not directory.exists():
        _make(directory, segments)
    query = Space(DIM, seed=5).questions(1)
    worst = 0.0
    for name, where in FILTERS.items():
        for state in ("first", "warm"):
            plain, filtered = _in_turn(directory, query, where, warm=state == "warm")
            ratio = statistics.median(filtered) / statistics.median(plain)
            worst = max(worst, ratio)
            print(
                f"{segments:,} segments, {name}, {state}: {statistics.median(plain) * 1e3:.1f} ms "
                f"without, {statistics.median(filtered) * 1e3:.1f} ms with, {ratio:.2f}x"
            )
    print(f"worst {worst:.2f}x, asked for: at most {ASKED:g}x")
    return int(worst > ASKED)


def _in_turn(
    directory: Path, query: NDArray[np.float32], where: Filter, *, warm: bool
) -> tuple[list[float], list[float]]:
    """Seconds of each run without and with the filter."""
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(RUNS):
        for is_filtered in (False, True):
            asked = where if is_filtered else None
            with open_store(directory) as store:
                for _ in range(3 if warm else 0):
                    _ask(store, query, asked)
                found[is_filtered].append(_ask(store, query, asked))
    return found[False], found[True]


def _ask(store: Store, query: NDArray[np.float32], where: Filter | None) -> float:
    started = time.perf_counter()
    store.nearest(query, 64, strategy="exact", where=where)
    if where is not None:
        store.passing(where)
    return time.perf_counter() - started


def _make(directory: Path, segments: int) -> None:
    """A library of 10-segment videos, recorded over ten years, one in a hundred with a tag."""
    create(directory, MODEL, segments, frames=1)
    random = np.random.default_rng(2)
    with open_store(directory) as store:
        videos = store.videos()
        times = _NOW - random.integers(0, _TEN_YEARS, len(videos))
        store.move_videos(
            (video.id, video.path, video.size_bytes, int(when) * 10**9)
            for video, when in zip(videos, times, strict=True)
        )
        store.write_tags(Tag(video.id, "dog", 0.5) for video in videos[::100])


if __name__ == "__main__":
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    raise SystemExit(main(Path(sys.argv[1]), size))

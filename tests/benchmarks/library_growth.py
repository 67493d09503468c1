"""One library that grows: what a segment costs at 1,000, 10,000, 100,000 and 1,000,000 of them.

Inserting, refreshing the caches (matrix, and from 50,000 segments on the graph) and one exact and
one approximate search at each size. Segments are those of CLIP2Video on ViT-B/32: 12 frame features
of 512 numbers and a vector of 1024. The whole of it takes 18 GB of disk and up to an hour, nearly
all of it the graph; ``--scratch`` keeps the library for other measurements and for the next run.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from c2v.library import ModelRecord, Store, open_store
from tests.benchmarks import made_library
from tests.benchmarks.measure import Row, compare, plain

SIZES = (1_000, 10_000, 100_000, 1_000_000)
SHORT_SIZES = (1_000, 4_000)
FIGURES_NAME = "growth.json"
_QUERIES = 15


def measure(folder: Path, *, runs: int, short: bool) -> list[Row]:
    """Cost per segment at each size, against the smallest."""
    return rows(grown_in(folder.parent, short=short).stages)


@dataclass(frozen=True, slots=True)
class Grown:
    """The library at its last size, and the figures of every size on the way."""

    directory: Path
    segments: int
    stages: list[dict[str, Any]]


def grown_in(scratch: Path, *, short: bool) -> Grown:
    """The library that grew in ``scratch``, made on first use; other measurements search it."""
    sizes = SHORT_SIZES if short else SIZES
    directory = scratch / f"grown-{sizes[-1]}"
    model = made_library.model_of(made_library.home(scratch), "temporal")
    return Grown(directory, sizes[-1], grown(directory, model, sizes))


def rows(stages: list[dict[str, Any]]) -> list[Row]:
    """The table's rows: processor time, because it does not depend on who else is busy."""
    first = stages[0]
    found = []
    for key, unit, what in (
        ("insert_cpu_ms", "ms", "insert a segment"),
        ("insert_ms", "ms", "insert a segment, by the clock"),
        ("bytes", "bytes", "a segment on disk, caches included"),
        ("database_bytes", "bytes", "a segment in the database"),
    ):
        for stage in stages[1:]:
            title = f"{what}: {stage['segments']:,} segments"
            against = f"{first['segments']:,} segments"
            found.append(compare(title, against, [stage[key]], [first[key]], unit=unit))
    for stage in stages:
        size = f"{stage['segments']:,} segments"
        found += [
            plain(f"exact search, warm, {size}", stage["exact_ms"], unit="ms"),
            plain(f"search by the graph, warm, {size}", stage["hnsw_ms"], unit="ms"),
            plain(f"caches of a new segment, {size}", [stage["refresh_cpu_ms"]], unit="ms"),
        ]
    return [row for row in found if row.ours.median > 0]


def grown(directory: Path, model: ModelRecord, sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    """Fill a library stage by stage; figures of a finished one are read, not measured again."""
    record = directory / FIGURES_NAME
    if record.exists():
        stages: list[dict[str, Any]] = json.loads(record.read_text())
        return stages
    space = made_library.Space(model.vector_dim)
    stages = [_stage(directory, model, space, size) for size in sizes]
    record.write_text(json.dumps(stages, indent=1))
    return stages


def _stage(
    directory: Path, model: ModelRecord, space: made_library.Space, size: int
) -> dict[str, Any]:
    """Bring the library to that size; closed in between, so that nothing is left in the WAL."""
    with open_store(directory, create=True) as library:
        library.set_model(model)
        added = size - library.counts().segments
        inserting = made_library.fill(library, added, space, frames=made_library.FRAMES)
        wall, cpu = time.perf_counter(), time.process_time()
        library.refresh()
        refreshing = made_library.Spent(time.perf_counter() - wall, time.process_time() - cpu)
    with open_store(directory) as library:
        sizes = library.storage_sizes()
        questions = space.questions(_QUERIES)
        library.warm()
        return {
            "segments": size,
            "insert_ms": inserting.wall * 1e3 / added,
            "insert_cpu_ms": inserting.cpu * 1e3 / added,
            "refresh_seconds": refreshing.wall,
            "refresh_cpu_ms": refreshing.cpu * 1e3 / added,
            "bytes": sizes.total_bytes / size,
            "database_bytes": sizes.database_bytes / size,
            "hnsw_bytes": sizes.hnsw_bytes / size,
            "exact_ms": _search_ms(library, questions, "exact"),
            "hnsw_ms": _search_ms(library, questions, "hnsw") if sizes.hnsw_bytes else [0.0],
        }


def _search_ms(library: Store, questions: np.ndarray, strategy: str) -> list[float]:
    found = []
    for question in questions:
        started = time.perf_counter()
        library.nearest(question[None], 10, strategy=strategy)
        found.append((time.perf_counter() - started) * 1e3)
    return found[3:]  # the first ones check and map what later ones find ready

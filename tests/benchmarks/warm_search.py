"""Searching from a process that stays: the Python API and ``c2v search --batch``.

One library, a million segments of 1024 numbers. Latencies are those of single questions, one
after the other: of the ranking by itself (``find`` with an embedded question, through the graph
that is in memory), and of a line written to ``--batch -`` until its answer comes back, the text
tower included. Recall is the share of the exact ten best that the graph finds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks import library_growth, made_library
from tests.benchmarks.measure import ROOT, Asked, Row, Side, plain, python, run, wall
from tests.benchmarks.measure import environment as environment_of

if TYPE_CHECKING:
    from c2v.library import Store

K = 10
_WARM_UPS = 20


def measure(folder: Path, *, runs: int, short: bool) -> list[Row]:
    """p50 and p99 of both, recall, and what a group of lines costs each."""
    large = library_growth.grown_in(folder.parent, short=short)
    home = made_library.home(folder.parent)
    count = 40 if short else 500
    environment = {"C2V_HOME": str(home), "OPENBLAS_NUM_THREADS": "1"}
    inner = python("-m", "tests.benchmarks.warm_search", large.directory, home, str(count))
    size = f"{large.segments:,} segments, 1024-d"
    api = [json.loads(run(Side(inner, environment)).output) for _ in range(1 if short else 3)]
    rows = _latencies(f"warm ranking, Python API, {size}", [one["ms"] for one in api])
    recall = [one["recall"] for one in api]
    rows.append(plain(f"recall@10 of it against exact, {size}", recall, unit="",
                      asked=Asked(">=", 0.98)))  # fmt: skip
    streamed = [stream(large.directory, environment, count) for _ in range(1 if short else 3)]
    rows += _latencies(f"warm `--batch -`, a line at a time, text tower included, {size}",
                       [lines for lines, _ in streamed])  # fmt: skip
    rows += _latencies(f"the same, ranking alone (elapsed_ms), {size}",
                       [ranking for _, ranking in streamed])  # fmt: skip
    lines = folder / "lines.txt"
    lines.write_text("".join(_line(number) for number in range(2 * count)))
    batch = Side(python("-m", "c2v", "search", "--batch", lines, "-f", "jsonl",
                        "--library", large.directory), environment)  # fmt: skip
    each = [seconds * 1e3 / (2 * count) for seconds in wall([run(batch)])]
    rows.append(plain(f"a line of a file of {2 * count:,}, start-up included, {size}", each,
                      unit="ms"))  # fmt: skip
    return rows


def _latencies(what: str, runs: list[list[float]]) -> list[Row]:
    return [
        plain(f"{what}: p{share}", [float(np.percentile(ms, share)) for ms in runs], unit="ms",
              asked=Asked("<=", limit))  # fmt: skip
        for share, limit in ((50, 15), (99, 40))
    ]  # fmt: skip


def stream(
    library: Path, environment: dict[str, str], count: int
) -> tuple[list[float], list[float]]:
    """Milliseconds from a line written to its answer, and of the ranking in it, ``count`` times.

    The first lines, by which the process maps what it needs, do not count.
    """
    words = python("-m", "c2v", "search", "--batch", "-", "-f", "jsonl", "--library", library)
    waits, rankings = [], []
    with subprocess.Popen(
        list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        bufsize=1, cwd=ROOT, env=environment_of(environment),
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(_WARM_UPS + count):
            started = time.perf_counter()
            process.stdin.write(_line(number))
            answer = json.loads(process.stdout.readline())
            waits.append((time.perf_counter() - started) * 1e3)
            rankings.append(answer["elapsed_ms"])
            if number == 0:
                time.sleep(10)  # nobody waits: the process loads the graph meanwhile
        process.stdin.close()
    return waits[_WARM_UPS:], rankings[_WARM_UPS:]


def _line(number: int) -> str:
    """A query of its own, as a line."""
    return f"a dog catches frisbee {number} on the beach\n"


def _inner(directory: Path, home: Path, count: int) -> None:
    """In a process of its own: latencies and recall of ``find``, as JSON."""
    from c2v.encoder.bundle import load_bundle
    from c2v.library import open_store
    from c2v.search.ranking import Query, SearchOptions, find

    bundle = load_bundle(home / "data" / "models" / "temporal")
    questions = made_library.Space(bundle.vector_dim).questions(count)
    feature = np.ones(bundle.feature_dim, np.float32)
    with open_store(directory) as library:
        library.warm()
        latencies = []
        for number in range(-_WARM_UPS, count):
            query = Query("a question", questions[number], feature)
            started = time.perf_counter()
            find(library, bundle, query, SearchOptions(top=K))
            latencies.append((time.perf_counter() - started) * 1e3)
        recall = _recall(library, questions[: min(count, 200)])
    json.dump({"ms": latencies[_WARM_UPS:], "recall": recall}, sys.stdout)


def _recall(library: Store, questions: NDArray[np.float32]) -> float:
    exact = library.nearest(questions, K, strategy="exact").segment_ids
    graph = library.nearest(questions, K, strategy="hnsw").segment_ids
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(exact, graph, strict=True)]))


if __name__ == "__main__":
    _inner(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

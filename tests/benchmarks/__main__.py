"""All measurements, one table: ``python -m tests.benchmarks``.

Each measurement compares c2v with another way of doing the same work, in turns in one run. The
table of ratios goes to standard output; ``benchmarks.json`` and ``benchmarks.png`` to the current
folder or ``--out``. ``--short`` shows that everything works; its figures are no result.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from c2v.optional import remark
from tests.benchmarks import machine, report
from tests.benchmarks.measure import Row

MEASUREMENTS = {
    "start-up": "tests.benchmarks.start_up",
    "cold-search": "tests.benchmarks.cold_search",
    "warm-search": "tests.benchmarks.warm_search",
    "library-growth": "tests.benchmarks.library_growth",
    "indexing": "tests.benchmarks.indexing",
    "realtime": "tests.benchmarks.realtime",
    "overlap": "tests.benchmarks.overlap",
    "memory": "tests.benchmarks.memory",
    "reembedding": "tests.benchmarks.reembedding",
    "encoder-costs": "tests.benchmarks.encoder_costs",
}
"""Name on the command line: module with a function ``measure``."""


def main() -> None:
    """Run what is asked for and print it; what was measured is kept when a later one fails."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    facts, rows = machine.describe(), []
    try:
        with _scratch(options.scratch) as scratch:
            for name in options.only or MEASUREMENTS:
                rows += _measured(name, scratch, runs=options.runs, short=options.short)
    finally:
        if rows:
            _show(rows, facts, options)


@contextmanager
def _scratch(kept: Path | None) -> Iterator[Path]:
    """The folder that is kept, or one that is deleted in the end."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="c2v-benchmarks-") as folder:
        yield Path(folder)


def _measured(name: str, scratch: Path, *, runs: int, short: bool) -> list[Row]:
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    started = time.monotonic()
    module = importlib.import_module(MEASUREMENTS[name])
    folder = scratch / ("short" if short else "full") / name
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = module.measure(folder, runs=runs, short=short)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return rows


def _show(rows: list[Row], facts: report.Facts, options: argparse.Namespace) -> None:
    report.print_table(rows, facts)
    described = {"runs": options.runs, "short": options.short}
    report.write_json(options.out / "benchmarks.json", rows, facts, options=described)
    try:
        report.draw(options.out / "benchmarks.png", rows)
    except ModuleNotFoundError:
        print(remark("no picture", "matplotlib"), file=sys.stderr)
    if options.short:
        print("--short: smaller inputs, these figures are no result", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=MEASUREMENTS,
                        help=f"some of: {', '.join(MEASUREMENTS)}")  # fmt: skip
    parser.add_argument("--runs", type=int, default=7, help="turns that count (default: 7)")
    parser.add_argument("--short", action="store_true", help="small inputs")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR",
                        help="folder of benchmarks.json and benchmarks.png")  # fmt: skip
    parser.add_argument("--scratch", type=Path, metavar="DIR",
                        help="work here and keep it: libraries are not made again")  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    main()

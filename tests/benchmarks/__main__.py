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
from pathlib import Path

from tests.benchmarks import machine, report
from tests.benchmarks.measure import Row

MEASUREMENTS = {
    "start-up": "tests.benchmarks.start_up",
    "reembedding": "tests.benchmarks.reembedding",
}
"""Name on the command line: module with a function ``measure``."""


def main() -> None:
    """Run what is asked for and print it; what was measured is kept when a later one fails."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    facts, rows = machine.describe(), []
    try:
        for name in options.only or MEASUREMENTS:
            rows += _measured(name, runs=options.runs, short=options.short)
    finally:
        if rows:
            _show(rows, facts, options)


def _measured(name: str, *, runs: int, short: bool) -> list[Row]:
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"c2v-{name}-") as folder:
        module = importlib.import_module(MEASUREMENTS[name])
        rows: list[Row] = module.measure(Path(folder), runs=runs, short=short)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return rows


def _show(rows: list[Row], facts: report.Facts, options: argparse.Namespace) -> None:
    report.print_table(rows, facts)
    described = {"runs": options.runs, "short": options.short}
    report.write_json(options.out / "benchmarks.json", rows, facts, options=described)
    try:
        report.draw(options.out / "benchmarks.png", rows)
    except ModuleNotFoundError:
        print("no picture: matplotlib is not installed (pip install 'c2v[train]')", file=sys.stderr)
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
    return parser.parse_args()


if __name__ == "__main__":
    main()

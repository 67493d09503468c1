"""What measurements share: fresh processes run in turns, and rows of the table.

A measurement is a module with ``measure(folder, *, runs, short) -> list[Row]``, named in the
table of ``__main__``. ``folder`` is a scratch folder of its own; it is empty and deleted
afterwards, but for ``--scratch``, by which what was made there once is there the next time.
``short`` asks for smaller inputs: it shows that the measurement works, its figures are no result.

What is compared runs in turns, never one side after the other: a busy neighbour or a clock that
steps down then meets both. A ratio is the median of the ratios of such pairs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from c2v.errors import EXIT_NO_MATCH, EXIT_OK

LAUNCHER = Path(__file__).with_name("launcher.py")
ROOT = Path(__file__).parent.parent.parent
TIMEOUT_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process and the children it waited for took."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    """Largest resident set of any one of them."""
    output: str
    """Standard output."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things compared: a command in a process of its own."""

    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    codes: tuple[int, ...] = (EXIT_OK, EXIT_NO_MATCH)
    """Exit codes that mean it did its work; among made vectors nothing need match."""
    before: Callable[[], None] | None = None
    """Called before each run, outside of what is timed."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, smallest and largest of some runs."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """From one value a run."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a figure has to be: ``Asked("<=", 0.2)``; printed as that, with its unit."""

    sign: Literal["<=", ">="]
    value: float

    def met_by(self, value: float) -> bool:
        """Whether the figure is good enough."""
        return value <= self.value if self.sign == "<=" else value >= self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table.

    ``ratio`` is of pairs of runs; where there is nothing to compare with it is None, and ``asked``
    (if anything was) is about ``ours``. ``is_speed``: the ratio is theirs / ours, so larger is
    better; otherwise ours / theirs.
    """

    what: str
    against: str
    ours: Spread
    unit: str
    theirs: Spread | None = None
    ratio: Spread | None = None
    is_speed: bool = False
    asked: Asked | None = None

    @property
    def met(self) -> bool | None:
        """Whether what was asked for is reached; None where nothing was."""
        if self.asked is None:
            return None
        return self.asked.met_by((self.ratio or self.ours).median)


def compare(
    what: str,
    against: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    unit: str = "s",
    is_speed: bool = False,
    asked: Asked | None = None,
) -> Row:
    """A row out of paired runs: ``ours[i]`` and ``theirs[i]`` were measured next to each other."""
    pairs = list(zip(ours, theirs, strict=True))
    ratios = [b / a if is_speed else a / b for a, b in pairs]
    return Row(
        what=what,
        against=against,
        ours=Spread.of(ours),
        theirs=Spread.of(theirs),
        ratio=Spread.of(ratios),
        unit=unit,
        is_speed=is_speed,
        asked=asked,
    )


def plain(what: str, values: Sequence[float], *, unit: str, asked: Asked | None = None) -> Row:
    """A row that stands for itself."""
    return Row(what=what, against="", ours=Spread.of(values), unit=unit, asked=asked)


def python(*arguments: str | Path) -> tuple[str | Path, ...]:
    """This Python with arguments, as a command."""
    return (sys.executable, *arguments)


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with changes, and compiled files as an installed program has."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | dict(changes)


def run(side: Side) -> Usage:
    """Run a command in a fresh process, in the project's root.

    Raises:
        SystemExit: it failed; its last words are shown.
    """
    if side.before is not None:
        side.before()
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "usage.json"
        words = [sys.executable, "-I", "-S", LAUNCHER, report, *side.command]
        done = subprocess.run(
            list(map(str, words)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(side.environment),
            cwd=ROOT,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        found: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {"code": -1}
    if found.pop("code") not in side.codes:
        raise SystemExit(f"{' '.join(map(str, side.command))} failed:\n{done.stderr[-2000:]}")
    return Usage(**found, output=done.stdout)


def interleave(sides: Mapping[str, Side], *, runs: int, warmups: int = 1) -> dict[str, list[Usage]]:
    """Run all sides in turns, every second turn backwards; the first ``warmups`` do not count."""
    found: dict[str, list[Usage]] = {name: [] for name in sides}
    for turn in range(warmups + runs):
        names = list(sides)
        for name in names if turn % 2 == 0 else reversed(names):
            usage = run(sides[name])
            if turn >= warmups:
                found[name].append(usage)
    return found


def wall(usages: Sequence[Usage]) -> list[float]:
    """Seconds of each run by the clock."""
    return [usage.wall_seconds for usage in usages]


def cpu(usages: Sequence[Usage]) -> list[float]:
    """Processor seconds of each run, all threads together."""
    return [usage.cpu_seconds for usage in usages]


def peak_mb(usages: Sequence[Usage]) -> list[float]:
    """Peak resident memory of each run in MB (10^6 bytes)."""
    return [usage.peak_bytes / 1e6 for usage in usages]

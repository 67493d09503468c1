"""The rows of all measurements as one table, as JSON and as a picture."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import machine
from tests.benchmarks.measure import Row, Spread

Facts = dict[str, str | int | float]
WIDE_COLUMNS = 200


def print_table(rows: Sequence[Row], facts: Facts) -> None:
    """One table on standard output, the machine under it."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE_COLUMNS)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("what", overflow="fold")
    table.add_column("against", overflow="fold")
    for name in ("ours", "theirs", "ratio", "min-max", "asked for"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*cells(row), style="red" if row.met is False else "")
    console.print(table)
    console.print(machine.sentence(facts), style="dim", highlight=False)


def cells(row: Row) -> tuple[str, ...]:
    """A row as seven texts."""
    sign = "x" if row.ratio else f" {row.unit}"
    asked = ""
    if row.asked:
        verdict = "yes" if row.met else "no"
        asked = f"{row.asked.sign} {row.asked.value:g}{sign} {verdict}"
    spread = row.ratio or row.ours
    return (
        row.what,
        row.against,
        f"{_number(row.ours.median)} {row.unit}",
        f"{_number(row.theirs.median)} {row.unit}" if row.theirs else "",
        f"{_number(row.ratio.median)}x" if row.ratio else "",
        f"{_number(spread.lowest)}-{_number(spread.highest)}" if _varies(spread) else "",
        asked,
    )


def write_json(
    path: Path, rows: Sequence[Row], facts: Facts, *, options: Mapping[str, Any]
) -> None:
    """Everything, for machines."""
    content = {
        "machine": facts,
        "options": dict(options),
        "rows": [dataclasses.asdict(row) | {"met": row.met} for row in rows],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def draw(path: Path, rows: Sequence[Row]) -> None:
    """How many times faster or smaller than the other side, with what was asked for as a line.

    Raises:
        ModuleNotFoundError: matplotlib is not here (the extra ``train``).
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    # Against another tool, or against a promise; c2v against itself at another size is no gain.
    drawn = [row for row in rows if row.ratio and (row.is_speed or row.asked)]
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.42 * len(drawn)), layout="constrained")
    for place, row in enumerate(reversed(drawn)):
        assert row.ratio is not None
        gain = row.ratio.median if row.is_speed else 1 / row.ratio.median
        axes.barh(place, gain, color="#c44e52" if row.met is False else "#4c72b0")
        axes.text(gain, place, f" {gain:.3g}x", va="center", fontsize=8)
        if row.asked:
            wanted = row.asked.value if row.is_speed else 1 / row.asked.value
            axes.plot([wanted, wanted], [place - 0.45, place + 0.45], color="black")
    labels = [f"{row.what}\nagainst {row.against}" for row in reversed(drawn)]
    axes.set_yticks(range(len(drawn)), labels, fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("times better than the other side (black line: asked for)")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _varies(spread: Spread) -> bool:
    return spread.lowest != spread.highest


def _number(value: float) -> str:
    """Three significant digits, no exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = max(0, 3 - len(str(int(abs(value)))) if abs(value) >= 1 else 3)
    return f"{value:.{digits}f}"

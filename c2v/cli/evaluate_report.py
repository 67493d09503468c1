"""What ``c2v evaluate`` prints: tables side by side, JSON, or CSV."""

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

from c2v.cli.render import print_csv, print_json, print_json_lines
from c2v.cli.session import Session

if TYPE_CHECKING:
    from rich.table import Table

    from c2v.evaluation.published import PublishedRow
    from c2v.evaluation.retrieval import Evaluation

PAPERS = {"clip4clip": "CLIP4Clip", "clip2video": "CLIP2Video"}
METRICS = ("R@1", "R@5", "R@10", "R@50", "MdR", "MnR")
MOST_LISTED = 20
ROOMY_COLUMNS = 100
"""A terminal narrower than this shows intervals in a line of their own."""
ANOTHER_WAY = "measured another way"
DIRECTIONS = {
    "text_to_video": "text to video",
    "video_to_text": "video to text",
    "video_to_text_by_caption": "video to text, all captions as candidates",
}


class ReportFormat(str, Enum):
    """Output formats of an evaluation."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def print_report(
    session: Session, results: "list[Evaluation]", published: "tuple[PublishedRow, ...]",
    style: ReportFormat,
) -> None:  # fmt: skip
    """Print what was measured: one result a model."""
    if style is ReportFormat.JSON:
        print_json(_as_dict(results, published))
    elif style is ReportFormat.JSONL:
        print_json_lines(result.as_dict() for result in results)
    elif style is ReportFormat.CSV:
        intervals = [f"{name}_{end}" for name in METRICS[:4] for end in ("low", "high")]
        print_csv(
            ("model", "protocol", "normalize", "direction", *METRICS, *intervals),
            _csv_rows(results),
        )
    else:
        _print_tables(session, results, published)
    _say_what_was_measured(session, results[0], table=style is ReportFormat.TABLE)
    if style is ReportFormat.TABLE:
        _say_what_compares(session, results[0], published)


def _as_dict(results: "list[Evaluation]", published: "tuple[PublishedRow, ...]") -> dict[str, Any]:
    """The first model's result at the top, all of them under ``models``."""
    content = results[0].as_dict()
    if len(results) > 1:
        content["models"] = [result.as_dict() for result in results]
    if published:
        protocol = results[0].protocol
        content["published"] = [
            {**row.as_dict(), "measured_another_way": not row.is_measured_like(protocol)}
            for row in published
        ]
    return content


def _csv_rows(results: "list[Evaluation]") -> Iterator[list[object]]:
    for result in results:
        content = result.as_dict()
        for direction in DIRECTIONS:
            figures = content[direction]
            bounds = result.intervals.get(direction, {})
            row: list[object] = [result.model, result.protocol, result.normalize, direction]
            row += [f"{figures[name]:.4f}" for name in METRICS]
            for name in METRICS[:4]:
                row += [f"{end:.4f}" for end in bounds[name]] if name in bounds else ["", ""]
            yield row


def _print_tables(
    session: Session, results: "list[Evaluation]", published: "tuple[PublishedRow, ...]"
) -> None:
    several = results[0].several_captions
    for key, title in DIRECTIONS.items():
        if key == "video_to_text_by_caption" and not several:
            continue  # the same as the one before
        if key == "video_to_text" and several:
            title += ", best caption of each video"
        if key != "text_to_video":
            session.out.print()
        rows = () if key == "video_to_text_by_caption" else published
        session.out.print(title, style="bold")
        session.out.print(_table(session, key, results, rows))


def _table(
    session: Session, key: str, results: "list[Evaluation]", published: "tuple[PublishedRow, ...]"
) -> "Table":
    from rich.table import Table

    roomy = session.out.width >= ROOMY_COLUMNS
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    for name in METRICS:
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        figures, bounds = result.as_dict()[key], result.intervals.get(key, {})
        label = result.model + ("" if result.normalize == "none" else f" + {result.normalize}")
        spans = {name: f"{low:.0f}-{high:.0f}" for name, (low, high) in bounds.items()}
        cells = [f"{figures[name]:.1f}" for name in METRICS]
        if spans and not roomy:
            table.add_row(label, *cells)
            table.add_row("  95 %", *(spans.get(name, "") for name in METRICS), style="dim")
        else:
            pairs = zip(cells, METRICS, strict=True)
            table.add_row(label, *(_with(cell, spans.get(name)) for cell, name in pairs))
    for row in sorted(published, key=lambda row: not row.is_measured_like(results[0].protocol)):
        known = row.as_dict()[key]
        if known is not None:
            cells = ["-" if known.get(name) is None else f"{known[name]:.1f}" for name in METRICS]
            label = f"{row.model} ({row.source})"
            if not row.is_measured_like(results[0].protocol):
                label = f"{ANOTHER_WAY}: {label}"
            table.add_row(label, *cells, style="dim")
    return table


def _with(cell: str, span: str | None) -> str:
    return cell if span is None else f"{cell} [{span}]"


def _say_what_compares(
    session: Session, first: "Evaluation", published: "tuple[PublishedRow, ...]"
) -> None:
    others = sorted({row.protocol for row in published if not row.is_measured_like(first.protocol)})
    if others:
        session.notice(
            f"published rows that were {ANOTHER_WAY} looked at other frames of the videos; to "
            f"measure like them: --protocol {' or '.join(others)}"
        )


def _say_what_was_measured(session: Session, first: "Evaluation", *, table: bool) -> None:
    note = f"{first.texts:,} texts, {first.videos:,} videos"
    if table:
        note += "; ranges: 95 % by bootstrap over videos"
    if first.protocol != "library":
        note += f"; frames, pictures and words as in {PAPERS[first.protocol]}"
    if first.normalize == "dual-softmax":
        note += "; dual softmax over all queries of the test: not what a single search gives"
    elif first.normalize == "qb-norm":
        note += "; text to video with QB-Norm against a bank of captions, video to text without"
    session.notice(note)
    if tied := first.scores.tied:
        session.notice(
            f"{tied:,} texts score another video exactly as high as their own: that counts as found"
        )
    for missing in first.missing[:MOST_LISTED]:
        session.notice(f"skipped, {missing.reason}: {missing.path}")
    if len(first.missing) > MOST_LISTED:
        session.notice(f"and {len(first.missing) - MOST_LISTED} more skipped")

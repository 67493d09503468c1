"""What ``c2v evaluate`` prints: tables side by side, JSON, or CSV."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from c2v.cli.render import MOST_LISTED, FigureFormat, new_table, show
from c2v.cli.session import Session

if TYPE_CHECKING:
    from rich.table import Table

    from c2v.evaluation.published import PublishedRow
    from c2v.evaluation.retrieval import Evaluation
    from c2v.services.reports import Comparison

_PAPERS = {"clip4clip": "CLIP4Clip", "clip2video": "CLIP2Video"}
_METRICS = ("R@1", "R@5", "R@10", "R@50", "MdR", "MnR")
_ROOMY_COLUMNS = 100
"""A terminal narrower than this shows intervals in a line of their own."""
_ANOTHER_WAY = "measured another way"
_DIRECTIONS = {
    "text_to_video": "text to video",
    "video_to_text": "video to text",
    "video_to_text_by_caption": "video to text, all captions as candidates",
}


_INTERVALS = tuple(f"{name}_{end}" for name in _METRICS[:4] for end in ("low", "high"))
_COLUMNS = ("model", "protocol", "normalize", "direction", *_METRICS, *_INTERVALS)


def print_report(session: Session, found: "Comparison", style: FigureFormat) -> None:
    """Print what was measured: one result a model."""
    first, rows = found[0], found.published
    show(
        style,
        whole=found.as_dict,
        table=lambda: _print_tables(session, found, rows),
        rows=lambda: _csv_rows(found) if style is FigureFormat.CSV else _json_lines(found),
        columns=_COLUMNS,
    )
    _say_what_was_measured(session, first, table=style is FigureFormat.TABLE)
    if style is FigureFormat.TABLE:
        _say_what_compares(session, first, rows)


def _json_lines(results: "Sequence[Evaluation]") -> Iterator[dict[str, Any]]:
    return (result.as_dict() for result in results)


def _csv_rows(results: "Sequence[Evaluation]") -> Iterator[dict[str, Any]]:
    """One a model and direction."""
    for result in results:
        content = result.as_dict()
        for direction in _DIRECTIONS:
            figures, bounds = content[direction], result.intervals.get(direction, {})
            row = {"model": result.model, "protocol": result.protocol}
            row |= {"normalize": result.normalize, "direction": direction}
            row |= {name: f"{figures[name]:.4f}" for name in _METRICS}
            row |= dict.fromkeys(_INTERVALS, "")
            for name, (low, high) in bounds.items():
                row |= {f"{name}_low": f"{low:.4f}", f"{name}_high": f"{high:.4f}"}
            yield row


def _print_tables(
    session: Session, results: "Sequence[Evaluation]", published: "tuple[PublishedRow, ...]"
) -> None:
    several = results[0].several_captions
    for key, title in _DIRECTIONS.items():
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
    session: Session,
    key: str,
    results: "Sequence[Evaluation]",
    published: "tuple[PublishedRow, ...]",
) -> "Table":
    roomy = session.out.width >= _ROOMY_COLUMNS
    number = {"justify": "right", "no_wrap": True}
    table = new_table("model", *((name, number) for name in _METRICS))
    for result in results:
        figures, bounds = result.as_dict()[key], result.intervals.get(key, {})
        label = result.model + ("" if result.normalize == "none" else f" + {result.normalize}")
        spans = {name: f"{low:.0f}-{high:.0f}" for name, (low, high) in bounds.items()}
        cells = [f"{figures[name]:.1f}" for name in _METRICS]
        if spans and not roomy:
            table.add_row(label, *cells)
            table.add_row("  95 %", *(spans.get(name, "") for name in _METRICS), style="dim")
        else:
            pairs = zip(cells, _METRICS, strict=True)
            table.add_row(label, *(_with(cell, spans.get(name)) for cell, name in pairs))
    for row in sorted(published, key=lambda row: not row.is_measured_like(results[0].protocol)):
        known = row.as_dict()[key]
        if known is not None:
            cells = ["-" if known.get(name) is None else f"{known[name]:.1f}" for name in _METRICS]
            label = f"{row.model} ({row.source})"
            if not row.is_measured_like(results[0].protocol):
                label = f"{_ANOTHER_WAY}: {label}"
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
            f"published rows that were {_ANOTHER_WAY} looked at other frames of the videos; to "
            f"measure like them: --protocol {' or '.join(others)}"
        )
    if published and first.missing:
        left = len(first.missing)
        session.notice(
            f"published rows rank all {first.videos + left:,} videos; with {left:,} missing the "
            "others are easier to tell apart"
        )


def _say_what_was_measured(session: Session, first: "Evaluation", *, table: bool) -> None:
    note = f"{first.texts:,} texts, {first.videos:,} videos"
    if table:
        note += "; ranges: 95 % by bootstrap over videos"
    if first.protocol != "library":
        note += f"; frames, pictures and words as in {_PAPERS[first.protocol]}"
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

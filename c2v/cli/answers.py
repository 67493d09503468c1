"""The answer to a search, as a table, as rows, and what is said beside it."""

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from c2v.cli.render import (
    RANK,
    SCORE,
    Format,
    clock,
    damaged_line,
    file_link,
    new_table,
    score_cell,
    short_path,
    show,
)
from c2v.cli.said import flat, has_said, line_beneath, with_said

if TYPE_CHECKING:
    from rich.text import Text

    from c2v.cli.session import Session
    from c2v.search.results import Answer, Moment

ANSWER_COLUMNS = ("rank", "path", "score", "confidence", "start", "end", "best", "duration")
_ROOMY_COLUMNS = 80
"""A terminal narrower than this shows no bars and no spans, so that paths stay readable."""


def print_answer(
    session: "Session", answer: "Answer", style: Format, *, all_rows: bool = False
) -> None:
    """The moments of one search; the weak ones only as data, or where ``all_rows`` are wanted."""
    shown = answer.shown(all_rows=all_rows)
    has_all_rows = style.value in ("json", "jsonl")
    show(
        style,
        whole=answer.as_dict,
        table=lambda: _print_answer_table(session, answer, shown),
        rows=lambda: [
            flat(one) if style is Format.CSV else one.as_dict()
            for one in (answer if has_all_rows else shown)
        ],
        columns=with_said(ANSWER_COLUMNS, said=has_said(answer)),
        paths=dict.fromkeys(moment.path for moment in shown),
        file=lambda: _as_file(session, answer, shown, style),
    )
    if has_all_rows:
        return  # they say "matched"
    if not answer.matched or (style is Format.TABLE and len(shown) < len(answer)):
        session.notice(weak_line(answer, all_rows=all_rows))


def print_alone(
    session: "Session", answer: "Answer", style: Format, *, all_rows: bool, explain: bool
) -> None:
    """The answer to the one question of a command, and what stands beside it."""
    print_answer(session, answer, style, all_rows=all_rows)
    if explain:
        shown = answer.shown(all_rows=all_rows)
        _print_explanation(session, answer, shown)
    print_damage(session, answer.left_out)


def _print_explanation(session: "Session", answer: "Answer", shown: "Sequence[Moment]") -> None:
    """How an answer was found, beside it; of the moments that are shown, for which words."""
    if answer.explanation is None:
        session.notice("ranked by BM25 over the lines of subtitles; no encoder was asked")
        return
    for line in answer.explanation.lines(answer.strategy, answer.bar):
        session.notice(line)
    if answer.explanation.words and shown and not session.quiet:
        from c2v.cli.word_table import word_table

        both = zip(answer.results, answer.explanation.words, strict=True)
        session.err.print(word_table(pair for pair in both if pair[0] in shown))


def _as_file(
    session: "Session", answer: "Answer", shown: "Sequence[Moment]", style: Format
) -> bytes:
    from c2v.services.exporting import exported

    return exported(shown, style.value, title=answer.query, on_problem=session.problem)  # type: ignore[arg-type]


def weak_line(answer: "Answer", *, all_rows: bool) -> str:
    """What of an answer is too weak to be a match, in words."""
    query, rows = f'"{answer.query}"', len(answer) - len(answer.matching)
    if not answer:
        return f"nothing here matches {query}{passed_filters(answer)}"
    weak = f"{rows} weak row{'' if rows == 1 else 's'}"
    if answer.matched:
        return f"{weak} left out; --all shows {'it' if rows == 1 else 'them'}"
    first = answer[0]
    line = f"nothing here matches {query}; closest: {short_path(first.path)} at "
    line += f"{clock(first.best)} ({first.confidence:.2f})"
    return line if all_rows else f"{line}; --all shows {weak}"


def _print_answer_table(session: "Session", answer: "Answer", shown: "Sequence[Moment]") -> None:
    if shown:
        _print_moments(session, shown, answer.bar)
        _tell_of_missing(session, shown)
    if answer:
        session.notice(
            f"{answer.model}, {answer.strategy}, {answer.elapsed_ms:.0f} ms, "
            f"library {answer.library}{passed_filters(answer)}"
        )


def _print_moments(session: "Session", shown: "Sequence[Moment]", bar: float) -> None:
    roomy = session.out.width >= _ROOMY_COLUMNS
    table = new_table(
        RANK,
        ("file", {"overflow": "fold", "ratio": 1 if session.out.is_terminal else None}),
        ("best", {"justify": "right", "style": "cyan", "no_wrap": True}),
        *([("start-end", {"justify": "right", "style": "dim", "no_wrap": True})] if roomy else []),
        SCORE,
    )
    for moment in shown:
        score = score_cell(moment.score, moment.confidence if roomy else None, of=1.0)
        if moment.confidence < bar:
            score.append(" weak", style="dim")
        span = [_span(moment)] if roomy else []
        table.add_row(
            str(moment.rank),
            _file_cell(moment),
            clock(moment.best),
            *span,
            score,
            style="dim" if moment.missing else None,
        )
    session.out.print(table)


def _file_cell(moment: "Moment") -> "Text":
    file = file_link(moment.path, missing=moment.missing)
    if moment.said is None:
        return file
    return line_beneath(file, moment, time=clock(moment.said.start_seconds))


def passed_filters(answer: "Answer") -> str:
    """How many videos were searched, where not all were."""
    if answer.passed is None:
        return ""
    passed = answer.passed if answer.passed else "none"
    return f"; {passed} of {answer.videos} videos passed the filters"


def _tell_of_missing(session: "Session", shown: "Sequence[Moment]") -> None:
    """What can be done about rows whose files are not there."""
    first = next((moment.path for moment in shown if moment.missing), None)
    if first is not None:
        folder = shlex.quote(os.path.dirname(first))  # noqa: PTH120
        session.notice(
            "missing: not at that path now; index the folder it was moved to, or forget what is "
            f"gone: c2v index {folder} --prune{session.library_option}"
        )


def print_damage(session: "Session", left_out: Sequence[str]) -> None:
    """One line when a search left out what is damaged in the library."""
    if left_out:
        again = f"read again: c2v index {shlex.quote(left_out[0])}{session.library_option}"
        what = f"are damaged in the library and left out; {again}"
        session.problem(damaged_line(left_out, what))


def _span(moment: "Moment") -> str:
    return f"{clock(moment.start)}-{clock(moment.end)}"

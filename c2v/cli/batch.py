"""``c2v search --batch``: many queries, one a line, answered from one warm process."""

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from c2v.cli.answers import ANSWER_COLUMNS, print_answer, print_damage
from c2v.cli.consent import interactive
from c2v.cli.render import Format, json_text, let_any_name_pass, print_json_lines
from c2v.cli.said import flat, with_said
from c2v.cli.session import Session
from c2v.errors import EXIT_OK, EXIT_PARTIAL, DataError
from c2v.files.reading import open_input

if TYPE_CHECKING:
    from c2v.search.results import Answer
    from c2v.services.video_library import VideoLibrary
    from c2v.services.wanted import Wanted

Show = Callable[["Answer"], None]


def answer_batch(
    session: Session,
    videos: "VideoLibrary",
    source: Path,
    wanted: "Wanted",
    style: Format,
    *,
    all_rows: bool = False,
) -> int:
    """Answer every line of ``source`` (``-`` is standard input) in its order; the exit code.

    Answers are printed and flushed before more is read.
    """
    bad: list[int] = []

    def complain(number: int, reason: str) -> None:
        bad.append(number)
        session.problem(f"line {number} was left out: {reason}")

    answer = None
    with _opened(source) as stream:
        groups = videos.search_lines(stream, on_bad=complain, **wanted)
        if str(source) == "-" and interactive():
            session.notice("a query a line; Ctrl-D ends")
        said = wanted.get("said") is not None
        with _printing(session, style, all_rows=all_rows, said=said) as show:
            for answers in groups:
                for answer in answers:
                    show(answer)
                sys.stdout.flush()
    if answer is not None:
        print_damage(session, answer.left_out)
    return EXIT_PARTIAL if bad else EXIT_OK


def _opened(source: Path) -> BufferedReader:
    try:
        return open_input(source)
    except OSError as error:
        raise DataError(
            f"--batch {source}: {error.strerror}", hint="give a text file, a query a line, or -"
        ) from error


@contextmanager
def _printing(session: Session, style: Format, *, all_rows: bool, said: bool) -> Iterator[Show]:
    """How an answer is shown, and what stands before the first and after the last of them."""
    if style is Format.JSON:
        count = 0

        def show(answer: "Answer") -> None:
            nonlocal count
            start = ",\n" if count else "[\n"
            count += 1  # before it is written: Ctrl-C may come in between
            sys.stdout.write(start + json_text(answer.as_dict(), indent=2))

        try:
            yield show
        finally:  # what was answered before Ctrl-C is whole JSON, too
            sys.stdout.write("\n]\n" if count else "[]\n")
    elif style is Format.CSV:
        let_any_name_pass()
        rows = csv.writer(sys.stdout, lineterminator="\n")
        columns = with_said(ANSWER_COLUMNS, said=said)
        rows.writerow(("query", *columns))
        yield lambda answer: rows.writerows(
            [answer.query, *(flat(moment)[name] for name in columns)]
            for moment in answer.shown(all_rows=all_rows)
        )
    elif style is Format.JSONL:
        yield lambda answer: print_json_lines([answer.as_dict()])
    elif style is Format.TABLE:
        yield lambda answer: _show_table(session, answer, all_rows=all_rows)
    else:
        yield lambda answer: print_answer(session, answer, style, all_rows=all_rows)


def _show_table(session: Session, answer: "Answer", *, all_rows: bool) -> None:
    """The query above its table, an empty line below."""
    session.out.print(answer.query, style="bold", soft_wrap=True)
    print_answer(session, answer, Format.TABLE, all_rows=all_rows)
    session.out.print()

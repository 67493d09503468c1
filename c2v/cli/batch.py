"""``c2v search --batch``: many queries, one a line, answered from one warm process."""

import csv
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from c2v.cli.consent import interactive
from c2v.cli.render import (
    ANSWER_COLUMNS,
    Format,
    answer_as_dict,
    json_text,
    let_any_name_pass,
    print_answer,
    print_json_lines,
)
from c2v.cli.session import Session
from c2v.errors import EXIT_OK, EXIT_PARTIAL, DataError
from c2v.files import open_input

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.library import Store
    from c2v.search.ranking import SearchOptions
    from c2v.search.results import Answer

Show = Callable[["Answer"], None]


def answer_batch(
    session: Session,
    source: Path,
    library: "Store",
    bundle: "Bundle",
    options: "SearchOptions",
    style: Format,
) -> int:
    """Answer every line of ``source`` (``-`` is standard input) in its order; the exit code.

    What has arrived together is embedded and ranked together, printed and flushed, before more is
    read: whoever writes a line and waits gets its answer.
    """
    from c2v.search.lines import query_groups
    from c2v.search.ranking import find_all, text_queries

    bad: list[int] = []

    def complain(number: int, reason: str) -> None:
        bad.append(number)
        session.problem(f"line {number} was left out: {reason}")

    if str(source) == "-" and interactive():
        session.notice("a query a line; Ctrl-D ends")
    with _opened(source) as stream, _printing(session, style) as show:
        warm = _WarmWhenIdle(stream, library.warm)
        for texts in query_groups(stream, on_bad=complain, before_read=warm):
            for answer in find_all(library, bundle, text_queries(bundle, texts), options):
                show(answer)
            sys.stdout.flush()
    if library.slower_because:
        session.notice(library.slower_because)
    return EXIT_PARTIAL if bad else EXIT_OK


class _WarmWhenIdle:
    """Loads what makes later answers fast, once, when there is time: while nobody waits.

    That is after the first answer, while no more input has come; loading the graph of a million
    segments takes seconds, which a single question need not wait for.
    """

    def __init__(self, stream: BufferedReader, warm: Callable[[], None]) -> None:
        self._stream = stream
        self._warm = warm
        self._reads = 0

    def __call__(self) -> None:
        self._reads += 1
        # Windows can only ask sockets whether something has come.
        if self._reads == 2 and os.name == "posix":
            ready, _, _ = select.select([self._stream], [], [], 0)
            if not ready:
                self._warm()


def _opened(source: Path) -> BufferedReader:
    try:
        return open_input(source)
    except OSError as error:
        raise DataError(
            f"--batch {source}: {error.strerror}", hint="give a text file, a query a line, or -"
        ) from error


@contextmanager
def _printing(session: Session, style: Format) -> Iterator[Show]:
    """How an answer is shown, and what stands before the first and after the last of them."""
    if style is Format.JSON:
        count = 0

        def show(answer: "Answer") -> None:
            nonlocal count
            start = ",\n" if count else "[\n"
            count += 1  # before it is written: Ctrl-C may come in between
            sys.stdout.write(start + json_text(answer_as_dict(answer), indent=2))

        try:
            yield show
        finally:  # what was answered before Ctrl-C is whole JSON, too
            sys.stdout.write("\n]\n" if count else "[]\n")
    elif style is Format.CSV:
        let_any_name_pass()
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(("query", *ANSWER_COLUMNS))
        yield lambda answer: rows.writerows(
            [answer.query, *(result[name] for name in ANSWER_COLUMNS)]
            for result in answer_as_dict(answer)["results"]
        )
    elif style is Format.JSONL:
        yield lambda answer: print_json_lines([answer_as_dict(answer)])
    elif style is Format.TABLE:
        yield lambda answer: _show_table(session, answer)
    else:
        yield lambda answer: print_answer(session, answer, style)


def _show_table(session: Session, answer: "Answer") -> None:
    """The query above its table, an empty line below."""
    session.out.print(answer.query, style="bold", soft_wrap=True)
    print_answer(session, answer, Format.TABLE)
    session.out.print()

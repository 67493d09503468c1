"""Many questions out of a file or a pipe, one a line, answered from one warm library."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import TYPE_CHECKING

from c2v.search.lines import query_groups

if TYPE_CHECKING:
    from c2v.search.results import Answer


def answer_lines(
    source: BufferedReader,
    search_many: Callable[[list[str]], list[Answer]],
    *,
    warm: Callable[[], None],
    on_bad: Callable[[int, str], None],
) -> Iterator[list[Answer]]:
    """The answers to the lines of ``source`` in their order, in groups.

    What has arrived together is embedded and ranked together, and given, before more is read:
    whoever writes a line and waits gets its answer.

    Args:
        source: UTF-8, a question a line.
        search_many: answers some questions.
        warm: makes later answers fast; called once there is time for it.
        on_bad: told the number (from 1) of each line that is no text, and why.
    """
    when_idle = _WarmWhenIdle(source, warm)
    for texts in query_groups(source, on_bad=on_bad, before_read=when_idle):
        yield search_many(texts)


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

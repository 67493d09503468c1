"""Many questions out of a file or a pipe, one a line, answered from one warm library."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import TYPE_CHECKING

from c2v.search.lines import query_groups
from c2v.services.searching import search_texts

if TYPE_CHECKING:
    from c2v.search.results import Answer
    from c2v.services.wanted import Wanted
    from c2v.services.workspace import Workspace


def answer_lines(
    space: Workspace,
    source: BufferedReader,
    wanted: Wanted,
    *,
    on_bad: Callable[[int, str], None],
) -> Iterator[list[Answer]]:
    """The answers to the lines of ``source`` in their order, in groups.

    What has arrived together is embedded and ranked together, and given, before more is read:
    whoever writes a line and waits gets its answer.

    Args:
        space: the library that is searched.
        source: UTF-8, a question a line.
        wanted: what of each ranking is wanted.
        on_bad: told the number (from 1) of each line that is no text, and why.
    """
    space.encoder()  # what is wrong with the library is said before anything is read
    when_idle = _WarmWhenIdle(source, space.store.warm)
    groups = query_groups(source, on_bad=on_bad, before_read=when_idle)
    return (search_texts(space, texts, wanted) for texts in groups)


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

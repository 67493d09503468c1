"""Queries out of a file or a stream, one a line, as soon as they are there."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import Protocol

READ_BYTES = 1 << 16
QUERIES_AT_ONCE = 64
"""Queries embedded and ranked together: more gain little and make the first wait for the last."""


class Source(Protocol):
    """A buffered binary stream."""

    def read1(self, size: int, /) -> bytes:
        """At least one byte and at most ``size``, as soon as there are any; none at the end."""


def query_groups(
    source: Source,
    *,
    on_bad: Callable[[int, str], None],
    before_read: Callable[[], None] = lambda: None,
) -> Iterator[list[str]]:
    """The queries of ``source`` in groups of those that have arrived, at most 64 at a time.

    A pipe that somebody types into gives one line and waits; a file gives full groups. Blank
    lines are left out. UTF-8, with or without a byte order mark; lines end in LF or CRLF, the
    last one may lack it.

    Args:
        on_bad: called with the number (from 1) of each line that is no text, and why.
        before_read: called whenever all that came so far is answered, before waiting for more.
    """
    number = 0
    for lines in _arrived(source, before_read):
        queries = []
        for line in lines:
            number += 1
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            try:
                query = line.decode("utf-8").strip()
            except UnicodeDecodeError as error:
                on_bad(number, f"it is not UTF-8 text ({error.reason})")
                continue
            if query:
                queries.append(query)
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            yield queries[start : start + QUERIES_AT_ONCE]


def _arrived(source: Source, before_read: Callable[[], None]) -> Iterator[list[bytes]]:
    """Whole lines, those of one read together, without their ends."""
    rest: list[bytes] = []  # pieces of a line whose end has not come yet
    while True:
        before_read()
        chunk = source.read1(READ_BYTES)
        if not chunk:
            break
        head, end, tail = chunk.rpartition(b"\n")
        if not end:
            rest.append(chunk)
            continue
        yield b"".join([*rest, head]).split(b"\n")
        rest = [tail]
    last = b"".join(rest)
    if last:
        yield [last]

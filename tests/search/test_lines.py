"""Queries out of a stream: what arrives together goes together, and nothing waits for more."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2v.search.lines import QUERIES_AT_ONCE, query_groups


class Pieces:
    """A stream that gives its bytes in these pieces, and notes what was asked of it."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.reads = 0

    def read1(self, size: int, /) -> bytes:
        self.reads += 1
        assert all(len(piece) <= size for piece in self._pieces)
        return self._pieces.pop(0) if self._pieces else b""


def groups(*pieces: bytes) -> tuple[list[list[str]], list[int]]:
    bad: list[int] = []
    found = list(query_groups(Pieces(*pieces), on_bad=lambda number, _: bad.append(number)))
    return found, bad


def test_a_line_is_given_before_the_next_is_read() -> None:
    source = Pieces(b"one\n", b"two\n")
    found = query_groups(source, on_bad=pytest.fail)
    assert next(found) == ["one"]
    assert source.reads == 1
    assert next(found) == ["two"]


def test_what_arrives_together_goes_together() -> None:
    assert groups(b"one\ntwo\nth", b"ree\nfour") == ([["one", "two"], ["three"], ["four"]], [])


def test_many_lines_go_in_groups() -> None:
    lines = [f"query {number}" for number in range(2 * QUERIES_AT_ONCE + 5)]
    found, _ = groups("".join(line + "\n" for line in lines).encode())
    assert [len(group) for group in found] == [QUERIES_AT_ONCE, QUERIES_AT_ONCE, 5]
    assert [query for group in found for query in group] == lines


def test_blank_lines_ends_and_byte_order_mark() -> None:
    assert groups(b"\xef\xbb\xbfone\r\n\r\n  \n two \n\n") == ([["one", "two"]], [])
    assert groups(b"") == ([], [])
    assert groups(b"\n\n") == ([], [])


def test_a_line_that_is_no_text_is_named_and_left_out() -> None:
    assert groups(b"one\n\nb\xffd\ntwo\n\xc3", b"\xa9t\xc3\xa9\n") == (
        [["one", "two"], ["été"]],
        [3],
    )


def test_before_each_read_everything_is_answered() -> None:
    events: list[str] = []
    source = Pieces(b"one\n", b"two\n")
    found = query_groups(source, on_bad=pytest.fail, before_read=lambda: events.append("?"))
    for group in found:
        events.extend(group)
    assert events == ["?", "one", "?", "two", "?"]


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=20))
def test_how_the_bytes_are_cut_does_not_matter(content: bytes, cuts: list[int]) -> None:
    pieces, rest = [], content
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    whole, bad = groups(*([content] if content else []))
    parts, bad_again = groups(*[piece for piece in (*pieces, rest) if piece])
    assert [q for group in parts for q in group] == [q for group in whole for q in group]
    assert bad_again == bad


def test_a_real_buffered_stream_will_do() -> None:
    stream = io.BufferedReader(io.BytesIO(b"one\ntwo"))
    assert list(query_groups(stream, on_bad=pytest.fail)) == [["one"], ["two"]]

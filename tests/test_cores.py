"""Work shared out between threads: all of it once, and no error lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from c2v.cores import share_out, usable_cores


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_item_is_worked_on_once(threads: int) -> None:
    done: list[int] = []
    share_out(range(1000), done.append, threads=threads)
    assert sorted(done) == list(range(1000))


def test_items_are_worked_on_at_the_same_time() -> None:
    together = threading.Barrier(3)
    share_out(range(3), lambda _: together.wait(timeout=20), threads=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("error", [ValueError, StopIteration, KeyboardInterrupt])
def test_an_error_of_the_work_is_raised(threads: int, error: type[BaseException]) -> None:
    def work(item: int) -> None:
        if item == 7:
            raise error("seven")

    before = set(threading.enumerate())
    with pytest.raises(error, match="seven"):
        share_out(range(100), work, threads=threads)
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_the_items_is_raised(threads: int) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        share_out(items(), lambda _: None, threads=threads)


def test_there_is_a_core() -> None:
    assert usable_cores() >= 1

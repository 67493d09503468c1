"""The cores this process may use, and work shared out between them.

Threads help where the work lets go of Python's lock, as large NumPy operations do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def answer_on_one_core() -> None:
    """Let NumPy's products take one core; to be called before NumPy is loaded.

    The products of one short text are too small to gain from a second core (7.0 and 6.9 ms), and
    wait for it where others keep it busy: then a text took 23 to 54 ms on two, 7 on one.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def usable_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_out(items: Iterable[T], work: Callable[[T], None], *, threads: int) -> None:
    """Do ``work`` on every item on so many threads, this one included, each taking the next item.

    Whatever one of them raises is raised here, after all of them have ended.
    """
    left = iter(items)
    taking = threading.Lock()
    errors: list[BaseException] = []

    def next_items() -> Iterator[T]:
        while not errors:
            with taking:
                try:
                    item = next(left)
                except StopIteration:
                    return
            yield item

    def run() -> None:
        try:
            for item in next_items():
                work(item)
        except BaseException as error:
            errors.append(error)

    helpers = [threading.Thread(target=run, daemon=True) for _ in range(threads - 1)]
    for helper in helpers:
        helper.start()
    run()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]

"""The same bits from the same input, whatever the number of cores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread(seed: int = 0) -> Iterator[None]:
    """torch on one thread, because sums over another number of parts round differently.

    Its random numbers start from ``seed``. Threads and random state are put back afterwards.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)

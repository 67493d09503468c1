"""Several processes under torchrun: one global batch of negatives, the gradient of one process.

Every process embeds its share of a batch. The vectors of all are gathered, every process computes
the loss of the whole batch, and the backward pass of the gathering adds up what all processes
want of its share. Averaged over processes, the gradients are those of a single process.

Source: Radford et al. 2021 (CLIP), section 2.5, "gathering"; functional
collectives because ``torch.distributed.nn`` is deprecated.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch  # noqa: TID253
from torch import Tensor  # noqa: TID253

MEETING = datetime.timedelta(minutes=10)
"""For all processes to be there."""
PATIENCE = datetime.timedelta(days=1)
"""For one process to wait for another, which may be indexing. torchrun itself ends the others
when one of them dies."""

_TEXT_BYTES = 400


@dataclass(frozen=True, slots=True)
class Group:
    """This process among ``size`` that train together; alone it is number 0 of 1."""

    rank: int = 0
    size: int = 1
    attempt: int = 0
    """How often torchrun has started the workers anew."""

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This process's part of ``count`` things in a row; parts differ by one at most."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def gather(self, x: Tensor) -> Tensor:
        """Rows of all processes, in order of rank, with gradients: [n_r, ...] -> [sum n_r, ...]."""
        if self.size == 1:
            return x
        gathered: Tensor = _Gather.apply(x, self)
        return gathered

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace each gradient by its mean over processes."""
        if self.size == 1:
            return
        given = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in given])
        parts = torch.split(_sum(flat) / self.size, [gradient.numel() for gradient in given])
        for gradient, part in zip(given, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        if self.size == 1:
            return flag
        return bool(_sum(torch.tensor([float(flag)])).item() > 0)

    def same_weights(self, tensors: Iterable[Tensor]) -> None:
        """Give all processes the weights of the first one."""
        if self.size > 1:
            for tensor in tensors:
                torch.distributed.broadcast(tensor.detach(), src=0)

    def same_text(self, text: str) -> str:
        """The text of the first process, in all of them; up to 400 bytes."""
        if self.size == 1:
            return text
        row = torch.zeros(_TEXT_BYTES, dtype=torch.uint8)
        encoded = text.encode()
        row[: len(encoded)] = torch.tensor(list(encoded), dtype=torch.uint8)
        self.same_weights([row])
        return bytes(row.tolist()).rstrip(b"\0").decode()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            torch.distributed.barrier()


class _Gather(torch.autograd.Function):
    """Rows of all processes; backward: the sum over processes of what each wants of my rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        counts = _rows(len(x), group)
        longest = max(counts)
        mine = x.new_zeros((longest, *x.shape[1:]))
        mine[: len(x)] = x
        blocks = _all(mine).view(group.size, longest, *x.shape[1:])
        ctx.place = slice(sum(counts[: group.rank]), sum(counts[: group.rank + 1]))
        return torch.cat([block[:count] for block, count in zip(blocks, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _sum(gradient.contiguous())[ctx.place], None


def _rows(count: int, group: Group) -> list[int]:
    counts: list[int] = _all(torch.tensor([count])).tolist()
    assert len(counts) == group.size
    return counts


def _all(x: Tensor) -> Tensor:
    """[n, ...] of every process, one behind the other."""
    import torch.distributed._functional_collectives as collectives

    gathered = collectives.all_gather_tensor(x.contiguous(), 0, _everyone())
    return _ready(gathered)


def _sum(x: Tensor) -> Tensor:
    import torch.distributed._functional_collectives as collectives

    total = collectives.all_reduce(x, "sum", _everyone())
    return _ready(total)


def _ready(x: Any) -> Tensor:
    """A collective's result, once it is there."""
    import torch.distributed._functional_collectives as collectives

    done: Tensor = collectives.wait_tensor(x)  # type: ignore[no-untyped-call]
    return done


def _everyone() -> Any:
    return torch.distributed.group.WORLD


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The processes torchrun started, or this one alone.

    Keys of the rendezvous carry the number of the attempt: workers that are started again would
    otherwise read what those that were killed left behind, and hang.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "MASTER_ADDR" not in os.environ:
        yield Group()
        return
    attempt = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    rank = int(os.environ["RANK"])
    hosted = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    from torch._C._distributed_c10d import PrefixStore, TCPStore

    store = TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        size,
        is_master=rank == 0 and not hosted,
        timeout=MEETING,
    )
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",  # counts and flags are on the CPU
        store=PrefixStore(f"c2v/{attempt}", store),
        rank=rank,
        world_size=size,
        timeout=PATIENCE,
        device_id=device if on_gpu else None,
    )
    try:
        yield Group(rank, size, attempt)
    finally:
        torch.distributed.destroy_process_group()

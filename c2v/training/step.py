"""The gradient of one batch, however little of it fits into memory and however many share it.

Gradient caching (Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory
Limited Setup"): all vectors of the batch first, without activations; the gradient of the loss by
the vectors; then each micro-batch once more, with activations, its vectors' gradient put in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch  # noqa: TID253
from torch import Tensor  # noqa: TID253

from c2v.training.distributed import Group
from c2v.training.objective import batch_loss
from c2v.training.trainee import Draw, Parts, Trainee


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Videos of one step, and the texts of each, by number."""

    videos: tuple[int, ...]
    texts: tuple[tuple[int, ...], ...]

    def share(self, part: slice) -> PairBatch:
        """The part of one process."""
        return PairBatch(self.videos[part], self.texts[part])

    def pieces(self, size: int) -> Iterator[PairBatch]:
        """Micro-batches."""
        for start in range(0, len(self.videos), size):
            yield self.share(slice(start, start + size))

    @property
    def flat_texts(self) -> list[int]:
        return [text for texts in self.texts for text in texts]

    @property
    def owner(self) -> list[int]:
        """The place in ``videos`` of each text."""
        return [place for place, texts in enumerate(self.texts) for _ in texts]


@dataclass(frozen=True, slots=True)
class StepSettings:
    """What of the recipe a step needs."""

    micro_batch: int
    segments_a_video: int
    branch_weights: tuple[float, ...]
    autocast: bool = False


def backward(
    trainee: Trainee, batch: PairBatch, draw: Draw, settings: StepSettings, group: Group
) -> float:
    """Add the gradient of the whole batch to every parameter's ``grad``; returns the loss.

    With several processes each passes the whole batch and embeds its share of it.
    """
    mine = batch.share(group.share(len(batch.videos)))
    pieces = list(mine.pieces(settings.micro_batch))
    if len(pieces) == 1:
        texts, segments, place = _embed(trainee, mine, draw, settings)
        loss = _loss(trainee, batch, mine, texts, segments, place, settings, group)
        loss.backward()  # type: ignore[no-untyped-call]
    else:
        loss = _cached(trainee, batch, mine, pieces, draw, settings, group)
    group.average_gradients(trainee.module.parameters())
    return float(loss.detach())


def _cached(
    trainee: Trainee,
    batch: PairBatch,
    mine: PairBatch,
    pieces: Sequence[PairBatch],
    draw: Draw,
    settings: StepSettings,
    group: Group,
) -> Tensor:
    with torch.no_grad():
        done = [_embed(trainee, piece, draw, settings) for piece in pieces]
    parts = range(len(done[0][0]))
    texts = tuple(torch.cat([piece[0][p] for piece in done]).requires_grad_() for p in parts)
    segments = tuple(torch.cat([piece[1][p] for piece in done]).requires_grad_() for p in parts)
    place, first = [], 0
    for piece, part in zip(pieces, done, strict=True):
        place += [first + number for number in part[2]]
        first += len(piece.videos)
    loss = _loss(trainee, batch, mine, texts, segments, place, settings, group)
    loss.backward()  # type: ignore[no-untyped-call]
    at_text = at_segment = 0
    for piece in pieces:
        text, segment, _ = _embed(trainee, piece, draw, settings)
        rows, columns = len(text[0]), len(segment[0])
        gradients = [_rows(whole, at_text, rows) for whole in texts]
        gradients += [_rows(whole, at_segment, columns) for whole in segments]
        torch.autograd.backward([*text, *segment], gradients)
        at_text, at_segment = at_text + rows, at_segment + columns
    return loss


def _rows(whole: Tensor, start: int, count: int) -> Tensor:
    if whole.grad is None:
        return torch.zeros_like(whole[start : start + count])
    return whole.grad[start : start + count]


def _embed(
    trainee: Trainee, batch: PairBatch, draw: Draw, settings: StepSettings
) -> tuple[Parts, Parts, list[int]]:
    with _autocast(trainee, settings):
        texts = trainee.text_parts(batch.flat_texts, draw)
        segments, place = trainee.segment_parts(batch.videos, draw, most=settings.segments_a_video)
    return tuple(p.float() for p in texts), tuple(p.float() for p in segments), place


def _autocast(trainee: Trainee, settings: StepSettings) -> AbstractContextManager[Any]:
    if not settings.autocast:
        return nullcontext()
    return torch.autocast(trainee.log_scale.device.type, dtype=torch.bfloat16)


def _loss(
    trainee: Trainee,
    batch: PairBatch,
    mine: PairBatch,
    texts: Parts,
    segments: Parts,
    place: list[int],
    settings: StepSettings,
    group: Group,
) -> Tensor:
    """The loss of the whole batch, from this process's vectors and those of the others."""
    device = texts[0].device
    first = group.share(len(batch.videos)).start
    video = group.gather(torch.tensor([first + number for number in place], device=device))
    return batch_loss(
        [group.gather(part) for part in texts],
        [group.gather(part) for part in segments],
        owner=torch.tensor(batch.owner, device=device),
        video=video,
        videos=len(batch.videos),
        weights=settings.branch_weights,
        scale=trainee.log_scale.exp(),
    )

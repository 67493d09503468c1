"""A head that is being trained on stored features, and what a step asks of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253

from c2v.encoder.heads.base import HeadModule
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.heads.wti import lengthened
from c2v.training.objective import LARGEST_SCALE
from c2v.training.ragged import Ragged

Parts = tuple[Tensor, ...]


class Draw(NamedTuple):
    """What makes a random choice: seed and step. None of it depends on who computes what."""

    seed: int
    step: int

    def generator(self, kind: int, item: int) -> torch.Generator:
        """Random numbers of one item of one step, the same in every process and after a resume."""
        mixed = np.random.SeedSequence([self.seed, self.step, kind, item])
        return torch.Generator().manual_seed(int(mixed.generate_state(1, np.uint64)[0] >> 1))


class Trainee(Protocol):
    """Towers, head and temperature as the loop sees them; numbers stand for texts and videos."""

    @property
    def module(self) -> nn.Module: ...

    @property
    def settings(self) -> HeadSettings: ...

    @property
    def log_scale(self) -> nn.Parameter: ...

    def text_parts(self, texts: Sequence[int], draw: Draw | None) -> Parts:
        """Unit vectors [N, D] of each branch; ``draw`` is None outside of training.

        Of wti its parts, of one length whatever texts are asked for; so are those of segments.
        """
        ...

    def segment_parts(
        self, videos: Sequence[int], draw: Draw | None, *, most: int | None
    ) -> tuple[Parts, list[int]]:
        """Unit vectors [S, D] of each branch, and the place in ``videos`` of each segment."""
        ...


@dataclass(eq=False)
class Features:
    """Stage-1 features of texts and videos, and how they are disturbed while training."""

    tokens: Ragged
    frames: Ragged
    segments_of: list[list[int]]
    """The rows of ``frames`` that belong to each video."""
    noise: float
    """In standard deviations of the features."""

    def __post_init__(self) -> None:
        self.token_noise = self.noise * float(self.tokens.values.float().std())
        self.frame_noise = self.noise * float(self.frames.values.float().std())


class HeadTrainee(nn.Module):
    """A head over stored features: nothing is decoded, no tower runs."""

    def __init__(self, head: HeadModule, features: Features, *, scale: float) -> None:
        super().__init__()
        self.head = head
        self.log_scale = nn.Parameter(torch.tensor(math.log(min(scale, LARGEST_SCALE))))
        self.features = features

    @property
    def module(self) -> nn.Module:
        return self

    @property
    def settings(self) -> HeadSettings:
        return self.head.settings

    def text_parts(self, texts: Sequence[int], draw: Draw | None) -> Parts:
        tokens, mask = self.features.tokens.padded(self._rows(texts))
        if draw is not None:
            tokens = _disturbed(tokens, mask, self.features.token_noise, texts, draw, kind=0)
        parts = self.head.text_parts(tokens, mask.to(tokens.dtype))
        return self._alike(parts, self.features.tokens)

    def segment_parts(
        self, videos: Sequence[int], draw: Draw | None, *, most: int | None
    ) -> tuple[Parts, list[int]]:
        rows: list[int] = []
        place: list[int] = []
        for number, video in enumerate(videos):
            chosen = _some(self.features.segments_of[video], most, video, draw)
            rows += chosen
            place += [number] * len(chosen)
        frames, mask = self.features.frames.padded(self._rows(rows))
        if draw is not None:
            frames = _disturbed(frames, mask, self.features.frame_noise, rows, draw, kind=1)
        parts = self.head.video_parts(frames, mask.to(frames.dtype))
        return self._alike(parts, self.features.frames), place

    def _alike(self, parts: Parts, rows: Ragged) -> Parts:
        """The parts as long as if the longest row were among them, to be put beside others."""
        return lengthened(parts, rows.longest) if self.settings.interacts else parts

    def _rows(self, numbers: Sequence[int]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.long, device=self.features.frames.values.device)


def _some(segments: list[int], most: int | None, video: int, draw: Draw | None) -> list[int]:
    """All segments of a video, or so many of them, drawn anew each step."""
    if draw is None or most is None or len(segments) <= most:
        return segments
    order = torch.randperm(len(segments), generator=draw.generator(2, video))
    return sorted(segments[int(index)] for index in order[:most])


def _disturbed(
    x: Tensor, mask: Tensor, deviation: float, items: Sequence[int], draw: Draw, *, kind: int
) -> Tensor:
    """x + noise, of each item its own whatever batch it is in: [B, L, D]."""
    if deviation == 0:
        return x
    noise = torch.zeros(x.shape)
    for row, (item, length) in enumerate(zip(items, mask.sum(1).tolist(), strict=True)):
        shape = (int(length), x.shape[2])
        noise[row, : shape[0]] = torch.randn(shape, generator=draw.generator(kind, item))
    return x + deviation * noise.to(x.device)

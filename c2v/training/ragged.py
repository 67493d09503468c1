"""Rows of different length in one tensor: frames of segments, tokens of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch  # noqa: TID253
from numpy.typing import NDArray
from torch import Tensor  # noqa: TID253


class Ragged:
    """N sequences of D-wide vectors. ``values`` [sum of lengths, D], ``starts`` [N + 1]."""

    def __init__(self, rows: Sequence[NDArray[Any]], *, device: torch.device) -> None:
        lengths = [len(row) for row in rows]
        self.starts = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.long, device=device)
        self.values = torch.from_numpy(np.concatenate(list(rows))).to(device)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def longest(self) -> int:
        """The length of the longest sequence."""
        return int((self.starts[1:] - self.starts[:-1]).max())

    def padded(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Chosen sequences: rows [B] -> values [B, L, D] float32 (zero padded), mask [B, L]."""
        starts = self.starts[rows]
        lengths = self.starts[rows + 1] - starts
        steps = torch.arange(int(lengths.max()), device=rows.device)
        mask = steps < lengths[:, None]  # [B, L]
        where = torch.where(mask, starts[:, None] + steps, 0)
        values = self.values[where].float() * mask.unsqueeze(-1)
        return values, mask

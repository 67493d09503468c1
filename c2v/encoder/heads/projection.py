"""A trainable linear layer on features that begins as no layer at all."""

from __future__ import annotations

import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253


class ResidualProjection(nn.Module):
    """x + x A + b, with A = 0 and b = 0 at first: exactly x.

    It lets towers that cannot be trained (or are not) be bent towards new data; weight decay pulls
    it back to what the towers said. [..., D] -> [..., D].
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width, width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return x + x @ self.weight + self.bias

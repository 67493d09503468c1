"""meanP, the head without parameters (CLIP4Clip, "parameter-free type")."""

from __future__ import annotations

from torch import Tensor  # noqa: TID253

from c2v.encoder.heads.base import HeadModule


class MeanP(HeadModule):
    """v = unit(mean_t unit(f_t)). Right for CLIP weights that nobody has fine-tuned."""

    def frames(self, features: Tensor, mask: Tensor) -> Tensor:
        return features

"""The Temporal Alignment Block (CLIP2Video, Fang et al. 2021, "Temporal Alignment Block").

K centres shared by frames and words. A token z_n gives itself to the centres by a softmax and
leaves there its distance from each; the K sums are brought to unit length and averaged:

    a_nk = softmax_k(z_n . W_k)
    r_k  = unit(sum_n m_n a_nk (z_n - C_k))
    e    = unit(mean_k r_k)
"""

from __future__ import annotations

import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253

from c2v.encoder.heads.base import positions_for, unit
from c2v.encoder.heads.blocks import TemporalTransformer
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.heads.tdb import TemporalDifferenceBlock

CENTER_STD = 64**-0.5


def words_only(mask: Tensor) -> Tensor:
    """The text mask without SOT (position 0); EOT stays: [N, L] -> [N, L].

    A text tower that gives one feature a text (L = 1) has no SOT: that feature stays.
    """
    if mask.shape[1] == 1:
        return mask
    return torch.cat([torch.zeros_like(mask[:, :1]), mask[:, 1:]], dim=1)


class TemporalAlignmentBlock(nn.Module):
    """Frames and words summed up over the same K centres."""

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__()
        width = settings.feature_dim
        self.projection = settings.center_proj
        self.weight_center = nn.Parameter(CENTER_STD * torch.randn(settings.centers, width))
        self.emb_center = nn.Parameter(CENTER_STD * torch.randn(settings.centers, width))
        if self.projection:
            self.actionClip = TemporalTransformer(
                width,
                layers=settings.action_layers,
                legacy_mask_order=settings.legacy_mask_order,
            )

    def aggregate(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens z [B, N, D] (not normalised), mask m [B, N] -> e [B, D], zero if all masked."""
        share = torch.softmax(tokens @ self.weight_center.T, dim=-1)  # a [B, N, K]
        share = share * mask.unsqueeze(-1)
        # sum_n a_nk (z_n - C_k) = sum_n a_nk z_n - C_k sum_n a_nk
        residual = share.transpose(1, 2) @ tokens  # [B, K, D]
        residual = residual - share.sum(dim=1).unsqueeze(-1) * self.emb_center
        return unit(unit(residual).mean(dim=1))

    def video_tokens(
        self, frames: Tensor, mask: Tensor, table: nn.Embedding, tdb: TemporalDifferenceBlock | None
    ) -> tuple[Tensor, Tensor]:
        """All raw frames, then every second one seen in its longer rhythm ("large step").

        [B, T, D], [B, T] -> [B, T + ceil(T/2), D], [B, T + ceil(T/2)]. With a `tdb` the sparse
        frames go through it (TAB_TDB), else through `actionClip` alone (TAB).
        """
        sparse, sparse_mask = frames[:, 0::2], mask[:, 0::2]
        if tdb is not None:
            seen = tdb(sparse, sparse_mask, table, self.actionClip)
        else:
            positions = positions_for(table, sparse.shape[1])
            seen = self.actionClip(sparse + positions, sparse_mask) + sparse
        return torch.cat([frames, seen], dim=1), torch.cat([mask, sparse_mask], dim=1)

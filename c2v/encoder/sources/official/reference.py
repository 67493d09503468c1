"""The reference models as one module: towers, head and the logits they give at inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253

from c2v.encoder.heads.base import HeadModule, sentence_feature
from c2v.encoder.heads.build import build_head
from c2v.encoder.heads.tight import TightTransf
from c2v.encoder.sources.official.keys import CLIP_PREFIX, infer, rename_old
from c2v.encoder.towers.clip_torch import Clip, ClipShape


class OfficialModel(nn.Module):
    """CLIP2Video or CLIP4Clip, fp32, scoring texts against videos as the reference does."""

    def __init__(self, clip: Clip, head: HeadModule) -> None:
        super().__init__()
        self.clip = clip
        self.head = head

    def encode_text(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Ids [N, L] -> token features [N, L, D] and the position of EOT, the largest id, [N]."""
        return self.clip.encode_tokens(input_ids), input_ids.argmax(dim=1)

    def encode_video(self, video: Tensor) -> Tensor:
        """Normalised pictures [B, T, 3, H, W] (also [B, 1, T, 1, 3, H, W]) -> [B, T, D]."""
        if video.ndim == 7:
            video = video[:, 0, :, 0]
        return self.clip.encode_clips(video.to(torch.float32))

    def similarity(
        self, tokens: Tensor, text_mask: Tensor, frames: Tensor, video_mask: Tensor, *, end: Tensor
    ) -> Tensor:
        """Logits [N, B] from features: exp(logit_scale) <t, v>; tightTransf has no scale."""
        text_mask, video_mask = text_mask.to(tokens.dtype), video_mask.to(frames.dtype)
        if isinstance(self.head, TightTransf):
            text = sentence_feature(tokens, text_mask, end)
            return self.head.score_matrix(text, frames, video_mask)
        text = self.head.text(tokens, text_mask, end=end)
        return self.clip.logit_scale.exp() * text @ self.head.video(frames, video_mask).T

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, video: Tensor, video_mask: Tensor
    ) -> Tensor:
        tokens, end = self.encode_text(input_ids)
        frames = self.encode_video(video)
        return self.similarity(tokens, attention_mask, frames, video_mask.flatten(1), end=end)

    @torch.no_grad()
    def score(
        self, input_ids: Tensor, attention_mask: Tensor, video: Tensor, video_mask: Tensor
    ) -> Tensor:
        """The logits of the reference at inference, texts in rows.

        `input_ids`, `attention_mask` [N, L]; `video` [B, T, 3, H, W] normalised; `video_mask`
        [B, T] -> [N, B].
        """
        logits: Tensor = self(input_ids, attention_mask, video, video_mask)
        return logits


def build_clip(shape: Mapping[str, Any], state: Mapping[str, Tensor]) -> Clip:
    """Towers of that shape from a checked official state dict (keys `clip.*`), in fp32."""
    with torch.device("meta"):
        clip = Clip(ClipShape(**shape))
    weights = {
        name: torch.as_tensor(state[CLIP_PREFIX + name]).to(torch.float32, copy=True)
        for name in clip.state_dict()
    }
    clip.load_state_dict(weights, assign=True)
    return clip.eval()


def from_official(
    state_dict: Mapping[str, Tensor],
    *,
    legacy_mask_order: bool = False,
    strict_difference_mask: bool = False,
    **settings: Any,
) -> OfficialModel:
    """A CLIP2Video or CLIP4Clip checkpoint as a torch module in evaluation mode.

    Sizes and configuration come from the keys. `settings` say what the keys cannot or should not
    tell, under the reference's names: `sim_type`, `temporal_type`, `temporal_proj`,
    `center_type`, `center_proj`, `center_weight` (0.5); `sim_header`, `linear_patch`. An unknown
    key, a missing one or a wrong shape is a ModelError that names it.
    """
    state = rename_old(state_dict)
    layout = infer(
        state,
        legacy_mask_order=legacy_mask_order,
        strict_difference_mask=strict_difference_mask,
        **settings,
    )
    return OfficialModel(build_clip(layout.clip, state), build_head(layout.head, state)).eval()

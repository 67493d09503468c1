"""The head of CLIP2Video: a global vector (TDB) and an aligned one (TAB)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn  # noqa: TID253

from c2v.encoder.heads.base import HeadModule, global_vector, positions_for, sentence_feature, unit
from c2v.encoder.heads.blocks import TemporalTransformer
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.heads.tab import TemporalAlignmentBlock, words_only
from c2v.encoder.heads.tdb import TemporalDifferenceBlock

_BLOCKS = ("tdb", "tab")


class Clip2Video(HeadModule):
    """s = w <t_g, v_g> + (1 - w) <t_a, v_a>.

    v_g = unit(mean_t unit(v_t)) with v_t from the TDB (or a plain temporal transformer, or the
    frames themselves), t_g the sentence feature; v_a and t_a from the TAB over raw frames and over
    words. `state_dict()` has the flat names of official checkpoints: the blocks' own names are
    left out on the way out and put back on the way in.
    """

    def __init__(self, settings: HeadSettings) -> None:
        super().__init__(settings)
        width = settings.feature_dim
        sequential = settings.sim_type == "seqTransf"
        aligned_in_time = settings.aligned and settings.center_proj != ""
        aligned_by_tdb = settings.aligned and settings.center_proj == "TAB_TDB"
        self.frame_position_embeddings: nn.Embedding | None = None
        self.transformerClip: TemporalTransformer | None = None
        self.tdb: TemporalDifferenceBlock | None = None
        self.tab: TemporalAlignmentBlock | None = None
        if sequential or aligned_in_time:
            self.frame_position_embeddings = nn.Embedding(settings.positions, width)
        if sequential:
            self.transformerClip = TemporalTransformer(
                width, layers=settings.layers, legacy_mask_order=settings.legacy_mask_order
            )
        if settings.differences or aligned_by_tdb:
            self.tdb = TemporalDifferenceBlock(settings)
        if settings.aligned:
            self.tab = TemporalAlignmentBlock(settings)
        self.register_state_dict_post_hook(_leave_block_names_out)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_put_block_names_back)  # type: ignore[no-untyped-call]

    def frames(self, features: Tensor, mask: Tensor) -> Tensor:
        """v_t of the global branch: [B, T, D]."""
        if self.transformerClip is None or self.frame_position_embeddings is None:
            return features
        if self.settings.differences and self.tdb is not None:
            out: Tensor = self.tdb(
                features, mask, self.frame_position_embeddings, self.transformerClip
            )
            return out
        positions = positions_for(self.frame_position_embeddings, features.shape[1])
        y: Tensor = self.transformerClip(features + positions, mask)
        return y + features

    def _video_parts(self, features: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        overall = global_vector(self.frames(features, mask), mask)
        if self.tab is None:
            return (overall,)
        tokens, token_mask = features, mask
        if self.settings.center_proj and self.frame_position_embeddings is not None:
            by_tdb = self.settings.center_proj == "TAB_TDB"
            tokens, token_mask = self.tab.video_tokens(
                features, mask, self.frame_position_embeddings, self.tdb if by_tdb else None
            )
        return overall, self.tab.aggregate(tokens, token_mask)

    def _text_parts(self, tokens: Tensor, mask: Tensor, end: Tensor | None) -> tuple[Tensor, ...]:
        overall = unit(sentence_feature(tokens, mask, end))
        if self.tab is None:
            return (overall,)
        return overall, self.tab.aggregate(tokens, words_only(mask).to(tokens.dtype))


def _leave_block_names_out(
    module: nn.Module, state: dict[str, Any], prefix: str, _metadata: object
) -> None:
    for block in _BLOCKS:
        start = f"{prefix}{block}."
        for key in [key for key in state if key.startswith(start)]:
            state[prefix + key[len(start) :]] = state.pop(key)


def _put_block_names_back(
    module: nn.Module, state: dict[str, Any], prefix: str, *_unused: object
) -> None:
    for block in _BLOCKS:
        child = getattr(module, block)
        for name in () if child is None else list(child.state_dict()):
            if prefix + name in state:
                state[f"{prefix}{block}.{name}"] = state.pop(prefix + name)

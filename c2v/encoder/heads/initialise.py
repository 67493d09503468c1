"""First weights of a head: from CLIP's text tower, as published, or as an exact copy of meanP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch  # noqa: TID253
from torch import Tensor, nn  # noqa: TID253

from c2v.encoder.heads.base import HeadModule
from c2v.encoder.heads.blocks import ResidualAttentionBlock, Transformer
from c2v.encoder.heads.build import new_head
from c2v.encoder.heads.seq import SeqLSTM
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.heads.tdb import TemporalDifferenceBlock
from c2v.encoder.heads.wti import Wti
from c2v.errors import ModelError

State = dict[str, Tensor]
WEIGHT_STD = 0.02
_TEXT_BLOCKS = "transformer.resblocks."


def init_from_clip(
    settings: HeadSettings, clip_state: Mapping[str, Tensor], *, seed: int = 0
) -> tuple[HeadSettings, State]:
    """The published start: new modules take the weights of CLIP's text tower.

    Positions are the text tower's, both type embeddings its first two; block i of every new
    transformer is block i of the text tower (blocks beyond its depth stay random);
    `frame2t_projection` is the top square of `visual.proj`. Centres, LSTM and the cross encoder's
    pooler are random.

    Args:
        settings: the head to make.
        clip_state: towers under open_clip's names (`transformer.resblocks.0...`).
        seed: of what stays random.

    Raises:
        ModelError: the text tower is not as wide as the features, or has too few positions; or
            for wti, whose transformer is narrower than any.
    """
    if settings.type == "wti":
        raise ModelError(
            "wti has a transformer of its own width, it cannot start from CLIP's",
            hint="start as meanP instead (--init identity)",
        )
    head = random_head(settings, seed=seed)
    _copy_from_clip(head, settings, clip_state)
    return settings, _state(head)


def init_identity(
    settings: HeadSettings, clip_state: Mapping[str, Tensor] | None = None, *, seed: int = 0
) -> tuple[HeadSettings, State]:
    """A head that begins as meanP, bit for bit, and learns from there.

    In the temporal transformer every projection back into the residual stream is zero, and so are
    positions and types: then y = z, v_t = 2 x_t, and the unit frame is meanP's. An LSTM whose cell
    candidate is zero has zero states: v_t = x_t. The alignment block cannot be made to say what
    meanP says, so it gets weight 0 (`center_weight` 1) in the settings that come back; train both
    branches with a loss of their own and choose the weight on validation data. So it is with wti,
    of which the vectors are meanP's and the scores are not.

    Inner weights come from `clip_state` where it is given and fits, as in `init_from_clip`.

    Raises:
        ModelError: for tightTransf, which scores pairs and has no such start.
    """
    if settings.type == "tightTransf":
        raise ModelError(
            "tightTransf scores pairs, it cannot start as meanP",
            hint="start it from CLIP (--init clip)",
        )
    head = random_head(settings, seed=seed)
    if isinstance(head, Wti):
        return replace(settings, center_weight=1.0), _state(head)
    if clip_state is not None and _fits(settings, clip_state):
        _copy_from_clip(head, settings, clip_state)
    with torch.no_grad():
        for name, module in head.named_modules():
            if isinstance(module, ResidualAttentionBlock) and _is_global(name):
                _silence(module)
        _zero_embeddings(head)
        if isinstance(head, SeqLSTM):
            _silence_lstm(head.lstm_visual)
    settings = replace(settings, center_weight=1.0) if settings.aligned else settings
    return settings, _state(head)


def _is_global(module_name: str) -> bool:
    """Whether a block is of the transformer that the global vector goes through."""
    return module_name.startswith("transformerClip.")


def _silence(block: ResidualAttentionBlock) -> None:
    """The block passes its input on unchanged; its first gradient makes it speak."""
    for layer in (block.attn.out_proj, block.mlp.c_proj):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


def _zero_embeddings(head: HeadModule) -> None:
    table = getattr(head, "frame_position_embeddings", None)
    if isinstance(table, nn.Embedding):
        nn.init.zeros_(table.weight)
    for module in head.modules():
        if isinstance(module, TemporalDifferenceBlock):
            nn.init.zeros_(module.type_position_embeddings.weight)


def _silence_lstm(lstm: nn.LSTM) -> None:
    """Zero the cell candidate g = tanh(...), the third of the gates i, f, g, o: c and h are 0."""
    width = lstm.hidden_size
    for parameter in lstm.parameters():
        parameter[2 * width : 3 * width] = 0.0


def random_head(settings: HeadSettings, *, seed: int = 0) -> HeadModule:
    """Linear layers and embeddings N(0, 0.02), biases 0, norms 1 and 0; the rest as torch does."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = new_head(settings)
        for module in head.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=WEIGHT_STD)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(head, Wti):
            head.reset()
    return head


def _fits(settings: HeadSettings, clip_state: Mapping[str, Tensor]) -> bool:
    positions = clip_state.get("positional_embedding")
    inner = clip_state.get(f"{_TEXT_BLOCKS}0.mlp.c_fc.weight")
    return (
        positions is not None
        and inner is not None
        and inner.shape[0] == 4 * settings.feature_dim  # SigLIP's largest have 3.7362
        and positions.shape[1] == settings.feature_dim
        and positions.shape[0] >= settings.positions
    )


def _copy_from_clip(
    head: HeadModule, settings: HeadSettings, clip_state: Mapping[str, Tensor]
) -> None:
    if not _fits(settings, clip_state):
        raise ModelError(
            f"this CLIP's text tower does not fit a head of width {settings.feature_dim} with "
            f"{settings.positions} positions",
            hint="start as meanP instead (--init identity)",
        )
    positions = clip_state["positional_embedding"].float()
    projection = clip_state.get("visual.proj")
    with torch.no_grad():
        for name, module in head.named_modules():
            if isinstance(module, Transformer):
                _copy_blocks(module, clip_state)
            elif name.endswith("type_position_embeddings") and isinstance(module, nn.Embedding):
                module.weight.copy_(positions[:2])
            elif isinstance(module, nn.Embedding):
                module.weight.copy_(positions[: module.num_embeddings])
        for name, parameter in head.named_parameters():
            fits = projection is not None and len(projection) >= settings.feature_dim
            if name.endswith("frame2t_projection") and fits:
                parameter.copy_(clip_state["visual.proj"][: settings.feature_dim].float())


def _copy_blocks(transformer: Transformer, clip_state: Mapping[str, Tensor]) -> None:
    for layer, block in enumerate(transformer.resblocks):
        start = f"{_TEXT_BLOCKS}{layer}."
        weights = {
            key[len(start) :]: value.float()
            for key, value in clip_state.items()
            if key.startswith(start)
        }
        if weights:
            block.load_state_dict(weights)


def _state(head: HeadModule) -> State:
    return {name: value.detach().clone() for name, value in head.state_dict().items()}

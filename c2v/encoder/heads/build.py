"""Settings and weights to a torch module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch  # noqa: TID253
from torch import Tensor  # noqa: TID253

from c2v.encoder.foreign_caches import keep_caches_here
from c2v.encoder.heads.base import HeadModule
from c2v.encoder.heads.clip2video import Clip2Video
from c2v.encoder.heads.meanp import MeanP
from c2v.encoder.heads.seq import SeqLSTM, SeqTransf
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.heads.tight import TightTransf
from c2v.encoder.heads.wti import Wti
from c2v.errors import ModelError

HEAD_CLASSES: dict[str, type[HeadModule]] = {
    "meanP": MeanP,
    "seqLSTM": SeqLSTM,
    "seqTransf": SeqTransf,
    "tightTransf": TightTransf,
    "clip2video": Clip2Video,
    "wti": Wti,
}


def new_head(settings: HeadSettings) -> HeadModule:
    """A head of that shape whose parameters hold torch's own random values."""
    keep_caches_here()
    return HEAD_CLASSES[settings.type](settings)


def build_head(
    settings: HeadSettings | Mapping[str, Any], state: Mapping[str, Tensor]
) -> HeadModule:
    """The head with its weights, in fp32 and in evaluation mode.

    `state` has the official key names. All that the head needs must be there in the right shape;
    what is there for another setting of the same family (an official file may carry both kinds of
    difference projection, say) is not an error here: `official.keys` is the gate for files.
    """
    if not isinstance(settings, HeadSettings):
        settings = HeadSettings.from_dict(settings)
    with torch.device("meta"):
        head = new_head(settings)
    weights = {}
    for name, wanted in head.state_dict().items():
        if name not in state:
            raise ModelError(f"the {settings.type} head has no weight {name!r}")
        weight = torch.as_tensor(state[name])
        if weight.shape != wanted.shape:
            raise ModelError(
                f"head weight {name!r} has shape {tuple(weight.shape)}, not {tuple(wanted.shape)}"
            )
        weights[name] = weight.to(torch.float32, copy=True)
    head.load_state_dict(weights, assign=True)
    return head.eval()

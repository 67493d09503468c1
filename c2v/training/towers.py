"""Training the towers too: frames are decoded once into a file, CLIP runs in every step.

Only OpenAI's layout of CLIP (ViT image tower, causal text tower), which is what CLIP2Video and
CLIP4Clip fine-tune; the ONNX towers of ``mini`` are frozen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch  # noqa: TID253
from numpy.typing import NDArray
from torch import Tensor, nn  # noqa: TID253

from c2v.encoder.bundle import Bundle
from c2v.encoder.heads.base import HeadModule
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.heads.wti import lengthened
from c2v.encoder.towers.clip_image_torch import normalised
from c2v.encoder.towers.clip_text_numpy import TextArchitecture
from c2v.encoder.towers.clip_torch import Clip, ClipShape
from c2v.errors import ModelError, UsageError
from c2v.training.choices import Planned
from c2v.training.frame_cache import DecodedFrames
from c2v.training.pairs import Pairs
from c2v.training.start import clip_state, first_scale, is_openai_clip
from c2v.training.trainee import Draw, Parts, Trainee


class TowerTrainee(nn.Module):
    """Towers and head over decoded frames and token ids.

    ``rows`` [M] are the places of the videos in ``frames``; ``ids`` [N, L] and ``mask`` [N, L] are
    the texts.
    """

    def __init__(
        self,
        towers: Clip,
        head: HeadModule,
        *,
        frames: DecodedFrames,
        rows: NDArray[np.int64],
        ids: NDArray[np.int64],
        mask: NDArray[np.bool_],
        mean: Sequence[float],
        std: Sequence[float],
        scale: float,
    ) -> None:
        super().__init__()
        self.towers = towers
        self.head = head
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        towers.logit_scale.requires_grad_(False)  # the loop's own stands for it
        self._frames, self._rows = frames, rows
        self._ids, self._mask = ids, mask
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    @property
    def module(self) -> nn.Module:
        return self

    @property
    def settings(self) -> HeadSettings:
        return self.head.settings

    def text_parts(self, texts: Sequence[int], draw: Draw | None) -> Parts:
        rows = np.asarray(texts)
        mask = self._mask[rows]
        length = int(mask.sum(1).max())
        ids = torch.from_numpy(self._ids[rows, :length]).to(self.log_scale.device)
        real = torch.from_numpy(mask[:, :length]).to(self.log_scale.device)
        tokens = self.towers.encode_tokens(ids)
        parts = self.head.text_parts(tokens, real.to(tokens.dtype))
        return lengthened(parts, self._ids.shape[1]) if self.settings.interacts else parts

    def segment_parts(
        self, videos: Sequence[int], draw: Draw | None, *, most: int | None
    ) -> tuple[Parts, list[int]]:
        rows = self._rows[np.asarray(videos)]
        device = self.log_scale.device
        pixels = torch.from_numpy(self._frames.pixels[rows]).to(device)  # [B, T, side, side, 3]
        mask = torch.from_numpy(self._frames.present[rows]).to(device)  # [B, T]
        clips = normalised(pixels, mean=self.get_buffer("mean"), std=self.get_buffer("std"))
        # Zero as in the papers' loaders: a difference block of theirs sees the first one.
        clips = clips * mask[:, :, None, None, None]
        features = self.towers.encode_clips(clips)
        parts = self.head.video_parts(features, mask.to(features.dtype))
        return parts, list(range(len(rows)))


def tower_trainee(
    bundle: Bundle,
    pairs: Pairs,
    frames: DecodedFrames,
    planned: Planned,
    *,
    device: str,
    most_tokens: int | None = None,
) -> TowerTrainee:
    """Towers and head of ``bundle``, ready to be trained, on at most so many tokens a text.

    Raises:
        ModelError: the towers are of a layout that cannot be trained.
        UsageError: they are frozen.
    """
    state = clip_state(bundle)
    if state is None:
        raise UsageError(
            f"--train all: the towers of {bundle.name} are frozen and cannot be trained",
            hint="--train head, or another --model",
        )
    head = planned.first_head(bundle)
    ids, mask = bundle.token_ids(pairs.texts, most_tokens=most_tokens)
    rows = np.asarray([frames.row[path] for path in pairs.videos], np.int64)
    image = bundle.config.image
    return TowerTrainee(
        _towers(bundle, state),
        head,
        frames=frames,
        rows=rows,
        ids=ids,
        mask=mask,
        mean=image.mean,
        std=image.std,
        scale=first_scale(bundle, head, np.eye(2), np.eye(2), np.arange(2)),
    ).to(device)


def tower_state(trainee: Trainee) -> dict[str, Tensor]:
    """Both towers under open_clip's names, with the temperature that was learnt."""
    towers = trainee.module.get_submodule("towers")
    state = {name: value.detach().cpu() for name, value in towers.state_dict().items()}
    state["logit_scale"] = trainee.log_scale.detach().cpu().reshape(state["logit_scale"].shape)
    return state


def check_trainable(bundle: Bundle) -> None:
    """Raises ModelError unless the towers are OpenAI's CLIP (ViT, causal text)."""
    if not is_openai_clip(bundle):
        raise ModelError(
            f"the towers of {bundle.name} are not OpenAI's CLIP: only their head can be trained",
            hint="--train head",
        )


def _towers(bundle: Bundle, state: dict[str, Tensor]) -> Clip:
    """CLIP in torch with the weights of the bundle, checked strictly."""
    check_trainable(bundle)
    text = TextArchitecture.from_settings(bundle.config.text.settings)
    vision = bundle.config.image.settings["vision_cfg"]
    shape = ClipShape(
        feature_dim=bundle.feature_dim,
        vision_width=vision["width"],
        vision_layers=vision["layers"],
        patch_size=vision["patch_size"],
        image_size=vision["image_size"],
        text_width=text.width,
        text_layers=text.layers,
        context_length=text.context,
        vocab_size=text.vocab_size,
    )
    with torch.device("meta"):
        towers = Clip(shape)
    state = {**state}
    state.setdefault("logit_scale", torch.tensor(math.log(100.0)))
    state = {
        name: value.reshape(()) if name == "logit_scale" else value for name, value in state.items()
    }
    try:
        towers.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise ModelError(f"the towers of {bundle.name} do not fit: {error}") from error
    return towers.float()

"""Heads with NumPy on both ends, whatever is inside. Importing this costs NumPy alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.heads.numpy_heads import NumpyMeanP, NumpyTextSide
from c2v.encoder.heads.numpy_wti import NumpyWti
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.made_once import made_once
from c2v.encoder.numpy_layers import Array
from c2v.encoder.tensors import read_tensors
from c2v.errors import ModelError
from c2v.optional import require

if TYPE_CHECKING:
    from torch import Tensor

    from c2v.encoder.bundle_config import BundleConfig
    from c2v.encoder.heads.base import HeadModule

HEAD_FILE = "head.safetensors"
VIDEOS_AT_ONCE = 512


class Head(Protocol):
    """Stage-1 features to vectors whose inner product is the score."""

    @property
    def vector_dim(self) -> int: ...

    def embed_video(self, features: NDArray[Any], mask: NDArray[Any]) -> Array: ...

    def embed_text(self, tokens: NDArray[Any], mask: NDArray[Any]) -> Array: ...


class TorchHead:
    """Any head in torch, NumPy in and out; torch loads when this is made.

    `device` is a torch device ("cpu", "cuda:0", "mps"), already checked to be there.
    """

    def __init__(
        self,
        settings: HeadSettings | Mapping[str, Any],
        state_dict: Mapping[str, Tensor],
        device: str = "cpu",
    ) -> None:
        from c2v.encoder.heads.build import build_head

        self.module: HeadModule = build_head(settings, state_dict).to(device)
        self.settings = self.module.settings
        self.device = device

    @property
    def vector_dim(self) -> int:
        return self.settings.vector_dim

    def embed_video(self, features: NDArray[Any], mask: NDArray[Any]) -> Array:
        """Features [B, T, D] (fp16 or fp32, not normalised), mask [B, T] -> [B, V]."""
        return self._in_batches(self.module.video, features, mask)

    def embed_text(self, tokens: NDArray[Any], mask: NDArray[Any]) -> Array:
        """Tokens [N, L, D] (not normalised), mask [N, L] -> [N, V]."""
        return self._in_batches(self.module.text, tokens, mask)

    def score_pairs(
        self, text_feature: NDArray[Any], frame_features: NDArray[Any], mask: NDArray[Any]
    ) -> Array:
        """Logits of P pairs by tightTransf: [P, D], [P, T, D], [P, T] -> [P]."""
        from c2v.encoder.heads.tight import TightTransf

        if not isinstance(self.module, TightTransf):
            raise ModelError(f"a {self.settings.type} head scores by inner product, not by pairs")
        return self._in_batches(self.module.score_pairs, text_feature, frame_features, mask)

    def _in_batches(self, function: Callable[..., Tensor], *arrays: NDArray[Any]) -> Array:
        import torch

        out: list[Array] = []
        with torch.inference_mode():
            for start in range(0, max(1, len(arrays[0])), VIDEOS_AT_ONCE):
                batch = [
                    torch.from_numpy(
                        np.array(array[start : start + VIDEOS_AT_ONCE], dtype=np.float32)
                    ).to(self.device)
                    for array in arrays
                ]
                out.append(function(*batch).float().cpu().numpy())
        return np.concatenate(out)


class SplitHead:
    """Text side in NumPy at once, video side in torch when the first video comes."""

    def __init__(
        self,
        settings: HeadSettings,
        text_weights: Mapping[str, NDArray[Any]],
        load_video_side: Callable[[], TorchHead],
    ) -> None:
        self.settings = settings
        self._text_side = NumpyTextSide(settings, text_weights)
        self._load_video_side = load_video_side

    @property
    def vector_dim(self) -> int:
        return self.settings.vector_dim

    @made_once
    def torch_head(self) -> TorchHead:
        """The head in torch, loaded on first use."""
        return self._load_video_side()

    def embed_video(self, features: NDArray[Any], mask: NDArray[Any]) -> Array:
        """As `TorchHead.embed_video`."""
        return self.torch_head.embed_video(features, mask)

    def embed_text(self, tokens: NDArray[Any], mask: NDArray[Any]) -> Array:
        """As `NumpyTextSide.embed_text`: no torch."""
        return self._text_side.embed_text(tokens, mask)


def open_head(
    settings: HeadSettings | Mapping[str, Any],
    path: Path | None,
    *,
    device: str | Callable[[], str] = "cpu",
) -> Head:
    """A head from its weight file, reading for a search only what the text side needs.

    `path` may be None for a plain meanP, which has no weights. `device` is a torch device, or what
    to ask for one when the video side is loaded.
    """
    if not isinstance(settings, HeadSettings):
        settings = HeadSettings.from_dict(settings)
    if settings.type == "meanP" and not settings.projected:
        return NumpyMeanP(settings)
    if path is None or not path.is_file():
        raise ModelError(f"the {settings.type} head has no weights at {path}")

    weights = read_tensors(path)
    if settings.type == "meanP":
        return NumpyMeanP(settings, weights)
    if settings.type == "wti":
        return NumpyWti(settings, weights)

    def load_video_side() -> TorchHead:
        check_video_side(settings)
        import torch

        # Copies: the arrays are views of the file, which nobody may write to.
        state = {key: torch.from_numpy(np.array(value)) for key, value in weights.items()}
        return TorchHead(settings, state, device if isinstance(device, str) else device())

    return SplitHead(settings, weights, load_video_side)


def check_video_side(settings: HeadSettings, *, of: str = "") -> None:
    """Say before any work that the video side of a head (``of`` a model) takes PyTorch.

    Raises:
        MissingPartError: it does, and PyTorch is not installed.
    """
    if settings.type not in ("meanP", "wti"):
        require(f"the {settings.type} head{f' of {of}' if of else ''}", "torch")


def head_settings(config: BundleConfig) -> HeadSettings:
    """The head that a bundle's config describes."""
    named = {"type": config.head.type, "feature_dim": config.feature_dim}
    return HeadSettings.from_dict({**config.head.settings, **named})


def load_head(directory: Path, config: BundleConfig, *, device: str = "auto") -> Head:
    """The head of a bundle: its folder, its config, the device as it was asked for.

    The device is resolved when the first video comes, so that a search needs no torch.
    """
    from c2v.encoder.devices import resolve_device

    settings = head_settings(config)
    return open_head(settings, directory / HEAD_FILE, device=lambda: resolve_device(device))

"""The image towers of open_clip (ViT, FastViT, PE, ...) in torch.

Only the visual half of a model is built, from its config, and filled strictly from memory-mapped
weights. On a CPU with bfloat16 units bf16 weights are about 3.6 times as fast as fp32 (autocast is
slower than fp32 there); without such units they are 8 times slower. What ``auto`` takes, and when
a graph on ONNX Runtime does this work instead, is decided in :mod:`c2v.encoder.towers.precision`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import BundleConfig
from c2v.encoder.foreign_caches import keep_caches_here
from c2v.encoder.towers import require_keys
from c2v.errors import DeviceError, ModelError

if TYPE_CHECKING:
    import torch

IMAGE_WEIGHTS = "image.safetensors"
_RANDOM_FILLS = frozenset({"normal_", "uniform_", "erfinv_", "trunc_normal_", "kaiming_uniform_"})
_CPU_BATCH = 32
_GPU_BATCH = 256
# The text half is not wanted, but open_clip builds both: the smallest one that is accepted.
_SMALL_TEXT = {"context_length": 2, "vocab_size": 2, "width": 2, "heads": 1, "layers": 1}


def build_visual(settings: Mapping[str, Any]) -> torch.nn.Module:
    """The visual module of an open_clip config (``image.settings``), with untrained weights."""
    keep_caches_here()
    import open_clip

    # CoCa's gives its tokens beside the feature, for the decoder, where it is not told otherwise.
    vision = {**settings["vision_cfg"], "timm_model_pretrained": False, "output_tokens": False}
    model = open_clip.CLIP(
        embed_dim=settings["embed_dim"],
        vision_cfg=vision,
        text_cfg=dict(_SMALL_TEXT),
        quick_gelu=settings["quick_gelu"],
    )
    visual: torch.nn.Module = model.visual.eval()
    return visual


def visual_shapes(settings: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Every weight of the visual module with its shape, without making the weights."""
    import torch

    with torch.device("meta"):
        visual = build_visual(settings)
    return {name: tuple(value.shape) for name, value in visual.state_dict().items()}


def load_visual(settings: Mapping[str, Any], path: Path) -> torch.nn.Module:
    """The visual module with the weights of a safetensors file, in fp32.

    Raises:
        ModelError: a weight is missing, unknown or of another shape.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(str(path))  # memory-mapped
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {error}", hint="c2v model list") from error
    with torch.device("meta"):
        visual = build_visual(settings)
    kept = set(visual.state_dict())
    if any(name not in kept for name, _ in visual.named_buffers()):
        # Tables that are computed, not stored (rotary positions), do not exist on "meta".
        with _without_random_weights():
            visual = build_visual(settings)
    require_keys(
        {name: tuple(value.shape) for name, value in state.items()},
        {name: tuple(value.shape) for name, value in visual.state_dict().items()},
        what=str(path),
    )
    visual.load_state_dict(state, strict=True, assign=True)
    return visual.requires_grad_(False).eval()


def _without_random_weights() -> AbstractContextManager[Any]:
    """Modules made inside keep whatever memory held: drawing 90 million numbers takes seconds."""
    from torch.overrides import TorchFunctionMode

    class Skip(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if getattr(func, "__name__", "") in _RANDOM_FILLS:
                return args[0] if args else kwargs["tensor"]
            return func(*args, **(kwargs or {}))

    return Skip()


class TorchImageTower:
    """Frames to features with a torch module.

    Attributes:
        device: the torch device it runs on.
        precision: ``fp32``, ``bf16`` or ``fp16``: the type of its weights and activations.
    """

    def __init__(
        self,
        visual: torch.nn.Module,
        *,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        device: str,
        precision: str,
    ) -> None:
        """Take a module in fp32 and bring it to ``device`` and ``precision`` (not ``auto``)."""
        import torch

        self.device = torch.device(device)
        self.precision = precision
        self._dtype = _dtypes()[precision]
        self._visual = visual.to(device=self.device, dtype=self._dtype)
        self._batch = _CPU_BATCH if self.device.type == "cpu" else _GPU_BATCH
        if self.device.type == "cuda":
            self._visual = self._visual.to(memory_format=torch.channels_last)
        self._mean = torch.tensor(mean, device=self.device)
        self._std = torch.tensor(std, device=self.device)

    @classmethod
    def load(
        cls, directory: Path, config: BundleConfig, *, device: str, precision: str
    ) -> TorchImageTower:
        """The image tower of a bundle, in a precision that is not ``auto``."""
        visual = load_visual(config.image.settings, directory / IMAGE_WEIGHTS)
        return cls(
            visual,
            mean=config.image.mean,
            std=config.image.std,
            device=device,
            precision=precision,
        )

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[N, side, side, 3] uint8 RGB to [N, D] float32, not normalised; any N.

        The batch is halved, for good, when a GPU runs out of memory.

        Raises:
            DeviceError: the GPU has no memory for a single frame.
        """
        import torch

        done: list[NDArray[np.float32]] = []
        start = 0
        while start < len(images):
            part = images[start : start + self._batch]
            try:
                with torch.inference_mode():
                    done.append(self._forward(part).float().cpu().numpy())
            except torch.OutOfMemoryError as error:
                if self._batch == 1:
                    raise DeviceError(
                        f"{self.device} has no memory left for one frame", hint="--device cpu"
                    ) from error
                self._batch = max(1, min(self._batch, len(part)) // 2)
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            start += len(part)
        return np.concatenate(done)

    def _forward(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """[n, side, side, 3] to [n, D] on the device."""
        import torch

        frames = torch.from_numpy(np.ascontiguousarray(images))
        if self.device.type == "cuda":
            frames = frames.pin_memory().to(self.device, non_blocking=True)
        else:
            frames = frames.to(self.device)
        # A permuted view is channels-last already, which is what convolutions on CUDA like.
        x = normalised(frames, mean=self._mean, std=self._std)
        if self.device.type != "cuda":
            x = x.contiguous()
        features: torch.Tensor = self._visual(x.to(self._dtype))
        return features


def normalised(pixels: torch.Tensor, *, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """uint8 [..., H, W, 3] to float32 [..., 3, H, W]: (x / 255 - mean) / std, mean and std [3]."""
    mean, std = mean[:, None, None], std[:, None, None]
    return pixels.movedim(-1, -3).float().div_(255).sub_(mean).div_(std)


def _dtypes() -> dict[str, torch.dtype]:
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

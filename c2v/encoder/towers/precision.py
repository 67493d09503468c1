"""Which precision the image tower runs in when it is left to c2v.

On a CUDA device fp16 (three more bits than bf16, as fast); on a CPU bf16 if it multiplies in bf16,
else fp32; on Apple's GPU fp32. A lower precision is taken only after the features of a few made-up
pictures were compared with those in fp32. The answer is kept in the cache folder, by weights and
machine, so the probe runs once.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.config import cache_dir
from c2v.encoder.bundle_config import BundleConfig
from c2v.encoder.towers.clip_image_torch import MIN_COSINE, TorchImageTower

if TYPE_CHECKING:
    import torch

_PROBE_IMAGES = 4


def choose_precision(visual: torch.nn.Module, config: BundleConfig, *, device: str) -> str:
    """``fp32``, ``bf16`` or ``fp16`` for this tower on this device."""
    candidate = fast_precision(device)
    if candidate == "fp32":
        return "fp32"
    note = _note_path(config, device)
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
        if noted["precision"] in (candidate, "fp32"):
            return str(noted["precision"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no answer yet, or a damaged cache: probe
    cosine = probe_cosine(visual, config, device=device, precision=candidate)
    chosen = candidate if cosine > MIN_COSINE else "fp32"
    _write_note(note, {"precision": chosen, "candidate": candidate, "cosine": cosine})
    return chosen


def fast_precision(device: str) -> str:
    """The precision in which the device is fastest, by what its hardware says of itself."""
    import torch

    kind = torch.device(device).type
    if kind == "cuda":
        # fp16 keeps three more bits than bf16 and is as fast on every card with tensor cores.
        return "fp16"
    if kind == "cpu":
        return "bf16" if cpu_has_bf16() else "fp32"
    return "fp32"


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices (AVX512-BF16 or AMX) rather than emulates."""
    import torch

    flags = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16") or flags.get("amx_tile"))


def probe_cosine(
    visual: torch.nn.Module, config: BundleConfig, *, device: str, precision: str
) -> float:
    """The least cosine, over a few pictures, of features in ``precision`` to those in fp32."""
    images = probe_images(config.image.side)

    def encode(module: torch.nn.Module, chosen: str) -> NDArray[np.float32]:
        tower = TorchImageTower(
            module, mean=config.image.mean, std=config.image.std, device=device, precision=chosen
        )
        features = tower.encode(images)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        return features

    exact, fast = encode(copy.deepcopy(visual), "fp32"), encode(copy.deepcopy(visual), precision)
    lowest = float(np.min(np.sum(exact * fast, axis=1)))
    return lowest if np.isfinite(lowest) else -1.0


def probe_images(side: int) -> NDArray[np.uint8]:
    """Pictures [4, side, side, 3] uint8 with the spectrum of photographs (1/f), always the same."""
    random = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = 1 / side
    noise = random.standard_normal((_PROBE_IMAGES, 3, side, side))
    smooth = np.fft.ifft2(np.fft.fft2(noise) / frequency).real
    smooth -= smooth.mean(axis=(2, 3), keepdims=True)
    smooth /= smooth.std(axis=(2, 3), keepdims=True)
    pixels = np.clip(128 + 60 * smooth, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))


def _note_path(config: BundleConfig, device: str) -> Path:
    import platform

    import torch

    machine = platform.processor() or platform.machine()
    if device.startswith("cuda"):
        machine = torch.cuda.get_device_name(device)
    text = "|".join([config.towers_fingerprint, device, machine, torch.__version__])
    key = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
    return cache_dir() / "precision" / f"{key}.json"


def _write_note(path: Path, content: dict[str, object]) -> None:
    """Keep the answer; a cache folder that cannot be written only means a probe next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)
        Path(name).replace(path)
    except OSError:
        return

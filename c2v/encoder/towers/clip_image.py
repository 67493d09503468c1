"""The image tower of a CLIP model: on torch or ONNX Runtime, in the precision asked for."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from c2v.encoder.bundle_config import BundleConfig
from c2v.encoder.towers import ImageTower
from c2v.encoder.towers.clip_image_onnx import OnnxClipTower, VisionShape
from c2v.encoder.towers.precision import Choice, ProbedTower, choices_on, note_path
from c2v.errors import ModelError


def make_clip_tower(
    directory: Path, config: BundleConfig, *, device: str, precision: str
) -> ImageTower:
    """The tower of the bundle in ``directory``; with ``auto`` it is chosen by trying.

    Raises:
        ModelError: ``int8`` for a tower or on a device that has no such way.
    """
    has_graph = VisionShape.of(config.image) is not None
    make = partial(_make, directory, config, device)
    if precision == "auto":
        choices = choices_on(device, has_graph=has_graph)
        return ProbedTower(make, choices, note=note_path(config, device), on_cpu=device == "cpu")
    on_graph = has_graph and device == "cpu" and precision in ("fp32", "int8")
    if precision == "int8" and not on_graph:
        raise ModelError(
            f"--precision int8 was asked for, which {config.name} cannot do on {device}",
            hint="--precision auto",
        )
    return make(Choice("onnx" if on_graph else "torch", precision), None)


def _make(
    directory: Path, config: BundleConfig, device: str, choice: Choice, threads: int | None
) -> ImageTower:
    if choice.runtime == "onnx":
        return OnnxClipTower.load(directory, config, precision=choice.precision, threads=threads)
    from c2v.encoder.towers.clip_image_torch import TorchImageTower

    return TorchImageTower.load(directory, config, device=device, precision=choice.precision)

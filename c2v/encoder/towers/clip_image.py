"""The image tower of a CLIP model: on torch or ONNX Runtime, in the precision asked for."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from c2v.encoder.bundle_config import BundleConfig
from c2v.encoder.towers import ImageTower, no_such_precision
from c2v.encoder.towers.clip_image_onnx import OnnxClipTower
from c2v.encoder.towers.precision import Choice, ProbedTower, choices_on, note_path
from c2v.encoder.towers.vision_shape import VisionShape
from c2v.optional import has, require

TORCH_TOWER = ("torch", "open_clip")
"""What an image tower that is no graph takes."""


def make_clip_tower(
    directory: Path, config: BundleConfig, *, device: str, precision: str
) -> ImageTower:
    """The tower of the bundle in ``directory``; with ``auto`` it is chosen by trying.

    Raises:
        ModelError: ``int8`` for a tower or on a device that has no such way.
        MissingPartError: it takes PyTorch, which is not installed.
    """
    check_parts(config, device=device, precision=precision)
    has_graph = VisionShape.of(config.image) is not None
    make = partial(_make, directory, config, device)
    if precision == "auto":
        choices = choices_on(device, has_graph=has_graph, has_torch=has(*TORCH_TOWER))
        note = note_path(config, device, choices)
        return ProbedTower(make, choices, note=note, on_cpu=device == "cpu")
    on_graph = _on_graph(config, device=device, precision=precision)
    return make(Choice("onnx" if on_graph else "torch", precision), None)


def check_parts(config: BundleConfig, *, device: str, precision: str) -> None:
    """Say before any work that a tower takes PyTorch, or has no such precision.

    Raises:
        ModelError: ``int8`` for a tower or on a device that has no such way.
        MissingPartError: it takes PyTorch or open_clip, which is not installed.
    """
    if _on_graph(config, device=device, precision=precision):
        return
    if precision == "int8":
        raise no_such_precision(config, precision, "" if device == "auto" else f" on {device}")
    wish = f"--precision {precision}" if device in ("auto", "cpu") else f"--device {device}"
    if VisionShape.of(config.image) is None:
        wish = f"the model {config.name}"
    require(wish, *TORCH_TOWER)


def _on_graph(config: BundleConfig, *, device: str, precision: str) -> bool:
    """Whether ONNX Runtime can do it."""
    has_graph = VisionShape.of(config.image) is not None
    return has_graph and device in ("auto", "cpu") and precision in ("auto", "fp32", "int8")


def _make(
    directory: Path, config: BundleConfig, device: str, choice: Choice, threads: int | None
) -> ImageTower:
    if choice.runtime == "onnx":
        return OnnxClipTower.load(directory, config, precision=choice.precision, threads=threads)
    from c2v.encoder.towers.clip_image_torch import TorchImageTower

    return TorchImageTower.load(directory, config, device=device, precision=choice.precision)

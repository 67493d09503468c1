"""The towers of a bundle, each imported only when it is made."""

from __future__ import annotations

from pathlib import Path

from c2v.encoder.bundle_config import GRAPHS, BundleConfig
from c2v.encoder.towers import ImageTower, TextTower


def make_image_tower(
    directory: Path, config: BundleConfig, *, device: str, precision: str
) -> ImageTower:
    """The image tower of a bundle, on torch or ONNX Runtime.

    With the precision ``auto`` and a machine that never tried, it loads with its first frames.

    Raises:
        ModelError: the tower cannot run in this precision.
    """
    if config.image.family in GRAPHS:
        from c2v.encoder.towers.onnx_image import OnnxImageTower, check_precision

        check_precision(config, precision)
        return OnnxImageTower.load(directory, config)
    from c2v.encoder.towers.clip_image import make_clip_tower

    return make_clip_tower(directory, config, device=device, precision=precision)


def make_text_tower(directory: Path, config: BundleConfig) -> TextTower:
    """The text tower of a bundle; NumPy is all it needs."""
    if config.text.family == "minilm":
        from c2v.encoder.towers.minilm_numpy import MiniLMTextTower

        return MiniLMTextTower.load(directory)
    from c2v.encoder.tensors import read_tensors

    tensors = read_tensors(directory / "text.safetensors")
    if config.text.family == "hf":
        from c2v.encoder.towers.hf_text_numpy import HFTextTower
        from c2v.encoder.towers.hf_text_shape import HFTextArchitecture

        return HFTextTower(HFTextArchitecture.from_settings(config.text.settings), tensors)
    from c2v.encoder.towers.clip_text_numpy import ClipTextTower, TextArchitecture

    return ClipTextTower(TextArchitecture.from_settings(config.text.settings), tensors)

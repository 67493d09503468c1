"""The image tower of an open_clip vision transformer on ONNX Runtime, without torch.

ViT-B/32, ViT-B/16, ViT-L/14, CLIPA, CoCa, SigLIP, SigLIP2, PE-Core: the transformer is written out
as a graph over the weights of the bundle (:mod:`c2v.encoder.towers.vision_graph`).

``int8`` rounds the matrices of the transformer to 8 bits with a scale for each block of inputs,
and activations likewise, row by row, as they come. A feature therefore does not depend on the
pictures beside it, as it would with one scale a batch. Whether 8 bits are faster depends on the
processor (without VNNI they are slower): :mod:`c2v.encoder.towers.precision` tries it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import BundleConfig, ImageConfig
from c2v.encoder.tensors import read_tensors
from c2v.encoder.towers import require_keys
from c2v.encoder.towers.onnx_image import session_options
from c2v.encoder.towers.vision_graph import PICTURES, VisionGraph
from c2v.encoder.towers.vision_shape import VisionShape
from c2v.errors import ModelError

if TYPE_CHECKING:
    from c2v.encoder.towers.onnx_runtime import InferenceSession

_BATCH = 16  # pictures at once: their activations stay in the cache, memory stays flat


class OnnxClipTower:
    """Frames to features on the CPU. Thread-safe, as a session of ONNX Runtime is.

    Attributes:
        precision: ``fp32`` or ``int8``.
    """

    def __init__(
        self,
        tensors: Mapping[str, NDArray[Any]],
        shape: VisionShape,
        config: ImageConfig,
        *,
        precision: str,
        threads: int | None = None,
    ) -> None:
        """Take the weights of a tower, all of them and in fp32.

        Raises:
            ModelError: the installed ONNX Runtime cannot run it in this precision.
        """
        self.precision = precision
        self._dim = shape.output_dim
        graph = VisionGraph(tensors, shape, rounded=precision == "int8")
        result = graph.write(mean=config.mean, std=config.std)
        source = (PICTURES, "uint8", ("n", shape.side, shape.side, 3))
        try:
            self._session: InferenceSession = graph.session(
                source=source, result=result, options=session_options(threads)
            )
        except Exception as error:  # the runtime's errors have no common class of their own
            raise ModelError(
                f"this ONNX Runtime cannot run the image tower in {precision}: {error}",
                hint="--precision fp32, or a newer onnxruntime",
            ) from error
        self._result = result

    @classmethod
    def load(
        cls, directory: Path, config: BundleConfig, *, precision: str, threads: int | None = None
    ) -> OnnxClipTower:
        """The tower of the bundle in ``directory``; its weights are memory-mapped.

        Raises:
            ModelError: a weight is missing, unknown or of another shape, or the tower is not one
                that a graph can be written of.
        """
        shape = VisionShape.of(config.image)
        if shape is None:
            raise ModelError(f"{config.name}: its image tower needs torch")
        path = directory / "image.safetensors"
        tensors = read_tensors(path)
        found = {name: array.shape for name, array in tensors.items()}
        require_keys(found, shape.tensors(), what=str(path))
        return cls(tensors, shape, config.image, precision=precision, threads=threads)

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[N, side, side, 3] uint8 RGB to [N, D] float32, not normalised; any N."""
        features = np.empty((len(images), self._dim), np.float32)
        for start in range(0, len(images), _BATCH):
            batch = np.ascontiguousarray(images[start : start + _BATCH])
            rows = self._session.run([self._result], {PICTURES: batch})[0]
            features[start : start + _BATCH] = rows
        return features

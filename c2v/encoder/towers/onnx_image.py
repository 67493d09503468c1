"""An image tower in one ONNX file, run by ONNX Runtime on the CPU.

The file takes pictures as they come from the decoder ([N, side, side, 3] uint8 RGB) and does the
rest itself: preprocessing, backbone, projection. ONNX Runtime is imported when a tower is made.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.cores import usable_cores
from c2v.encoder.bundle_config import BundleConfig
from c2v.encoder.towers import no_such_precision
from c2v.encoder.towers.onnx_runtime import onnx_runtime
from c2v.errors import ModelError

if TYPE_CHECKING:
    from c2v.encoder.towers.onnx_runtime import InferenceSession, SessionOptions

GRAPH_NAME = "image.onnx"
PRECISION = "int8"
"""Of every such file: its maker rounded it, and it runs as it is."""
_BATCH = 16  # pictures at once: their activations stay in the cache, memory stays flat


def check_precision(config: BundleConfig, precision: str) -> None:
    """Refuse a precision that was asked for and is not the file's own.

    Raises:
        ModelError: it is not ``auto``, and not that of the file.
    """
    if precision not in ("auto", PRECISION):
        raise no_such_precision(config, precision, f": it computes in {PRECISION}")


class OnnxImageTower:
    """Frames to features. Thread-safe, as a session of ONNX Runtime is."""

    def __init__(self, session: InferenceSession, *, feature_dim: int) -> None:
        self._session = session
        self._feature_dim = feature_dim
        self._input = session.get_inputs()[0].name

    @classmethod
    def load(
        cls, directory: Path, config: BundleConfig, *, threads: int | None = None
    ) -> OnnxImageTower:
        """The tower of the bundle in ``directory``.

        Args:
            directory: the folder of the bundle.
            config: its configuration.
            threads: cores to use, by default all this process may use.

        Raises:
            ModelError: the file is absent or damaged.
        """
        return cls(
            make_session(directory / GRAPH_NAME, threads=threads), feature_dim=config.feature_dim
        )

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[N, side, side, 3] uint8 RGB to [N, D] float32, not normalised; any N."""
        features = np.empty((len(images), self._feature_dim), np.float32)
        for start in range(0, len(images), _BATCH):
            batch = np.ascontiguousarray(images[start : start + _BATCH])
            features[start : start + _BATCH] = self._session.run(None, {self._input: batch})[0]
        return features


def make_session(path: Path, *, threads: int | None = None) -> InferenceSession:
    """A session on the CPU that leaves the cores to the decoders while it has nothing to do.

    Raises:
        ModelError: the file is absent or damaged.
    """
    runtime, options = onnx_runtime(), session_options(threads)
    try:
        session: InferenceSession = runtime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the runtime's errors have no common class of their own
        raise ModelError(f"{path} cannot be read: {error}", hint="c2v model list") from error
    return session


def session_options(threads: int | None = None) -> SessionOptions:
    """How every session runs: on ``threads`` cores, by default all this process may use."""
    options: SessionOptions = onnx_runtime().SessionOptions()
    options.intra_op_num_threads = usable_cores() if threads is None else threads
    options.inter_op_num_threads = 1
    # A waiting thread that spins takes a core from the thread that decodes the next video.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options

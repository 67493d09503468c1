"""An image tower in one ONNX file, run by ONNX Runtime on the CPU.

The file (``image.onnx``) takes pictures as they come from the decoder and does the rest itself:
preprocessing, backbone, projection. Its only input is of the type uint8 and RGB,

* [N, side, side, 3] of the family ``onnx``, which encodes frames one by one;
* [N, T, side, side, 3] of the family ``onnx_clip``, which encodes clips of T pictures at once (a
  3D convolution, a space-time transformer: the towers of VideoPrism, InternVideo);

and its first output is [N, D] float32, for any N. ``image.settings`` of an ``onnx_clip`` are
``{"frames": T, "seconds": S}``: a clip is T pictures spread evenly over S seconds. Such a bundle is
indexed, searched and fine-tuned like any other: a clip stands where a frame stands, with one
feature and the time of its middle, so segments hold a clip each S seconds, the best moment of a
segment is its best clip, and a head sees the clips of a segment as it would see frames. ONNX
Runtime is imported when a tower is made.
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
"""Of every file for pictures: its maker rounded it, and it runs as it is."""
_BATCH = 16  # pictures at once: their activations stay in the cache, memory stays flat


def check_precision(config: BundleConfig, precision: str) -> None:
    """Refuse a precision that was asked for and is not the file's own.

    Raises:
        ModelError: it is not ``auto``, and not that of the file.
    """
    if precision not in ("auto", PRECISION):
        is_clip = config.image.clip is not None
        how = "its file runs as it is" if is_clip else f"it computes in {PRECISION}"
        raise no_such_precision(config, precision, f": {how}")


class OnnxImageTower:
    """Frames to features. Thread-safe, as a session of ONNX Runtime is."""

    def __init__(
        self, session: InferenceSession, *, feature_dim: int, at_once: int = _BATCH
    ) -> None:
        self._session = session
        self._feature_dim = feature_dim
        self._at_once = at_once
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
        session = make_session(directory / GRAPH_NAME, threads=threads)
        side, clip = config.image.side, config.image.clip
        inner = (side, side, 3) if clip is None else (clip[0], side, side, 3)
        check_graph(session, inner, config.feature_dim, file=directory / GRAPH_NAME)
        at_once = _BATCH if clip is None else max(1, _BATCH // clip[0])
        if session.get_inputs()[0].shape[0] == 1:
            at_once = 1  # it was exported for one
        return cls(session, feature_dim=config.feature_dim, at_once=at_once)

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[N, side, side, 3] (clips: [N, T, side, side, 3]) uint8 RGB to [N, D] float32, not
        normalised; any N."""
        features = np.empty((len(images), self._feature_dim), np.float32)
        step = self._at_once
        for start in range(0, len(images), step):
            batch = np.ascontiguousarray(images[start : start + step])
            features[start : start + step] = self._session.run(None, {self._input: batch})[0]
        return features


def check_graph(
    session: InferenceSession, inner: tuple[int, ...], feature_dim: int, *, file: Path
) -> None:
    """Compare what a graph takes and gives with what the bundle says of it; sizes that a graph
    leaves open pass.

    Raises:
        ModelError: it takes pictures of another shape or type, or gives features of another width.
    """
    taken, given = session.get_inputs(), list(session.get_outputs()[0].shape)
    shape = list(taken[0].shape)
    if len(taken) != 1 or taken[0].type != "tensor(uint8)" or not _fits(shape, inner):
        raise ModelError(
            f"{file} takes {taken[0].type} {shape}, and its config.json says uint8 {['N', *inner]}",
            hint="export it with one input, uint8 RGB pictures as they come from the decoder",
        )
    if not _fits(given, (feature_dim,)):
        raise ModelError(
            f"{file} gives features {given}, and its config.json says {['N', feature_dim]}",
            hint="export it with one output, a feature for each picture or clip",
        )


def _fits(shape: list[int | str | None], inner: tuple[int, ...]) -> bool:
    """Whether a shape is ``inner`` for each of any number (or of one) of pictures."""
    if len(shape) != 1 + len(inner) or (isinstance(shape[0], int) and shape[0] != 1):
        return False
    sizes = zip(shape[1:], inner, strict=True)
    return all(size == wanted for size, wanted in sizes if isinstance(size, int))


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

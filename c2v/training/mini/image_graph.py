"""EfficientNet-Lite0 and its projection as one ONNX graph.

The graph is written operator by operator, so that no exporter and no model library is needed and
the same weights always give the same file. Batch norms are folded into the convolutions before
them. Weights are stored in 16 bits and computed with in 32: ONNX Runtime widens them once, when
the session is made.

Source: Tan and Le 2019 (EfficientNet) and its "lite" variant: ReLU6, no squeeze-and-excite.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

SIDE = 224
POOLED_DIM = 1280

_BLOCKS = 16
_STRIDE_TWO = frozenset({1, 3, 5, 11})  # the blocks that halve the grid
_NORM_EPSILON = 1e-3
_HALF_RANGE = 127.5  # mean = std = 0.5 on a scale of 0 to 1
_OPSET = 17
_IR_VERSION = 8  # read by every ONNX Runtime since 1.14
_FLOAT16_FROM = 1024  # smaller constants stay exact

Weights = Mapping[str, NDArray[Any]]


class _Graph:
    """Nodes and constants in the making; every method returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._cast: dict[str, str] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        if value.dtype != np.float32 or value.size < _FLOAT16_FROM:
            self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
            return name
        self.constants.append(numpy_helper.from_array(value.astype(np.float16, order="C"), name))
        return self.apply("Cast", name, to=1)  # FLOAT

    def apply(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def number(self, name: str, value: float) -> str:
        return self.constant(name, np.float32(value).reshape(()))


class _Backbone:
    """The layers of EfficientNet-Lite0, added to a graph in order."""

    def __init__(self, graph: _Graph, weights: Weights) -> None:
        self._graph = graph
        self._weights = weights
        self._limits = (graph.number("zero", 0.0), graph.number("six", 6.0))

    def __call__(self, x: str) -> str:
        """[N, 3, 224, 224] to [N, 1280, 7, 7]."""
        x = self._convolve(x, "_conv_stem", "_bn0", stride=2)
        for index in range(_BLOCKS):
            x = self._block(x, f"_blocks.{index}.", stride=2 if index in _STRIDE_TWO else 1)
        return self._convolve(x, "_conv_head", "_bn1")

    def _block(self, x: str, name: str, *, stride: int) -> str:
        """Widen, filter each channel, narrow; the input is added where the shape is kept."""
        y, width = x, self._weights[f"{name}_depthwise_conv.weight"].shape[0]
        if f"{name}_expand_conv.weight" in self._weights:
            width = self._weights[f"{name}_expand_conv.weight"].shape[1]
            y = self._convolve(y, f"{name}_expand_conv", f"{name}_bn0")
        y = self._convolve(y, f"{name}_depthwise_conv", f"{name}_bn1", stride=stride)
        y = self._convolve(y, f"{name}_project_conv", f"{name}_bn2", active=False)
        kept = stride == 1 and self._weights[f"{name}_project_conv.weight"].shape[0] == width
        return self._graph.apply("Add", y, x) if kept else y

    def _convolve(
        self, x: str, name: str, norm: str, *, stride: int = 1, active: bool = True
    ) -> str:
        kernel, bias = fold_norm(self._weights, name, norm)
        size = kernel.shape[2]
        # TensorFlow's "same": for an even input the odd pixel of padding comes last.
        before, after = (size - stride) // 2, (size - stride) - (size - stride) // 2
        y = self._graph.apply(
            "Conv",
            x,
            self._graph.constant(f"{name}.weight", kernel),
            self._graph.constant(f"{name}.bias", bias),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[before, before, after, after] if size > 1 else [0, 0, 0, 0],
            group=kernel.shape[0] if "_depthwise" in name else 1,
        )
        return self._graph.apply("Clip", y, *self._limits) if active else y


def fold_norm(
    weights: Weights, name: str, norm: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel and bias of a convolution that includes the batch norm after it."""
    kernel = weights[f"{name}.weight"].astype(np.float64)
    gain = weights[f"{norm}.weight"] / np.sqrt(
        weights[f"{norm}.running_var"].astype(np.float64) + _NORM_EPSILON
    )
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain
    return (kernel * gain[:, None, None, None]).astype(np.float32), bias.astype(np.float32)


def write_image_graph(path: Path, weights: Weights, projection: Weights | None = None) -> None:
    """Write the tower: [N, 224, 224, 3] uint8 RGB to [N, D], or [N, 1280] without projection.

    Args:
        path: the ONNX file.
        weights: EfficientNet-Lite0, by the names of its PyTorch checkpoint.
        projection: ``mean``, ``std``, and ``linear``, ``up``, ``down`` with ``.weight`` [in, out]
            and ``.bias``.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph()
    x = graph.apply("Cast", "images", to=TensorProto.FLOAT)
    half = graph.number("half_range", _HALF_RANGE)
    x = graph.apply("Div", graph.apply("Sub", x, half), half)
    x = graph.apply("Transpose", x, perm=[0, 3, 1, 2])
    x = _Backbone(graph, weights)(x)
    x = graph.apply("Flatten", graph.apply("GlobalAveragePool", x))  # [N, 1280]
    if projection is not None:
        x = _project(graph, x, projection)
    graph.nodes[-1].output[0] = "features"
    width = POOLED_DIM if projection is None else projection["down.weight"].shape[1]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "image",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", width])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _project(graph: _Graph, x: str, projection: Weights) -> str:
    """Standardise, then a linear layer plus a two-layer MLP: [N, 1280] to [N, D]."""

    def linear(x: str, name: str) -> str:
        weight = graph.constant(f"{name}.weight", projection[f"{name}.weight"])
        return graph.apply(
            "Gemm", x, weight, graph.constant(f"{name}.bias", projection[f"{name}.bias"])
        )

    centred = graph.apply("Sub", x, graph.constant("mean", projection["mean"]))
    x = graph.apply("Div", centred, graph.constant("std", projection["std"]))
    hidden = linear(x, "up")
    scaled = graph.apply("Mul", hidden, graph.number("sqrt_half", 0.5**0.5))
    normal = graph.apply("Add", graph.apply("Erf", scaled), graph.number("one", 1.0))
    gelu = graph.apply("Mul", graph.apply("Mul", hidden, normal), graph.number("one_half", 0.5))
    return graph.apply("Add", linear(x, "linear"), linear(gelu, "down"))

"""The image tower of ``mini`` as one ONNX graph: EfficientNet-Lite0 in 8 bits, then a projection.

The graph is written operator by operator, so no exporter is needed and the same weights always
give the same file. Rounding is static: scales of activations come from calibration, so the feature
of a picture does not depend on the pictures beside it.

* Weights have 7 bits, one scale an output channel. With 8 bits, the 16-bit sums of x86 processors
  without VNNI overflow (levels 255 * 127 twice), and features would differ between machines.
* Biases are corrected for the mean error of the rounded weights (Nagel et al. 2019, section 4.2).
* What comes after the pooled features is stored in 8 bits, one scale a column, and computed with
  in 32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tests.mini.blend import Blend, Classifier
from tests.mini.calibration import Range
from tests.mini.lite0 import INPUT, POOLED_DIM, SIDE, Layer
from tests.mini.text_tensors import round_columns

if TYPE_CHECKING:
    import onnx

_LEVELS = 63  # of a weight, to each side of zero
_OPSET = 17
_IR_VERSION = 8  # read by every ONNX Runtime since 1.14

Array = NDArray[np.float32]


class _Graph:
    """Nodes and constants in the making; every method returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        from onnx import numpy_helper

        array = np.asarray(value, order="C")
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def apply(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def levels(self, name: str, value: Array) -> str:
        """A matrix [in, out] stored in 8 bits; the runtime widens it once, when it is loaded."""
        levels, scale = round_columns(value)
        wide = self.apply("Cast", self.constant(name, levels), to=1)  # to FLOAT
        return self.apply("Mul", wide, self.constant(f"{name}.scale", scale))

    def rounded(self, name: str, values: NDArray[Any], scale: Array) -> str:
        """A constant in integers, with one scale for each entry of its first axis."""
        zeros = np.zeros(len(values), values.dtype)
        return self.apply(
            "DequantizeLinear",
            self.constant(name, values),
            self.constant(f"{name}.scale", scale),
            self.constant(f"{name}.zero", zeros),
            axis=0,
        )

    def round(self, x: str, name: str, kept: Range) -> str:
        """``x`` in 8 bits; ReLU6 is part of it, because the range ends where ReLU6 does."""
        scale, zero = self.range_of(name, kept)
        return self.apply("QuantizeLinear", x, scale, zero)

    def widen(self, levels: str, name: str, kept: Range) -> str:
        return self.apply("DequantizeLinear", levels, *self.range_of(name, kept))

    def range_of(self, name: str, kept: Range) -> tuple[str, str]:
        scale = self.constant(f"{name}.range.scale", kept.scale)
        return scale, self.constant(f"{name}.range.zero", kept.zero)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is computed of pooled features: the learnt feature, the classes, and their blend.

    ``projection`` has ``mean``, ``std``, and ``linear``, ``up``, ``down`` with ``.weight``
    [in, out] and ``.bias``.
    """

    projection: Mapping[str, Array]
    classifier: Classifier
    blend: Blend


def write_image_graph(
    path: Path,
    network: Sequence[Layer],
    ranges: Mapping[str, Range],
    outputs: Outputs | None = None,
) -> None:
    """Write the tower: [N, 224, 224, 3] uint8 RGB to [N, D], or [N, 1280] without ``outputs``.

    Args:
        path: the ONNX file.
        network: from :func:`tests.mini.lite0.layers`.
        ranges: from :func:`tests.mini.calibration.calibrate`.
        outputs: what comes after the pooled features.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph()
    x = _backbone(graph, graph.apply("Transpose", "images", perm=[0, 3, 1, 2]), network, ranges)
    x = graph.apply("Flatten", graph.apply("GlobalAveragePool", x))  # [N, 1280]
    if outputs is not None:
        x = _blend(graph, x, outputs)
    graph.nodes[-1].output[0] = "features"
    width = POOLED_DIM if outputs is None else len(outputs.blend.offset)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "image",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", width])],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def round_kernel(layer: Layer, mean: Array) -> tuple[NDArray[np.int8], Array, Array]:
    """Levels [out, in, k, k], scale [out] and corrected bias [out] of a convolution.

    Args:
        layer: the convolution in 32 bits.
        mean: of each channel it reads; the mean of each channel it gives is kept.
    """
    flat = layer.kernel.reshape(len(layer.kernel), -1)
    # A dead channel has no weights to scale: any small scale keeps it dead.
    scale = np.maximum(np.abs(flat).max(1) / _LEVELS, 1e-6).astype(np.float32)
    levels = np.rint(layer.kernel / scale[:, None, None, None]).astype(np.int8)
    error = levels * scale[:, None, None, None] - layer.kernel  # [out, in / groups, k, k]
    read = mean[:, None] if layer.groups > 1 else mean[None]
    bias = layer.bias - (error.sum((2, 3)) * read).sum(1)
    if layer.source == INPUT:  # level 128 stands for zero, which is half a level too high
        bias = bias + layer.kernel.sum((1, 2, 3)) * np.float32(0.5 / 127.5)
    return levels, scale, bias.astype(np.float32)


def _backbone(graph: _Graph, x: str, network: Sequence[Layer], ranges: Mapping[str, Range]) -> str:
    """[N, 3, 224, 224] levels to [N, 1280, 7, 7]."""
    levels = {INPUT: x}
    for layer in network:
        source = ranges[layer.source]
        x = _convolve(graph, graph.widen(levels[layer.source], layer.source, source), layer, source)
        kept = ranges[layer.name]
        levels[layer.name] = graph.round(x, layer.name, kept)
        if layer.residual:
            x = graph.apply(
                "Add",
                graph.widen(levels[layer.name], layer.name, kept),
                graph.widen(levels[layer.residual], layer.residual, ranges[layer.residual]),
            )
            levels[layer.output] = graph.round(x, layer.output, ranges[layer.output])
    last = network[-1].output
    return graph.widen(levels[last], last, ranges[last])


def _convolve(graph: _Graph, x: str, layer: Layer, source: Range) -> str:
    kernel, scale, bias = round_kernel(layer, source.mean)
    bias_scale = scale * source.scale
    size, (before, after) = kernel.shape[2], layer.padding
    return graph.apply(
        "Conv",
        x,
        graph.rounded(f"{layer.name}.weight", kernel, scale),
        graph.rounded(
            f"{layer.name}.bias", np.rint(bias / bias_scale).astype(np.int32), bias_scale
        ),
        kernel_shape=[size, size],
        strides=[layer.stride, layer.stride],
        pads=[before, before, after, after],
        group=layer.groups,
    )


def _blend(graph: _Graph, x: str, outputs: Outputs) -> str:
    """Pooled features [N, 1280] to [N, D]: see :mod:`tests.mini.blend`."""
    blend, classifier = outputs.blend, outputs.classifier
    learned = _project(graph, x, outputs.projection)
    length = graph.apply("ReduceL2", learned, axes=[1], keepdims=1)
    learned = graph.apply("Div", learned, length)
    shown = _linear(graph, x, "classifier", classifier.weight, classifier.bias)
    shown = _linear(
        graph, graph.apply("Softmax", shown, axis=1), "classes", blend.classes, blend.offset
    )
    turned = graph.apply("MatMul", learned, graph.levels("learned", blend.learned))
    return graph.apply("Add", turned, shown)


def _linear(graph: _Graph, x: str, name: str, weight: Array, bias: Array) -> str:
    matrix = graph.levels(f"{name}.weight", weight)
    return graph.apply("Gemm", x, matrix, graph.constant(f"{name}.bias", bias))


def _project(graph: _Graph, x: str, projection: Mapping[str, Array]) -> str:
    """Standardise, then a linear layer plus a two-layer MLP: [N, 1280] to [N, U]."""

    def linear(x: str, name: str) -> str:
        return _linear(graph, x, name, projection[f"{name}.weight"], projection[f"{name}.bias"])

    def number(name: str, value: float) -> str:
        return graph.constant(name, np.float32(value))

    centred = graph.apply("Sub", x, graph.constant("mean", projection["mean"]))
    x = graph.apply("Div", centred, graph.constant("std", projection["std"]))
    hidden = linear(x, "up")
    error = graph.apply("Erf", graph.apply("Mul", hidden, number("sqrt_half", 0.5**0.5)))
    normal = graph.apply("Add", error, number("one", 1.0))
    gelu = graph.apply("Mul", graph.apply("Mul", hidden, normal), number("one_half", 0.5))
    return graph.apply("Add", linear(x, "linear"), linear(gelu, "down"))

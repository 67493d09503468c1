"""EfficientNet-Lite0 as a list of convolutions, and its run in 32 bits.

Batch norms are folded into the convolutions before them, so that what is left is: convolution,
sometimes ReLU6, sometimes a residual.

Source: Tan and Le 2019 (EfficientNet) and its "lite" variant: ReLU6, no squeeze-and-excite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 224
POOLED_DIM = 1280
CEILING = 6.0  # of ReLU6
INPUT = "pixels"

_BLOCKS = 16
_STRIDE_TWO = frozenset({1, 3, 5, 11})  # the blocks that halve the grid
_NORM_EPSILON = 1e-3

Array = NDArray[np.float32]
Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution. Its output is called ``name``, or ``name + "+"`` with a residual added.

    Attributes:
        name: of the convolution in the checkpoint.
        source: name of the tensor it reads.
        kernel: [out, in / groups, size, size].
        bias: [out].
        stride: 1 or 2.
        relu: whether ReLU6 follows.
        residual: name of the tensor that is added to the output, or empty.
    """

    name: str
    source: str
    kernel: Array
    bias: Array
    stride: int
    relu: bool
    residual: str

    @property
    def output(self) -> str:
        """Name of what the next layer reads."""
        return f"{self.name}+" if self.residual else self.name

    @property
    def groups(self) -> int:
        """One a channel for a depthwise convolution, else one."""
        return len(self.kernel) if "_depthwise" in self.name else 1

    @property
    def padding(self) -> tuple[int, int]:
        """Before and after: TensorFlow's "same", where an odd pixel of padding comes last."""
        total = self.kernel.shape[2] - self.stride if self.kernel.shape[2] > 1 else 0
        return total // 2, total - total // 2


def layers(weights: Weights) -> tuple[Layer, ...]:
    """All layers in order, from the weights by the names of the PyTorch checkpoint."""
    made: list[Layer] = []

    def add(
        name: str, norm: str, *, stride: int = 1, relu: bool = True, residual: str = ""
    ) -> None:
        source = made[-1].output if made else INPUT
        kernel, bias = fold_norm(weights, name, norm)
        made.append(Layer(name, source, kernel, bias, stride, relu, residual))

    add("_conv_stem", "_bn0", stride=2)
    for index in range(_BLOCKS):
        block, entry = f"_blocks.{index}.", made[-1]
        stride = 2 if index in _STRIDE_TWO else 1
        if f"{block}_expand_conv.weight" in weights:
            add(f"{block}_expand_conv", f"{block}_bn0")
        add(f"{block}_depthwise_conv", f"{block}_bn1", stride=stride)
        width = len(weights[f"{block}_project_conv.weight"])
        kept = stride == 1 and width == len(entry.kernel)
        residual = entry.output if kept else ""
        add(f"{block}_project_conv", f"{block}_bn2", relu=False, residual=residual)
    add("_conv_head", "_bn1")
    return tuple(made)


def fold_norm(weights: Weights, name: str, norm: str) -> tuple[Array, Array]:
    """Kernel and bias of a convolution that includes the batch norm after it."""
    kernel = weights[f"{name}.weight"].astype(np.float64)
    gain = weights[f"{norm}.weight"] / np.sqrt(
        weights[f"{norm}.running_var"].astype(np.float64) + _NORM_EPSILON
    )
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain
    return (kernel * gain[:, None, None, None]).astype(np.float32), bias.astype(np.float32)


def activations(
    network: Sequence[Layer], pictures: NDArray[np.uint8]
) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a run in 32 bits, as (name, [N, channels, height, width]), in order.

    Args:
        network: from :func:`layers`.
        pictures: [N, 224, 224, 3] RGB.
    """
    import torch
    from torch.nn import functional

    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    alive = {INPUT: x}
    yield INPUT, x
    for layer in network:
        before, after = layer.padding
        x = functional.conv2d(
            functional.pad(alive[layer.source], (before, after, before, after)),
            torch.from_numpy(layer.kernel),
            torch.from_numpy(layer.bias),
            stride=layer.stride,
            groups=layer.groups,
        )
        x = x.clamp(0, CEILING) if layer.relu else x
        yield layer.name, x
        if layer.residual:
            x = x + alive[layer.residual]
            yield layer.output, x
        alive[layer.output] = x
        needed = {layer.output} | {later.residual for later in network}
        alive = {name: tensor for name, tensor in alive.items() if name in needed}


def pooled(network: Sequence[Layer], pictures: NDArray[np.uint8]) -> Array:
    """Features of pictures in 32 bits, [N, 1280]; what the rounded tower is measured against."""
    *_, (_, last) = activations(network, pictures)
    features: Array = last.mean((2, 3)).numpy()
    return features

"""Graphs for ONNX Runtime, written operator by operator into the bytes that it reads.

The package ``onnx`` is not needed to run c2v: of its format (protocol buffers, onnx.proto3) this
module writes the little that a graph takes. Weights are not copied into the bytes: they are handed
over beside them, as the arrays that they are (see :meth:`OnnxGraph.session`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.towers.onnx_runtime import onnx_runtime

if TYPE_CHECKING:
    from c2v.encoder.towers.onnx_runtime import InferenceSession, SessionOptions

_OPSET = 17
_IR_VERSION = 8  # read by every ONNX Runtime since 1.14
_CONTRIB = "com.microsoft"
_CONTRIB_OPSET = 1
_SMALL_BYTES = 128  # the runtime wants shapes and axes in the graph itself, to reason about them
_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}  # TensorProto.DataType

Attribute = int | float | str | Sequence[int]


class OnnxGraph:
    """Operators and constants in the making; every method returns the name of its output."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._names = 0

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """An array that every run uses; it must not be written to while a session lives."""
        self._constants[name] = np.ascontiguousarray(value)
        return name

    def apply(self, kind: str, *inputs: str, contrib: bool = False, **attributes: Attribute) -> str:
        """One operator with one output; ``contrib`` for those that are ONNX Runtime's own."""
        return self.apply_many(kind, *inputs, outputs=1, contrib=contrib, **attributes)[0]

    def apply_many(
        self, kind: str, *inputs: str, outputs: int, contrib: bool = False, **attributes: Attribute
    ) -> list[str]:
        """One operator with several outputs. An empty name stands for an input left out."""
        self._names += 1
        names = [f"{kind}_{self._names}_{number}" for number in range(outputs)]
        node = b"".join(_text(1, name) for name in inputs)
        node += b"".join(_text(2, name) for name in names)
        node += _text(3, names[0]) + _text(4, kind)
        node += b"".join(_bytes(5, _attribute(name, value)) for name, value in attributes.items())
        if contrib:
            node += _text(7, _CONTRIB)
        self._nodes.append(node)
        return names

    def session(
        self,
        *,
        source: tuple[str, str, Sequence[int | str]],
        result: str,
        options: SessionOptions,
    ) -> InferenceSession:
        """A session on the CPU that computes ``result`` from ``source`` (name, type, shape).

        The arrays of the constants are shared with the session, not copied. Whatever ONNX Runtime
        raises is passed on: an operator that this version lacks, for one.
        """
        runtime = onnx_runtime()
        large = {n: a for n, a in self._constants.items() if a.nbytes > _SMALL_BYTES}
        values = [runtime.OrtValue.ortvalue_from_numpy(array) for array in large.values()]
        options.add_external_initializers(list(large), values)
        session: InferenceSession = runtime.InferenceSession(
            self._model(source, result), options, providers=["CPUExecutionProvider"]
        )
        return session

    def _model(self, source: tuple[str, str, Sequence[int | str]], result: str) -> bytes:
        graph = b"".join(_bytes(1, node) for node in self._nodes) + _text(2, "tower")
        graph += b"".join(_bytes(5, _tensor(n, array)) for n, array in self._constants.items())
        graph += _bytes(11, _value_info(*source)) + _bytes(12, _value_info(result, "float32", ()))
        opsets = _bytes(8, _number(2, _OPSET))
        opsets += _bytes(8, _text(1, _CONTRIB) + _number(2, _CONTRIB_OPSET))
        return _number(1, _IR_VERSION) + _bytes(7, graph) + opsets


# -- messages of onnx.proto3 ---------------------------------------------------------------------


def _attribute(name: str, value: Attribute) -> bytes:
    """AttributeProto; field 20 says which kind of value it holds."""
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, 2)
    if isinstance(value, float):
        return _text(1, name) + _tag(2, 5) + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _number(20, 3)
    return _text(1, name) + b"".join(_number(8, item) for item in value) + _number(20, 7)


def _tensor(name: str, array: NDArray[Any]) -> bytes:
    """TensorProto: with its values when they are few, else with a promise of them."""
    head = b"".join(_number(1, size) for size in array.shape)
    head += _number(2, _TYPES[array.dtype.name]) + _text(8, name)
    if array.nbytes <= _SMALL_BYTES:
        return head + _bytes(9, array.astype(array.dtype.newbyteorder("<")).tobytes())
    place = _bytes(13, _text(1, "location") + _text(2, "memory"))
    return head + place + _number(14, 1)


def _value_info(name: str, kind: str, shape: Sequence[int | str]) -> bytes:
    """ValueInfoProto; a name in place of a size means any size, and no shape means any shape."""
    sizes = b"".join(
        _bytes(1, _text(2, size) if isinstance(size, str) else _number(1, size)) for size in shape
    )
    tensor = _number(1, _TYPES[kind]) + (_bytes(2, sizes) if shape else b"")
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


# -- protocol buffers ----------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers are written as 64-bit two's complement
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _number(field: int, value: int) -> bytes:
    return _tag(field, 0) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())

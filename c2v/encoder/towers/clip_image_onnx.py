"""The image tower of a CLIP vision transformer on ONNX Runtime, without torch.

The transformer of open_clip (ViT-B/32, ViT-B/16, ViT-L/14, ...) is written out as a graph over the
weights of the bundle. Three things make it cheaper than the module it stands for, and none of them
changes a feature by more than rounding: preprocessing is folded into the patch embedding; of the
last layer only the class token is computed, which is all that is used of it (7 % of ViT-B/32); and
biases, residuals and norms share passes over memory.

``int8`` rounds the matrices of the transformer to 8 bits with a scale for each block of inputs,
and activations likewise, row by row, as they come. A feature therefore does not depend on the
pictures beside it, as it would with one scale a batch. Whether 8 bits are faster depends on the
processor (without VNNI they are slower): :mod:`c2v.encoder.towers.precision` tries it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import BundleConfig, ImageConfig
from c2v.encoder.tensors import read_tensors
from c2v.encoder.towers import require_keys
from c2v.encoder.towers.onnx_graph import OnnxGraph
from c2v.encoder.towers.onnx_image import session_options
from c2v.errors import ModelError

if TYPE_CHECKING:
    from c2v.encoder.towers.onnx_runtime import InferenceSession

_BATCH = 16  # pictures at once: their activations stay in the cache, memory stays flat
_BLOCK = 128  # inputs that share a scale
_UNDERSTOOD = frozenset({"image_size", "patch_size", "width", "layers", "head_width", "mlp_ratio"})
_EPSILON = 1e-5

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VisionShape:
    """The sizes of a vision transformer of open_clip."""

    side: int
    patch: int
    width: int
    layers: int
    heads: int
    mlp_width: int
    output_dim: int
    quick_gelu: bool

    @classmethod
    def of(cls, image: ImageConfig) -> VisionShape | None:
        """None when the tower is not a plain vision transformer: torch runs it then."""
        vision = image.settings.get("vision_cfg", {})
        if set(vision) - _UNDERSTOOD or not isinstance(vision.get("layers"), int):
            return None
        width, head = int(vision.get("width", 768)), int(vision.get("head_width", 64))
        patch = int(vision.get("patch_size", 16))
        if width % head or image.side % patch:
            return None
        return cls(
            side=image.side,
            patch=patch,
            width=width,
            layers=int(vision["layers"]),
            heads=width // head,
            mlp_width=int(width * float(vision.get("mlp_ratio", 4.0))),
            output_dim=int(image.settings["embed_dim"]),
            quick_gelu=bool(image.settings.get("quick_gelu", False)),
        )

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Every weight with its shape, by open_clip's names without ``visual.``."""
        width, mlp = self.width, self.mlp_width
        found: dict[str, tuple[int, ...]] = {
            "class_embedding": (width,),
            "positional_embedding": ((self.side // self.patch) ** 2 + 1, width),
            "conv1.weight": (width, 3, self.patch, self.patch),
            "proj": (width, self.output_dim),
        }
        layers = [f"transformer.resblocks.{number}." for number in range(self.layers)]
        for norm in ("ln_pre", "ln_post", *(f"{b}{n}" for b in layers for n in ("ln_1", "ln_2"))):
            found |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
        for layer in layers:
            found |= {
                f"{layer}attn.in_proj_weight": (3 * width, width),
                f"{layer}attn.in_proj_bias": (3 * width,),
                f"{layer}attn.out_proj.weight": (width, width),
                f"{layer}attn.out_proj.bias": (width,),
                f"{layer}mlp.c_fc.weight": (mlp, width),
                f"{layer}mlp.c_fc.bias": (mlp,),
                f"{layer}mlp.c_proj.weight": (width, mlp),
                f"{layer}mlp.c_proj.bias": (width,),
            }
        return found


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
        graph = _TowerGraph(tensors, shape, rounded=precision == "int8")
        result = graph.write(mean=config.mean, std=config.std)
        source = ("images", "uint8", ("n", shape.side, shape.side, 3))
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
            rows = self._session.run([self._result], {"images": batch})[0]
            features[start : start + _BATCH] = rows
        return features


class _TowerGraph(OnnxGraph):
    """The transformer, written over tokens in rows: [N * T, width], T patches and a class."""

    def __init__(
        self, tensors: Mapping[str, NDArray[Any]], shape: VisionShape, *, rounded: bool
    ) -> None:
        super().__init__()
        self._tensors = tensors
        self._shape = shape
        self._rounded = rounded

    def write(self, *, mean: Sequence[float], std: Sequence[float]) -> str:
        """The whole tower; the name of its result, features [N, D]."""
        shape = self._shape
        x = self._norm(self._tokens(mean, std), "ln_pre")
        h = self._norm(x, "transformer.resblocks.0.ln_1")
        for number in range(shape.layers):
            layer, is_last = f"transformer.resblocks.{number}.", number + 1 == shape.layers
            attended, x = self._attend(h, x, layer, is_last=is_last)
            x, h = self._add_and_norm(x, attended, f"{layer}ln_2")
            hidden = self._linear(h, f"{layer}mlp.c_fc.weight", f"{layer}mlp.c_fc.bias")
            grown = self._linear(
                self._gelu(hidden), f"{layer}mlp.c_proj.weight", f"{layer}mlp.c_proj.bias"
            )
            following = f"transformer.resblocks.{number + 1}.ln_1"
            x, h = self._add_and_norm(x, grown, "ln_post" if is_last else following)
        return self.apply("MatMul", h, self.constant("proj", self._tensors["proj"]))

    def _tokens(self, mean: Sequence[float], std: Sequence[float]) -> str:
        """Pictures [N, side, side, 3] to rows [N * T, width].

        (p / 255 - mean) / std is linear, so it is part of the kernel and of the positions.
        """
        shape, tensors = self._shape, self._tensors
        grid, patch, width = shape.side // shape.patch, shape.patch, shape.width
        x = self._reshape("images", -1, grid, patch, grid, patch, 3)
        x = self._reshape(
            self.apply("Transpose", x, perm=[0, 1, 3, 2, 4, 5]), -1, grid * grid, patch * patch * 3
        )
        kernel = tensors["conv1.weight"].astype(np.float64)  # [width, 3, patch, patch]
        centre, spread = (np.asarray(v, np.float64)[:, None, None] for v in (mean, std))
        scaled = (kernel / (255 * spread)).transpose(2, 3, 1, 0).reshape(-1, width)
        shift = -(kernel * (centre / spread)).sum((1, 2, 3))  # [width]
        places = tensors["positional_embedding"].astype(np.float64)
        first = (places[0] + tensors["class_embedding"]).reshape(1, 1, width)
        x = self.apply(
            "MatMul", self.apply("Cast", x, to=1), self.constant("patches", _single(scaled))
        )
        x = self.apply("Add", x, self.constant("places", _single(places[1:] + shift)[None]))
        count = self.apply("Shape", x, start=0, end=1)
        one_each = self.apply("Concat", count, self._integers(1, width), axis=0)
        head = self.apply("Expand", self.constant("first", _single(first)), one_each)
        return self._reshape(self.apply("Concat", head, x, axis=1), -1, width)

    def _attend(self, h: str, x: str, layer: str, *, is_last: bool) -> tuple[str, str]:
        """Attention over the normed tokens ``h``, and the rows of ``x`` that go on from there."""
        width, weight = self._shape.width, f"{layer}attn.in_proj_weight"
        bias = self._vector(f"{layer}attn.in_proj_bias")
        if not is_last:
            joined = self._by_picture(self._linear(h, weight), 3 * width)
            q, k, v = self.apply_many(
                "Split", joined, self._integers(width, width, width), outputs=3, axis=-1
            )
        else:  # the class token looks at all the others, and nobody looks at them any more
            joined = self._by_picture(self._linear(h, weight, rows=slice(width, None)), 2 * width)
            k, v = self.apply_many(
                "Split", joined, self._integers(width, width), outputs=2, axis=-1
            )
            x, h = self._class_rows(x), self._class_rows(h)
            q = self._reshape(self._linear(h, weight, rows=slice(width)), -1, 1, width)
        mixed = self.apply(
            "MultiHeadAttention", q, k, v, bias, contrib=True, num_heads=self._shape.heads
        )
        out = f"{layer}attn.out_proj"
        rows = self._reshape(mixed, -1, width)
        return self._linear(rows, f"{out}.weight", f"{out}.bias"), x

    def _class_rows(self, x: str) -> str:
        """[N * T, width] to the first row of each picture, [N, width]."""
        pictures = self._by_picture(x, self._shape.width)
        first = self.apply("Gather", pictures, self._integers(0), axis=1)
        return self._reshape(first, -1, self._shape.width)

    def _linear(self, x: str, weight: str, bias: str = "", *, rows: slice = slice(None)) -> str:
        """``x`` [R, in] times some rows of a matrix [out, in], transposed: [R, out]."""
        matrix = self._tensors[weight][rows]
        name = f"{weight}:{rows.start}:{rows.stop}"
        offset = self._vector(bias) if bias else ""
        if not self._rounded:
            inputs = [x, self.constant(name, matrix), *([offset] if bias else [])]
            return self.apply("Gemm", *inputs, transB=1)
        levels, scales = round_blocks(matrix)
        inputs = [x, self.constant(name, levels), self.constant(f"{name}.scale", scales.ravel())]
        return self.apply(
            "MatMulNBits",
            *inputs,
            *(["", "", offset] if bias else []),
            contrib=True,
            K=matrix.shape[1],
            N=len(matrix),
            bits=8,
            block_size=_BLOCK,
            accuracy_level=4,  # of activations: 8 bits
        )

    def _gelu(self, x: str) -> str:
        if self._shape.quick_gelu:
            return self.apply("QuickGelu", x, contrib=True, alpha=1.702)
        return self.apply("Gelu", x, contrib=True)

    def _norm(self, x: str, name: str) -> str:
        return self.apply("LayerNormalization", x, *self._pair(name), axis=-1, epsilon=_EPSILON)

    def _add_and_norm(self, x: str, more: str, name: str) -> tuple[str, str]:
        """The sum of two rows of tokens, and that sum normed."""
        normed, _, _, total = self.apply_many(
            "SkipLayerNormalization",
            x,
            more,
            *self._pair(name),
            outputs=4,
            contrib=True,
            epsilon=_EPSILON,
        )
        return total, normed

    def _pair(self, name: str) -> tuple[str, str]:
        return self._vector(f"{name}.weight"), self._vector(f"{name}.bias")

    def _vector(self, name: str) -> str:
        return self.constant(name, self._tensors[name])

    def _by_picture(self, x: str, width: int) -> str:
        """Rows [N * T, width] to [N, T, width]."""
        tokens = (self._shape.side // self._shape.patch) ** 2 + 1
        return self._reshape(x, -1, tokens, width)

    def _reshape(self, x: str, *sizes: int) -> str:
        return self.apply("Reshape", x, self._integers(*sizes))

    def _integers(self, *values: int) -> str:
        return self.constant("i" + "_".join(map(str, values)), np.array(values, np.int64))


def round_blocks(matrix: Array) -> tuple[NDArray[np.uint8], Array]:
    """A matrix [out, in] in 8 bits: levels [out, blocks, 128] and scales [out, blocks].

    Level 128 is zero. What is missing of the last block counts as zero.
    """
    out, inside = matrix.shape
    blocks = -(-inside // _BLOCK)
    padded = np.zeros((out, blocks * _BLOCK), np.float32)
    padded[:, :inside] = matrix
    padded = padded.reshape(out, blocks, _BLOCK)
    scales = np.maximum(np.abs(padded).max(-1) / 127, 1e-12).astype(np.float32)
    padded /= scales[..., None]
    np.rint(padded, out=padded)
    padded += 128
    return padded.astype(np.uint8), scales


def _single(array: NDArray[np.float64]) -> Array:
    return array.astype(np.float32)

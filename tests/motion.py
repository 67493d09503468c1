"""An encoder that takes clips at once, and videos that only such an encoder can tell apart.

The encoder is a real module of toy size: two 3D convolutions with random weights and a projection,
as one ONNX graph over [N, T, side, side, 3] uint8. Its text tower is the toy CLIP's; the projection
of it is solved for, so that four sentences point where the clips they describe lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from c2v.encoder.architecture import clip_merges, text_config
from c2v.encoder.bundle_config import BundleConfig, HeadConfig, ImageConfig
from c2v.encoder.clip_bundle import TEXT_NAME, split_towers, to_numpy
from c2v.encoder.sealing import seal_bundle
from c2v.encoder.tensors import write_tensors
from c2v.encoder.text.tokenizer import MERGES_NAME, load_tokenizer
from c2v.encoder.towers.clip_text_numpy import ClipTextTower, TextArchitecture
from c2v.encoder.towers.onnx_image import GRAPH_NAME, OnnxImageTower, make_session
from tests.toys import TINY, tiny_state

SIDE, FRAMES, SECONDS, DIM = 32, 8, 4.0, 32
WAYS = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}
SENTENCES = {way: f"a square moves {way}" for way in WAYS}
_RATE, _SIZE = 10, 64


def pictures(way: str, seconds: float, *, start: float = 0.0) -> Iterator[NDArray[np.uint8]]:
    """A bright square that crosses a dark field once every four seconds: [64, 64, 3] each."""
    x, y = WAYS[way]
    for number in range(round(seconds * _RATE)):
        done = (start + number / _RATE) % SECONDS / SECONDS
        picture = np.full((_SIZE, _SIZE, 3), 30, np.uint8)
        along = round((done if x + y > 0 else 1 - done) * (_SIZE - 16))
        left, top = (along, 24) if x else (24, along)
        picture[top : top + 16, left : left + 16] = (230, 200, 40)
        yield picture


def write_video(path: Path, *parts: tuple[str, float]) -> Path:
    """A video of a square that moves one way for some seconds, then another."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=_RATE)
        stream.width = stream.height = _SIZE
        stream.pix_fmt = "yuv420p"
        for way, seconds in parts:
            for picture in pictures(way, seconds):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_graph(
    path: Path, *, usual: NDArray[np.float32] | None = None, batch: int | str = "N", seed: int = 0
) -> None:
    """The image side: uint8 [N, T, side, side, 3] to float32 [N, D], ``usual`` [D] taken off."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(seed)
    weights: dict[str, NDArray[Any]] = {
        "scale": np.float32(1 / 255).reshape(()),
        "first": random.standard_normal((24, 3, 3, 5, 5)) / 6,
        "second": random.standard_normal((48, 24, 3, 3, 3)) / 12,
        "project": random.standard_normal((48, DIM)) / 7,
        "usual": np.zeros(DIM) if usual is None else usual,
    }
    strided = {"strides": [1, 2, 2], "pads": [0, 1, 1, 0, 1, 1]}
    nodes = [
        helper.make_node("Cast", ["clips"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 4, 1, 2, 3]),
        helper.make_node("Conv", ["planes", "first"], ["a"], **strided),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], **strided),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"], axis=1),
        helper.make_node("MatMul", ["f", "project"], ["g"]),
        helper.make_node("Sub", ["g", "usual"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "clips",
        [helper.make_tensor_value_info("clips", TensorProto.UINT8, [batch, FRAMES, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [batch, DIM])],
        [numpy_helper.from_array(np.float32(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def write_motion_bundle(folder: Path, *, name: str = "motion") -> BundleConfig:
    """The whole encoder as a folder that ``c2v model import`` takes."""
    folder.mkdir(parents=True)
    write_graph(folder / GRAPH_NAME)
    write_graph(folder / GRAPH_NAME, usual=_means(folder).mean(axis=0))
    image = ImageConfig(
        family="onnx_clip",
        side=SIDE,
        resize="squash",
        interpolation="bilinear",
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        settings={"frames": FRAMES, "seconds": SECONDS},
    )
    model = TINY | {"embed_dim": DIM}
    text = text_config(model)
    write_tensors(folder / MERGES_NAME, clip_merges())
    _, textual, _ = split_towers({k: to_numpy(v) for k, v in tiny_state().items()})
    textual["text_projection"] = _solved(folder, textual, text)
    write_tensors(folder / TEXT_NAME, textual)
    return seal_bundle(
        folder,
        name=name,
        feature_dim=DIM,
        vector_dim=DIM,
        image=image,
        text=text,
        head=HeadConfig("meanP", {"feature_dim": DIM}),
        parts={GRAPH_NAME: "image", TEXT_NAME: "text", MERGES_NAME: "text"},
        source="3D convolutions with random weights",
        licence="Apache-2.0 (https://www.apache.org/licenses/LICENSE-2.0)",
    )


def _means(folder: Path) -> NDArray[np.float32]:
    """The mean feature [4, D] of clips of each way."""
    tower = OnnxImageTower(make_session(folder / GRAPH_NAME, threads=1), feature_dim=DIM)
    starts = np.linspace(0, SECONDS, 8, endpoint=False)
    clips = [np.stack([_clip(way, start) for start in starts]) for way in WAYS]
    return np.stack([tower.encode(one).mean(axis=0) for one in clips])


def _solved(folder: Path, textual: dict[str, NDArray[Any]], text: Any) -> NDArray[np.float32]:
    """A projection [width, D] that gives each sentence the direction of its clips."""
    shape = TextArchitecture.from_settings(text.settings)
    square = np.eye(shape.width, dtype=np.float32)
    plain = TextArchitecture.from_settings(dict(text.settings) | {"output_dim": shape.width})
    hidden = ClipTextTower(plain, textual | {"text_projection": square})
    ids, mask = load_tokenizer(folder, text).encode(list(SENTENCES.values()))
    projection = np.linalg.pinv(hidden.encode(ids, mask).pooled()) @ _means(folder)
    return projection.astype(np.float32)


def _clip(way: str, start: float) -> NDArray[np.uint8]:
    """Eight pictures [T, side, side, 3] evenly over four seconds."""
    shown = np.stack(list(pictures(way, SECONDS, start=start)))
    every = ((np.arange(FRAMES) + 0.5) / FRAMES * len(shown)).astype(int)
    return np.ascontiguousarray(shown[every, ::2, ::2])

"""What encoders cost on a CPU without PyTorch: time and memory of a picture and of a question.

Towers of the real shape with random weights: what they say means nothing, what they cost does.
Pictures are timed on one core by the processor's own clock, so a busy neighbour counts little; a
question is eight tokens long, where the padding allows it. Each figure is of a process of its own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.architecture import Preprocess, image_config, model_config, text_architecture
from c2v.encoder.bundle_config import ImageConfig
from c2v.encoder.tensors import read_tensors, write_tensors
from c2v.encoder.towers.vision_shape import VisionShape
from tests.benchmarks.measure import Row, Side, Usage, interleave, peak_mb, plain, python

ENCODERS = {
    "ViT-B-32": "ViT-B-32-quickgelu",
    "ViT-B-16": "ViT-B-16-quickgelu",
    "SigLIP2-B-16": "ViT-B-16-SigLIP2",
    "PE-Core-B-16": "PE-Core-B-16",
}
"""Name in the table: architecture of open_clip."""
KINDS = ("fp32", "int8", "text")
_ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_PICTURES = 8
_TOKENS = 8
_ROUNDS = 3


def measure(folder: Path, *, runs: int, short: bool) -> list[Row]:
    """Every encoder: pictures in both precisions, and a question."""
    names = ("ViT-B-32", "PE-Core-B-16") if short else tuple(ENCODERS)
    for name in names:
        make_towers(folder / name, ENCODERS[name])
    module = ("-m", "tests.benchmarks.encoder_costs")
    sides = {
        f"{name} {kind}": Side(python(*module, folder / name, ENCODERS[name], kind), _ONE_CORE)
        for name in names
        for kind in KINDS
    }
    found = interleave(sides, runs=1 if short else min(runs, 3), warmups=0 if short else 1)
    return [row for name in names for row in _rows(name, found)]


def _rows(name: str, found: dict[str, list[Usage]]) -> list[Row]:
    rows: list[Row] = []
    for kind in KINDS:
        usages = found[f"{name} {kind}"]
        told = [json.loads(usage.output) for usage in usages]
        labels = {"text": ("a question", "")}.get(kind, ("a picture on one core", f", {kind}"))
        for key in told[0]:
            what = f"{name}: {labels[0]}{labels[1]}, {key}"
            rows.append(plain(what, [one[key] for one in told], unit="ms"))
        rows.append(plain(f"{name}: {labels[0]}{labels[1]}, memory", peak_mb(usages), unit="MB"))
    return rows


def make_towers(folder: Path, architecture: str) -> None:
    """Weights of both towers; made on first use. A table of pieces stays zero: it is looked up."""
    if folder.exists():
        return
    model = model_config(architecture)
    shape = VisionShape.of(image_config(model, Preprocess()))
    assert shape is not None
    folder.mkdir()
    write_tensors(folder / "image.safetensors", _random(shape.tensors()))
    write_tensors(folder / "text.safetensors", _random(text_architecture(model).shapes()))


def _random(shapes: dict[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(0)
    made: dict[str, NDArray[np.float32]] = {}
    for name, sizes in shapes.items():
        made[name] = np.zeros(sizes, np.float32)
        if len(sizes) > 1 and name != "token_embedding.weight":
            random.standard_normal(out=made[name], dtype=np.float32)
            made[name] *= np.float32(sizes[-1] ** -0.5)
        elif name.endswith("weight") and len(sizes) == 1:
            made[name] += 1
    return made


def _pictures(folder: Path, model: dict[str, Any], precision: str) -> dict[str, float]:
    """From the start of loading to the first feature, and a picture after that."""
    from c2v.encoder.towers.clip_image_onnx import OnnxClipTower
    from c2v.encoder.towers.precision import probe_images

    image: ImageConfig = image_config(model, Preprocess())
    shape = VisionShape.of(image)
    assert shape is not None
    images = np.concatenate([probe_images(image.side)] * (_PICTURES // 4))
    started = time.thread_time()
    tensors = read_tensors(folder / "image.safetensors")
    tower = OnnxClipTower(tensors, shape, image, precision=precision, threads=1)
    tower.encode(images[:1])
    loaded = time.thread_time() - started
    return {"loading": 1e3 * loaded, "time": 1e3 * _best(lambda: tower.encode(images)) / _PICTURES}


def _question(folder: Path, model: dict[str, Any]) -> dict[str, float]:
    """The first one of a process, and one after that, on one core."""
    from c2v.encoder.towers.clip_text_numpy import ClipTextTower

    started = time.thread_time()
    shape = text_architecture(model)
    tower = ClipTextTower(shape, read_tensors(folder / "text.safetensors"))
    ids = np.arange(shape.context, dtype=np.int64)[None] % _TOKENS
    mask = np.arange(shape.context)[None] < _TOKENS
    tower.encode(ids, mask)
    first = time.thread_time() - started
    return {"the first": 1e3 * first, "the next": 1e3 * _best(lambda: tower.encode(ids, mask))}


def _best(work: Any) -> float:
    times = []
    for _ in range(_ROUNDS):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return min(times)


def main() -> None:
    """One figure's process: folder, architecture, kind."""
    folder, model, kind = Path(sys.argv[1]), model_config(sys.argv[2]), sys.argv[3]
    print(
        json.dumps(_question(folder, model) if kind == "text" else _pictures(folder, model, kind))
    )


if __name__ == "__main__":
    main()

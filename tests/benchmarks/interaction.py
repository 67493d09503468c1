"""What scoring segments again by words and frames costs a search: the head wti, NumPy alone.

``python -m tests.benchmarks.interaction`` times 200 segments of 12 frames of 512 numbers against a
question of ten words, once the products alone and once with reading the frames from a library of
2,000 segments. Prints the median and the least of 40, and the processor's time, which other work
on the machine lengthens less; on as many cores as NumPy is given (``OPENBLAS_NUM_THREADS=1`` is
what ``search -i`` takes).

Measured on one core of two that had other work to do (load average 4): 12.6 ms at least, 13.8 in
the median for the scores.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from c2v.encoder.heads import HeadSettings, NumpyWti, Words
from c2v.library import ModelRecord, NewVideo, SegmentData, Store, open_store

SEGMENTS, AGAIN, FRAMES, WIDTH, WORDS = 2_000, 200, 12, 512, 10
TIMES = 40


def main() -> None:
    head = _head()
    random = np.random.default_rng(0)
    words, weights = head.words(
        random.standard_normal((1, WORDS + 1, WIDTH)).astype(np.float32),
        np.ones((1, WORDS + 1), np.bool_),
    )
    asked = Words(words[0, 1:], weights[0, 1:])
    with tempfile.TemporaryDirectory() as folder, _library(Path(folder)) as library:
        ids = random.permutation(SEGMENTS)[:AGAIN] + 1
        stored = library.features(ids.tolist())
        frames = [stored[key][1] for key in ids.tolist()]

        def both() -> None:
            read = library.features(ids.tolist())
            head.score(asked, [read[key][1] for key in ids.tolist()])

        for what, work in (
            ("scores", lambda: head.score(asked, frames)),
            ("reading and scores", both),
        ):
            wall, least, cpu = _milliseconds(work)
            print(
                f"{what} of {AGAIN} segments: median {wall:.1f} ms, least {least:.1f} ms, "
                f"processor {cpu:.1f} ms"
            )


def _milliseconds(work: Callable[[], object]) -> tuple[float, float, float]:
    """Median and least of the clock, and the median of the processor's time."""
    clock, processor = [], []
    for _ in range(TIMES):
        started, began = time.perf_counter(), time.process_time()
        work()
        clock.append((time.perf_counter() - started) * 1e3)
        processor.append((time.process_time() - began) * 1e3)
    return float(np.median(clock)), min(clock), float(np.median(processor))


def _head() -> NumpyWti:
    """A head of the size that is trained for mini, with random weights."""
    import torch

    from c2v.encoder.heads.initialise import random_head

    settings = HeadSettings(type="wti", feature_dim=WIDTH, layers=1, projected=True)
    head = random_head(settings)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape))
    return NumpyWti(settings, {name: value.numpy() for name, value in head.state_dict().items()})


def _library(folder: Path) -> Store:
    random = np.random.default_rng(1)
    library = open_store(folder / "library", create=True)
    library.set_model(
        ModelRecord(
            name="made",
            fingerprint="made",
            towers_fingerprint="made",
            feature_dim=WIDTH,
            vector_dim=WIDTH,
        )
    )
    times = np.arange(FRAMES, dtype=np.float32)
    for number in range(SEGMENTS // 100):
        parts = []
        for place in range(100):
            features = random.standard_normal((FRAMES, WIDTH)).astype(np.float16)
            vector = features[0].astype(np.float32)
            vector /= np.linalg.norm(vector)
            start = float(FRAMES * place)
            parts.append(SegmentData(start, start + FRAMES, times + start, features, vector))
        video = NewVideo(
            path=f"/made/{number}.mp4", size_bytes=1, mtime_ns=1, content_id=str(number),
            duration_seconds=100.0 * FRAMES, width=1, height=1, codec="h264", sampling="auto",
        )  # fmt: skip
        library.put_video(video, parts)
    return library


if __name__ == "__main__":
    main()

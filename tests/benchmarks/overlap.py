"""Decoding and encoding side by side: the time of both done apart, against a run of the pipeline.

Apart, each has all cores to itself, so their times together are what a pipeline takes that loses
nothing: 1.0 is ideal, less is time in which a core waited.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.cores import usable_cores
from c2v.encoder.bundle import Bundle, load_bundle
from c2v.indexing.decoding import DecodePool
from c2v.indexing.events import Closed, Decoded, Failed
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.plan import Job
from c2v.indexing.reembedding import model_record
from c2v.library import open_store
from c2v.media.picture import FrameShape
from c2v.media.sampling import Sampling
from c2v.media.scan import scan
from tests.benchmarks.clips import SD, make_clips
from tests.benchmarks.encoders import make_vit_b_32
from tests.benchmarks.measure import Asked, Row, compare


def measure(folder: Path, *, runs: int, short: bool) -> list[Row]:
    """The shares for ViT-B/32, in turns."""
    make_clips(folder / "clips", 2 if short else 4, replace(SD, seconds=12.0 if short else 60.0))
    bundle = load_bundle(make_vit_b_32(folder / "vit"), device="cpu")
    bundle.encode_frames(np.zeros((8, 224, 224, 3), np.uint8))  # loads, and settles on a precision
    apart: list[float] = []
    together: list[float] = []
    for _ in range(1 if short else min(runs, 5)):
        started = time.perf_counter()
        pictures = decode(folder / "clips", bundle)
        for start in range(0, len(pictures), 32):
            bundle.encode_frames(pictures[start : start + 32])
        apart.append(time.perf_counter() - started)
        with (
            tempfile.TemporaryDirectory(dir=folder) as place,
            open_store(Path(place) / "library", create=True) as library,
        ):
            library.set_model(model_record(bundle))
            started = time.perf_counter()
            index_paths(library, bundle, [folder / "clips"], options=IndexOptions())
            together.append(time.perf_counter() - started)
    return [
        compare(
            "decode and encode side by side", "one after the other, on all cores",
            together, apart, is_speed=True, asked=Asked(">=", 0.9),
        )
    ]  # fmt: skip


def decode(folder: Path, bundle: Bundle) -> NDArray[np.uint8]:
    """The pictures that the pipeline's own decoders give, and nothing else done with them."""
    files = list(scan([folder], on_problem=print))
    jobs = [Job(file, str(number), Sampling(), updates=False) for number, file in enumerate(files)]
    shape = FrameShape(bundle.config.image.side, bundle.config.image.resize)
    pool = DecodePool(jobs, shape=shape, options=IndexOptions(), workers=usable_cores())
    pool.start()
    found: list[NDArray[np.uint8]] = []
    left = len(jobs)
    while left:
        event = pool.events.get()
        left -= isinstance(event, Closed | Failed)
        if isinstance(event, Decoded):
            found.append(event.frames.pixels)
    pool.stop()
    return np.concatenate(found)

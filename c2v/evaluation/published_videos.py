"""Videos as the papers look at them: decoded from disk, their frames, their pictures, their words.

CLIP4Clip (Luo et al. 2021) and CLIP2Video (Fang et al. 2021) differ in which frames they take; both
take a video as one segment and make its pictures small with PIL.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from c2v.cores import usable_cores
from c2v.encoder.bundle import Bundle
from c2v.errors import MediaError, ModelError, UsageError
from c2v.evaluation.datasets.benchmarks import BENCHMARKS
from c2v.evaluation.stored import Missing
from c2v.media.published_pictures import PillowShape, sample_published
from c2v.media.published_positions import PublishedSampling
from c2v.nearest import one_of

ProtocolName = Literal["library", "clip4clip", "clip2video"]
PROTOCOLS: Final[tuple[ProtocolName, ...]] = ("library", "clip4clip", "clip2video")

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a paper measures: the frames of a video, and how many tokens of a text it reads."""

    sampling: PublishedSampling
    most_tokens: int = 32

    @property
    def name(self) -> ProtocolName:
        return self.sampling.protocol


def published_protocol(name: str, *, data: str, first_seconds: float | None) -> Protocol | None:
    """The protocol of a paper for ``data``, a benchmark or a file; None for the library's frames.

    Raises:
        UsageError: there is no protocol of that name.
    """
    if name == "library":
        return None
    benchmark = BENCHMARKS.get(data.lower())
    if name == "clip4clip":
        frames, words = (benchmark.frames, benchmark.words) if benchmark else (12, 32)
        return Protocol(
            PublishedSampling("clip4clip", max_frames=frames, first_seconds=first_seconds),
            most_tokens=words,
        )
    if name == "clip2video":
        step = benchmark.picture_step if benchmark else 1
        return Protocol(
            PublishedSampling("clip2video", picture_step=step, first_seconds=first_seconds)
        )
    raise UsageError(f"--protocol {name}: no such protocol", hint=one_of(name, PROTOCOLS))


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Videos to rank, as one encoder embeds them.

    ``vectors`` [S, V] are those of their segments, ``column`` [S] the number of each one's video
    in ``paths``; ``missing`` are the videos that cannot be ranked. ``frames`` are the features
    [T, D] of each segment, where words are compared with them; else there are none.
    """

    paths: tuple[str, ...]
    vectors: NDArray[np.float32]
    column: NDArray[np.int64]
    missing: tuple[Missing, ...]
    frames: tuple[NDArray[np.floating[Any]], ...] = ()

    def explained(self, reasons: Mapping[str, str]) -> Candidates:
        """The same with another reason for some of the missing videos, by path."""
        missing = tuple(
            Missing(one.path, reasons.get(one.path, one.reason)) for one in self.missing
        )
        return replace(self, missing=missing)


def embed_published(
    bundles: Sequence[Bundle],
    paths: Sequence[str],
    sampling: PublishedSampling,
    *,
    on_progress: Callable[[int, int], None],
    on_problem: Callable[[str], None],
) -> list[Candidates]:
    """Decode every video once, and embed it with every encoder.

    What is not a frame in a clip of fewer than ``max_frames`` is to the heads a picture of the mean
    colour, as in the papers' loaders (CLIP2Video's difference block sees it).

    Args:
        bundles: the encoders.
        paths: the videos.
        sampling: which frames.
        on_progress: called with videos done and videos in all.
        on_problem: called with a sentence about frames that are left out.
    """
    for bundle in bundles:
        if bundle.config.image.clip is not None:
            raise ModelError(
                f"{bundle.name} takes clips, and a published protocol says which single frames "
                "are looked at",
                hint="c2v evaluate --data FILE without --protocol",
            )
    shapes = [_shape(bundle) for bundle in bundles]
    fillers = [_mean_colour(bundle) for bundle in bundles]
    vectors: list[list[NDArray[np.float32]]] = [[] for _ in bundles]
    frames: list[list[NDArray[np.float32]]] = [[] for _ in bundles]
    read: list[str] = []
    missing: list[Missing] = []

    def pictures(path: str) -> dict[PillowShape, NDArray[np.uint8]] | Missing:
        return _pictures(path, sampling, shapes, on_problem=on_problem)

    for done, (path, found) in enumerate(_ahead(pictures, paths), start=1):
        if isinstance(found, Missing):
            missing.append(found)
        else:
            read.append(path)
            parts = zip(bundles, shapes, fillers, vectors, frames, strict=True)
            for bundle, shape, filler, rows, kept in parts:
                features = bundle.encode_frames(found[shape])  # [T, D]
                segment = bundle.embed_segments(
                    [features], length=sampling.max_frames, filler=filler
                )
                rows.append(bundle.for_library(segment))
                if bundle.interacts:
                    kept.append(features)
        on_progress(done, len(paths))
    return [
        Candidates(
            tuple(read),
            np.concatenate([np.empty((0, bundle.vector_dim), np.float32), *rows]),
            np.arange(len(read)),
            tuple(missing),
            tuple(kept),
        )
        for bundle, rows, kept in zip(bundles, vectors, frames, strict=True)
    ]


def _shape(bundle: Bundle) -> PillowShape:
    """How the weights of an encoder were trained to see a picture."""
    image = bundle.config.image
    return PillowShape(image.side, image.resize, image.interpolation)


def _mean_colour(bundle: Bundle) -> NDArray[np.float32]:
    """The feature [D] of a picture that is zero once it is normalised, to half a grey level."""
    image = bundle.config.image
    colour = np.round(255 * np.asarray(image.mean)).astype(np.uint8)
    picture = np.broadcast_to(colour, (1, image.side, image.side, 3))
    features = bundle.encode_frames(np.ascontiguousarray(picture))  # [1, D]
    return features.reshape(-1)


def _pictures(
    path: str,
    sampling: PublishedSampling,
    shapes: Iterable[PillowShape],
    *,
    on_problem: Callable[[str], None],
) -> dict[PillowShape, NDArray[np.uint8]] | Missing:
    """The frames of a video as pictures [T, side, side, 3] of each shape, or why there are none."""
    if not Path(path).exists():
        return Missing(path, "no such file")
    try:
        return sample_published(
            Path(path), sampling, shapes, on_problem=lambda said: on_problem(f"{path}: {said}")
        )
    except MediaError as error:
        return Missing(path, f"cannot be read: {error.message}")


def _ahead(work: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[T, R]]:
    """Every item and what ``work`` makes of it, in order, a few of them ahead on other threads."""
    threads = usable_cores()
    waiting: deque[tuple[T, Future[R]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) > threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()

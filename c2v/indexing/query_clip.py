"""One file outside the library: decoded and embedded for a query or a description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.errors import ChangedError, MediaError, only_this_file
from c2v.indexing.frame_shapes import frame_shape
from c2v.media.containers import open_video
from c2v.media.decode import choose_decoder
from c2v.media.frames import PICTURES_A_CHUNK
from c2v.media.identity import held
from c2v.media.sampled import decode_range, lay_out, sample
from c2v.media.sampling import Sampling
from c2v.media.segments import SegmentMode


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedClip:
    """A clip as one segment: its frame features [T, D] and its head vector [V], unit length."""

    times: NDArray[np.float32]
    """[T] of the frames, in seconds from the start of the file."""
    features: NDArray[np.float16]
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TimedFrames:
    """The T >= 1 frames of a video and their features [T, D], in the order of time."""

    times: NDArray[np.float32]
    """[T] of the pictures, in seconds."""
    starts: NDArray[np.float64]
    """[T] from when each stands for the video, to ``ends``, in seconds."""
    ends: NDArray[np.float64]
    features: NDArray[np.float16]
    duration_seconds: float


def embed_clip(
    path: Path, bundle: Bundle, *, between: tuple[float, float] | None = None
) -> EmbeddedClip:
    """Decode and embed one file as a whole: a dozen pictures, however long it is.

    Of one ``between`` two times (seconds) only that part.

    Raises:
        MediaError: naming the file, when nothing of it can be read, or when it changes while it is
            read, twice.
        MissingPartError: the encoder takes a part of c2v that is not installed.
    """
    bundle.check_parts()
    whole = Sampling(SegmentMode("whole"))
    shape = frame_shape(bundle.config.image)
    try:
        frames = sample(path.absolute(), whole, shape, between=between).frames
    except MediaError as error:
        raise MediaError(
            f"{path}: {error.message}", hint=error.hint or "give a video file"
        ) from error
    features = [
        bundle.encode_frames(frames.pixels[first : first + PICTURES_A_CHUNK])
        for first in range(0, len(frames.pixels), PICTURES_A_CHUNK)
    ]
    stored = np.concatenate(features)[frames.shown].astype(np.float16)
    times = frames.seconds.astype(np.float32)
    return EmbeddedClip(times, stored, bundle.embed_segments([stored])[0])


def embed_frames(path: Path, bundle: Bundle) -> TimedFrames:
    """Decode and embed the frames of one file that a library would hold: of a long one, one a
    second. Never more than a few pictures are in memory.

    Raises:
        MediaError: as :func:`embed_clip`.
        MissingPartError: as well.
    """
    bundle.check_parts()
    try:
        try:
            return _read_frames(path.absolute(), bundle)
        except ChangedError:  # once more, as it is now
            return _read_frames(path.absolute(), bundle)
    except MediaError as error:
        raise MediaError(
            f"{path}: {error.message}", hint=error.hint or "give a video file"
        ) from error


def _read_frames(path: Path, bundle: Bundle) -> TimedFrames:
    sampling, shape = Sampling(), frame_shape(bundle.config.image)
    decoder = choose_decoder("auto", exactness=sampling.exactness)
    problems: list[str] = []
    parts: list[tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float16]]] = []
    with only_this_file(), held(path), open_video(path) as video:
        layout = lay_out(
            video, sampling, decoder=decoder, on_problem=problems.append, clip=shape.clip
        )
        for chunk in decode_range(
            layout,
            0,
            len(layout.times),
            shape=shape,
            decoder=decoder,
            on_problem=problems.append,
            video=video,
        ):
            features = bundle.encode_frames(chunk.pixels)[chunk.shown].astype(np.float16)
            parts.append((chunk.indices, chunk.seconds, features))
    rows = np.concatenate([indices for indices, _, _ in parts])
    middles = (layout.times[1:] + layout.times[:-1]) / 2
    edges = np.concatenate([[0.0], middles, [layout.info.duration_seconds]])
    return TimedFrames(
        times=np.concatenate([seconds for _, seconds, _ in parts]),
        starts=edges[rows],
        ends=edges[rows + 1],
        features=np.concatenate([features for _, _, features in parts]),
        duration_seconds=layout.info.duration_seconds,
    )

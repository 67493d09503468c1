"""One file outside the library: decoded and embedded for a query or a description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.errors import MediaError
from c2v.media.frames import PICTURES_A_CHUNK
from c2v.media.picture import FrameShape
from c2v.media.sampled import sample
from c2v.media.sampling import Sampling
from c2v.media.segments import SegmentMode


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedClip:
    """A clip as one segment: its frame features [T, D] and its head vector [V], unit length."""

    times: NDArray[np.float32]
    """[T] of the frames, in seconds from the start of the file."""
    features: NDArray[np.float16]
    vector: NDArray[np.float32]


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
    image = bundle.config.image
    whole = Sampling(SegmentMode("whole"))
    try:
        frames = sample(
            path.absolute(), whole, FrameShape(image.side, image.resize), between=between
        ).frames
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

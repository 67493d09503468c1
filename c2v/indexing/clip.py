"""One clip outside the library: decoded and embedded for a query or a description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.errors import MediaError
from c2v.indexing.decoding import decode_range, lay_out
from c2v.indexing.plan import Job
from c2v.indexing.report import IndexOptions
from c2v.media.opening import open_video
from c2v.media.picture import FrameShape
from c2v.media.scan import FoundVideo


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedClip:
    """A clip as one segment: its frame features [T, D] and its head vector [V], unit length."""

    features: NDArray[np.float16]
    vector: NDArray[np.float32]


def embed_clip(path: Path, bundle: Bundle) -> EmbeddedClip:
    """Decode and embed one file as a whole.

    Raises :class:`MediaError` naming the file when nothing of it can be read, and
    :class:`MissingPartError` when the encoder takes a part of c2v that is not installed.
    """
    bundle.check_parts()
    try:
        status = path.stat()
        job = Job(
            FoundVideo(path.absolute(), status.st_size, status.st_mtime_ns),
            content_id="",
            sampling="whole",
            updates=False,
        )
        options = IndexOptions()
        shape = FrameShape(bundle.config.image.side, bundle.config.image.resize)
        with open_video(job.file.path) as video:
            clip = lay_out(job, video, options)
            chunks = decode_range(
                clip, 0, len(clip.times), shape=shape, options=options, video=video
            )
            features = np.concatenate(
                [bundle.encode_frames(chunk.pixels)[chunk.shown] for chunk in chunks]
            )
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}", hint="check the path") from error
    except MediaError as error:
        raise MediaError(
            f"{path}: {error.message}", hint=error.hint or "give a video file"
        ) from error
    stored = features.astype(np.float16)
    return EmbeddedClip(stored, bundle.embed_segments([stored])[0])

"""One clip outside the library: decoded and embedded for a query or a description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.errors import ChangedError, MediaError, only_this_file
from c2v.indexing.decoding import decode_range, lay_out
from c2v.indexing.events import Frames
from c2v.indexing.plan import Job
from c2v.indexing.report import IndexOptions
from c2v.media.identity import content_id_of, held
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

    Raises :class:`MediaError` naming the file when nothing of it can be read, or when it changes
    while it is read, twice; :class:`MissingPartError` when the encoder takes a part of c2v that is
    not installed.
    """
    bundle.check_parts()
    try:
        try:
            pictures = _pictures(path.absolute(), bundle)
        except ChangedError:
            pictures = _pictures(path.absolute(), bundle)
    except MediaError as error:
        raise MediaError(
            f"{path}: {error.message}", hint=error.hint or "give a video file"
        ) from error
    features = [bundle.encode_frames(chunk.pixels)[chunk.shown] for chunk in pictures]
    stored = np.concatenate(features).astype(np.float16)
    return EmbeddedClip(stored, bundle.embed_segments([stored])[0])


def _pictures(path: Path, bundle: Bundle) -> list[Frames]:
    """The pictures of a file as one segment: a dozen, however long it is."""
    options = IndexOptions()
    shape = FrameShape(bundle.config.image.side, bundle.config.image.resize)
    with (
        only_this_file(),
        held(path) as (file, state),
        open_video(path, max_megapixels=options.max_megapixels) as video,
    ):
        found = FoundVideo(path, state.size_bytes, state.mtime_ns)
        job = Job(found, content_id_of(file), sampling="whole", updates=False)
        clip = lay_out(job, video, options, state=state, content_id=job.content_id)
        return list(
            decode_range(clip, 0, len(clip.times), shape=shape, options=options, video=video)
        )

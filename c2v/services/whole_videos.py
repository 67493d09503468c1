"""A video as a question or a subject: out of the library where that holds it, else decoded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.errors import DamagedRowsError
from c2v.indexing.query_clip import EmbeddedClip, TimedFrames, embed_clip, embed_frames
from c2v.media.segments import SegmentMode, plan_segments
from c2v.services.telling import Tell

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.library import Store, VideoRecord


def clip_of(path: Path, bundle: Bundle, library: Store | None, *, notice: Tell) -> EmbeddedClip:
    """The frame features and the vector of a video as one segment.

    A file that ``library`` holds as it is on disk now is not opened: of its stored frames those
    nearest to the times that would be decoded are taken. ``bundle`` has the library's towers.

    Raises:
        MediaError: it has to be decoded, and nothing of it can be read.
        MissingPartError: it has to be, and the encoder takes a part that is not installed.
    """
    stored = stored_frames(path, library) if library is not None else None
    if stored is None:
        if bundle.slower_because:
            notice(bundle.slower_because)
        return embed_clip(path, bundle)
    return as_one_segment(stored, bundle)


def frames_of(path: Path, bundle: Bundle, library: Store | None, *, notice: Tell) -> TimedFrames:
    """All frames of a video that are stored, or would be; errors as those of :func:`clip_of`."""
    stored = stored_frames(path, library) if library is not None else None
    if stored is None:
        if bundle.slower_because:
            notice(bundle.slower_because)
        return embed_frames(path, bundle)
    return stored


def as_one_segment(frames: TimedFrames, bundle: Bundle) -> EmbeddedClip:
    """Of many frames the dozen nearest to the times that a whole video would be decoded at."""
    features, times = frames.features, frames.times
    (whole,) = plan_segments(frames.duration_seconds, mode=SegmentMode("whole"))
    # Of no more than these all are taken: the nearest ones would miss some, and be some twice.
    if len(times) > len(whole.times):
        wanted = np.asarray(whole.times, np.float32)  # [T]
        nearest = np.abs(times[None, :] - wanted[:, None]).argmin(axis=1)  # [T]
        features = features[np.unique(nearest)]
    return EmbeddedClip(features, bundle.embed_segments([features])[0])


def stored_frames(path: Path, library: Store) -> TimedFrames | None:
    """The frames that the library holds of a file; None where the file has to be read."""
    with library.snapshot():
        video = library.video_by_path(path.absolute())
        if video is None or not _is_unchanged(path, video):
            return None
        rows = library.segments_of([video.id])[video.id]
        try:
            frames = library.features([row.segment_id for row in rows])
        except DamagedRowsError:
            return None  # the file itself is sound
    if not frames:
        return None
    edges = [
        np.linspace(row.start_seconds, row.end_seconds, len(frames[row.segment_id][0]) + 1)
        for row in rows
    ]
    return TimedFrames(
        times=np.concatenate([frames[row.segment_id][0] for row in rows]),
        starts=np.concatenate([edge[:-1] for edge in edges]),
        ends=np.concatenate([edge[1:] for edge in edges]),
        features=np.concatenate([frames[row.segment_id][1] for row in rows]),
        duration_seconds=video.duration_seconds,
    )


def stretch_of(
    path: Path, start: float, end: float, bundle: Bundle, library: Store, *, notice: Tell
) -> EmbeddedClip:
    """A part of a video, in seconds, as one segment; out of the library where frames lie there.

    Raises:
        MediaError: naming the file, when nothing of that part can be read.
    """
    video = library.video_by_path(path.absolute())
    features = None
    if video is not None and _is_unchanged(path, video):
        features = stored_stretch(library, video.id, start, end)
    if features is None:
        if bundle.slower_because:
            notice(bundle.slower_because)
        return embed_clip(path, bundle, between=(start, end))
    return EmbeddedClip(features, bundle.embed_segments([features])[0])


def stored_stretch(
    library: Store, video_id: int, start: float, end: float
) -> NDArray[np.float16] | None:
    """Features [T, D] of the stored frames in a part of a video; None where there are none."""
    with library.snapshot():
        rows = library.segments_of([video_id]).get(video_id, ())
        inside = [row for row in rows if row.start_seconds < end and row.end_seconds > start]
        try:
            frames = library.features([row.segment_id for row in inside])
        except DamagedRowsError:
            return None
    if not frames:
        return None
    times = np.concatenate([frames[row.segment_id][0] for row in inside])  # [N]
    features = np.concatenate([frames[row.segment_id][1] for row in inside])  # [N, D]
    chosen = features[(times >= start) & (times <= end)]
    return np.asarray(chosen, np.float16) if len(chosen) else None


def _is_unchanged(path: Path, video: VideoRecord) -> bool:
    """Whether the file has the size and the time stamp with which it was indexed."""
    try:
        state = path.stat()
    except OSError:
        return False  # decoding says what is wrong with it
    return (state.st_size, state.st_mtime_ns) == (video.size_bytes, video.mtime_ns)

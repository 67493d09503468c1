"""A video as a question or a subject: out of the library where that holds it, else decoded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.stretches import divide
from c2v.errors import DamagedRowsError, MediaError
from c2v.indexing.query_clip import EmbeddedClip, TimedFrames, embed_clip, embed_frames
from c2v.media.segments import SegmentMode, plan_segments
from c2v.services.telling import Tell

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.library import Store, VideoRecord


_AROUND_SECONDS = 6.0
"""Where the shot at a time is looked for, on both sides, in a file that has to be decoded."""


def clip_of(path: Path, bundle: Bundle, library: Store | None, *, notice: Tell) -> EmbeddedClip:
    """The frame features and the vector of a video as one segment.

    A file that ``library`` holds as it is on disk now is not opened: of its stored frames those
    nearest to the times that would be decoded are taken. ``bundle`` has the library's towers.

    Raises:
        MediaError: it has to be decoded, and nothing of it can be read.
        MissingPartError: it has to be, and the encoder takes a part that is not installed.
    """
    stored = None if library is None else _stored_frames(path, library)
    return _decoded(path, bundle, notice) if stored is None else as_one_segment(stored, bundle)


def frames_of(path: Path, bundle: Bundle, library: Store | None, *, notice: Tell) -> TimedFrames:
    """All frames of a video that are stored, or would be; errors as those of :func:`clip_of`."""
    stored = None if library is None else _stored_frames(path, library)
    if stored is None:
        if bundle.slower_because:
            notice(bundle.slower_because)
        return embed_frames(path, bundle)
    return stored


def as_one_segment(frames: TimedFrames, bundle: Bundle) -> EmbeddedClip:
    """Of many frames the dozen nearest to the times that a whole video would be decoded at."""
    times, features = frames.times, frames.features
    (whole,) = plan_segments(frames.duration_seconds, mode=SegmentMode("whole"))
    if len(times) > len(whole.times):
        # Of no more than those the nearest ones would miss some and take some twice.
        wanted = np.asarray(whole.times, np.float32)  # [T]
        nearest = np.unique(np.abs(times[None, :] - wanted[:, None]).argmin(axis=1))
        times, features = times[nearest], features[nearest]
    return _embedded(times, features, bundle)


def stretch_of(
    path: Path, start: float, end: float, bundle: Bundle, library: Store, *, notice: Tell
) -> EmbeddedClip:
    """A part of a video, in seconds, as one segment; out of the library where frames lie there.

    Raises:
        MediaError: naming the file, when nothing of that part can be read.
    """
    video = _as_indexed(path, library)
    features = None if video is None else stored_stretch(library, video.id, start, end)
    if features is None:
        return _decoded(path, bundle, notice, between=(start, end))
    return _embedded(np.empty(0, np.float32), features, bundle)


def moment_of(
    path: Path, time: float, bundle: Bundle, library: Store, *, notice: Tell
) -> EmbeddedClip:
    """The shot that is seen at a time (seconds): the frames around it that look alike.

    Out of the library where it holds the file as it is on disk now, else decoded.

    Raises:
        MediaError: naming the file, when nothing can be read there.
    """
    video = _as_indexed(path, library)
    frames = None if video is None else _frames(library, video.id, at=time)
    if frames is None:
        _check_reaches(path, time)
        between = (max(0.0, time - _AROUND_SECONDS), time + _AROUND_SECONDS)
        clip = _decoded(path, bundle, notice, between=between)
        frames = clip.times, clip.features
    times, features = frames
    edges = divide(features)
    nearest = int(np.abs(times - time).argmin())
    place = int(np.searchsorted(edges, nearest, side="right"))
    shot = slice(edges[place - 1], edges[place])
    return _embedded(times[shot], features[shot], bundle)


def stored_stretch(
    library: Store, video_id: int, start: float, end: float
) -> NDArray[np.float16] | None:
    """Features [T, D] of the stored frames in a part of a video; None where there are none."""
    frames = _frames(library, video_id, between=(start, end))
    if frames is None:
        return None
    times, features = frames
    chosen = features[(times >= start) & (times <= end)]
    return chosen if len(chosen) else None


def _embedded(
    times: NDArray[np.float32], features: NDArray[np.float16], bundle: Bundle
) -> EmbeddedClip:
    return EmbeddedClip(times, features, bundle.embed_segments([features])[0])


def _decoded(
    path: Path, bundle: Bundle, notice: Tell, *, between: tuple[float, float] | None = None
) -> EmbeddedClip:
    if bundle.slower_because:
        notice(bundle.slower_because)
    return embed_clip(path, bundle, between=between)


def _check_reaches(path: Path, time: float) -> None:
    """Refuse a time (seconds) that the file does not have."""
    from c2v.media.probe import probe

    try:
        length = probe(path.absolute()).duration_seconds
    except MediaError as error:
        raise MediaError(
            f"{path}: {error.message}", hint=error.hint or "give a video file"
        ) from error
    if time > length:
        raise MediaError(f"{path}: ends at {length:.1f} s, before {time:.1f} s")


def _frames(
    library: Store,
    video_id: int,
    *,
    between: tuple[float, float] | None = None,
    at: float | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float16]] | None:
    """Times [T] and features [T, D] of the stored frames of a video, in the order of time.

    Only of the segments that have a part ``between`` two times; or of the one ``at`` a time, with
    those before and after it. None where there are none, or they are damaged.
    """
    with library.snapshot():
        rows = library.segments_of([video_id]).get(video_id, ())
        if between is not None:
            start, end = between
            rows = tuple(one for one in rows if one.start_seconds < end and one.end_seconds > start)
        if at is not None:
            here = [n for n, one in enumerate(rows) if one.start_seconds <= at <= one.end_seconds]
            rows = rows[max(0, here[0] - 1) : here[0] + 2] if here else ()
        try:
            frames = library.features([row.segment_id for row in rows])
        except DamagedRowsError:
            return None  # the file itself is sound
    if not frames:
        return None
    times = np.concatenate([frames[row.segment_id][0] for row in rows])  # [T]
    features = np.concatenate([frames[row.segment_id][1] for row in rows])  # [T, D]
    return times, np.asarray(features, np.float16)


def _stored_frames(path: Path, library: Store) -> TimedFrames | None:
    """The frames that the library holds of a file; None where the file has to be read."""
    with library.snapshot():
        video = _as_indexed(path, library)
        if video is None:
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


def _as_indexed(path: Path, library: Store) -> VideoRecord | None:
    """The video of a file that is as it was when it was indexed."""
    video = library.video_by_path(path.absolute())
    return video if video is not None and _is_unchanged(path, video) else None


def _is_unchanged(path: Path, video: VideoRecord) -> bool:
    """Whether the file has the size and the time stamp with which it was indexed."""
    try:
        state = path.stat()
    except OSError:
        return False  # decoding says what is wrong with it
    return (state.st_size, state.st_mtime_ns) == (video.size_bytes, video.mtime_ns)

"""Clips: for an encoder that takes several pictures of a moment at once, as one feature.

A row of a layout is then a clip: a stretch around its time, looked at T times. Nothing else of a
layout, of a library or of a search knows of it: a clip has one time (its middle) and one feature,
as a frame has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from c2v.media.frames import Frame, FrameClip
from c2v.media.picture import ClipLayout
from c2v.media.segments import Segment


def in_clips(segment: Segment, clip: ClipLayout) -> Segment:
    """The same stretch with a time for each clip, never more of them than it had pictures.

    >>> in_clips(Segment(0, 12, (0.5,) * 12), ClipLayout(8, 4.0)).times
    (2.0, 6.0, 10.0)
    """
    length = segment.end_seconds - segment.start_seconds
    count = max(1, min(len(segment.times), round(length / clip.seconds)))
    step = length / count
    times = tuple(round(segment.start_seconds + (i + 0.5) * step, 6) for i in range(count))
    return Segment(segment.start_seconds, segment.end_seconds, times)


def clip_times(segments: Sequence[Segment], clip: ClipLayout) -> NDArray[np.float64]:
    """The times [M, T] of the pictures of all M clips, ascending: bin centres of ``clip.seconds``
    around the middle of each, or of less where clips are closer than that.

    >>> clip_times([Segment(0, 8, (2.0, 6.0))], ClipLayout(2, 2.0)).tolist()
    [[1.5, 2.5], [5.5, 6.5]]
    """
    rows: list[NDArray[np.float64]] = []
    for segment in segments:
        length = segment.end_seconds - segment.start_seconds
        span = min(clip.seconds, length / max(1, len(segment.times)))
        bins = (np.arange(clip.frames, dtype=np.float64) + 0.5) / clip.frames - 0.5
        times = np.asarray(segment.times, np.float64)[:, np.newaxis] + span * bins
        rows.append(np.maximum(times, segment.start_seconds))
    joined: NDArray[np.float64] = np.concatenate(rows)
    return joined


def gather(frames: Iterable[Frame], clip: ClipLayout) -> Iterator[FrameClip]:
    """Pictures of consecutive clips, T each, together; ``index`` counts clips then.

    In the place of a picture that could not be read stands the one before it, or else the one
    after it; a clip of which nothing could be read is left out.
    """
    parts: dict[int, Frame] = {}
    row = 0
    for frame in frames:
        number, place = divmod(frame.index, clip.frames)
        if number != row and parts:
            yield _clip(row, parts, clip)
            parts = {}
        row = number
        parts[place] = frame
    if parts:
        yield _clip(row, parts, clip)


def _clip(row: int, parts: dict[int, Frame], clip: ClipLayout) -> FrameClip:
    places = sorted(parts)
    before = np.searchsorted(places, np.arange(clip.frames), side="right") - 1
    shown = [parts[places[max(0, int(one))]] for one in before]
    seconds = float(np.mean([frame.seconds for frame in parts.values()]))
    return FrameClip(row, seconds, np.stack([frame.pixels for frame in shown]))

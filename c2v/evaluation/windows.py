"""What an encoder is measured and trained on: windows of 12 s, a frame a second.

For searching, ``auto`` cuts a long video where what is seen changes, so where depends on the
encoder. A figure is to say something of the encoder, and to stay comparable with others: here the
same frames are taken in windows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from c2v.library import SegmentRow, Store
from c2v.media.sampling import Sampling
from c2v.media.segments import FRAMES_A_SEGMENT

TimedFeatures = tuple[NDArray[np.float32], NDArray[np.float16]]
"""Times [T] in seconds and frame features [T, D]."""


def cut_by_shots(library: Store, rows: dict[int, tuple[SegmentRow, ...]]) -> set[int]:
    """Those of the videos (id: segments) whose segments end where what is seen changes."""
    if not any(len(segments) > 1 for segments in rows.values()):
        return set()
    by_shots = {str(Sampling()), str(Sampling(exactness="fast"))}
    return {
        video.id
        for video in library.videos()
        if video.sampling in by_shots and len(rows.get(video.id, ())) > 1
    }


def in_windows(rows: Sequence[SegmentRow], given: Sequence[TimedFeatures]) -> list[TimedFeatures]:
    """The frames of a video's segments in windows; what is left over belongs to the last one.

    A frame counts for the time at which it was looked for, not for that of the picture found.
    """
    count = max(1, int(rows[0].duration_seconds / FRAMES_A_SEGMENT + 1e-9))
    asked = np.concatenate(
        [_asked(row, len(part[0])) for row, part in zip(rows, given, strict=True)]
    )
    window = np.minimum((asked / FRAMES_A_SEGMENT).astype(np.intp), count - 1)
    times = np.concatenate([part[0] for part in given])
    features = np.concatenate([part[1] for part in given])
    return [(times[window == place], features[window == place]) for place in np.unique(window)]


def _asked(row: SegmentRow, frames: int) -> NDArray[np.float64]:
    """The middles of equal parts of a segment."""
    length = row.end_seconds - row.start_seconds
    return row.start_seconds + (np.arange(frames) + 0.5) * length / frames

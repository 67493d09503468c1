"""About how long it takes to read videos again: said before somebody is asked to do it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from c2v.cores import usable_cores
from c2v.library import VideoRecord

_DECODING = 4.0
_PICTURES = 0.7
"""Processor seconds a minute of film: of a megapixel (H.264, 0.9 at 480p and 8 at 1080p), and of
the pictures of it that mini looks at."""


def reading_minutes(videos: Iterable[VideoRecord]) -> int:
    """Minutes, rounded up, that this machine takes with all its cores and a small encoder."""
    seconds = sum(
        video.duration_seconds / 60 * (_DECODING * video.width * video.height / 1e6 + _PICTURES)
        for video in videos
    )
    return max(1, math.ceil(seconds / usable_cores() / 60))

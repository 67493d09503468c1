"""What the decoding side of the pipeline tells the encoding side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2v.errors import MediaError
from c2v.indexing.plan import Job
from c2v.media.identity import FileState
from c2v.media.probe import VideoInfo
from c2v.media.segments import Segment


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """An opened file: what it is, how it is cut and when it is sampled."""

    job: Job
    info: VideoInfo
    segments: tuple[Segment, ...]
    times: NDArray[np.float64]
    """All sample times of all segments, one after the other, in seconds [N]."""
    problems: list[str]
    """Reasons why parts of it could not be read; filled while it is decoded."""
    state: FileState
    """Of the file that was read, whatever stood at its path when the run was planned."""
    content_id: str


@dataclass(frozen=True, slots=True)
class Opened:
    clip: Clip


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of a clip and the pictures they show.

    Neighbours that show the same picture share it: several times near one keyframe, or a screen on
    which nothing moves. It is encoded once.
    """

    clip: Clip
    indices: NDArray[np.intp]
    """[n] into the clip's ``times``."""
    seconds: NDArray[np.float32]
    """[n] the real time of each."""
    pixels: NDArray[np.uint8]
    """[m, side, side, 3] RGB, the m <= n pictures."""
    shown: NDArray[np.intp]
    """[n] which of the pictures each frame shows."""


@dataclass(frozen=True, slots=True)
class Closed:
    clip: Clip


@dataclass(frozen=True, slots=True)
class Dropped:
    """A clip that changed while it was read: what came of it belongs to no file."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class Failed:
    job: Job
    error: MediaError


@dataclass(frozen=True, slots=True)
class Crashed:
    """A worker met something that is no fault of its file: the run ends with this error."""

    error: BaseException


Event = Opened | Frames | Closed | Dropped | Failed | Crashed

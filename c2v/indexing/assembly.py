"""The encoding side of the pipeline: frames of many videos through one image tower.

Frames are batched across videos; each goes back to the file it came from. A file whose last
frame has come back is turned into segments with head vectors, ready for the library.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.encoder.stretches import divide
from c2v.errors import MediaError
from c2v.indexing.events import OpenedFile
from c2v.indexing.report import Heard
from c2v.indexing.unfinished import KeptFrames
from c2v.library import SegmentData
from c2v.media.frames import Frames
from c2v.media.picture import FrameShape
from c2v.media.segments import FEWEST_FRAMES_A_SHOT, FRAMES_A_SEGMENT, Segment

MOST_AT_ONCE = 512
"""Pictures of a call, at most."""
_WORTH_DOUBLING = 1.1
_WORTH_A_CALL = 8
"""From so many pictures on, more at once make a picture hardly cheaper on a CPU."""


@dataclass(slots=True, eq=False)
class Assembly:
    """The frame features of one file, as far as they have come back from the tower."""

    file: OpenedFile
    features: NDArray[np.float16]
    """[N, D], one row a sample time; rows not in ``seen`` hold nothing."""
    seconds: NDArray[np.float32]
    """[N] the real time of the picture, which need not be the wanted one."""
    seen: NDArray[np.bool_]
    waiting: int = 0
    """Frames of this file that are in a batch and not encoded yet."""
    closed: bool = False
    problems: tuple[str, ...] = ()
    """Reasons why parts of it could not be read."""
    begun: dict[tuple[int, int], tuple[str, ...] | None] = field(default_factory=dict)
    """Parts of which frames have come; of those that are read, reasons why not all."""
    heard: Heard = Heard()

    @classmethod
    def of(cls, file: OpenedFile, *, feature_dim: int) -> Assembly:
        """Room for all of its frames, and in it what a run before has kept of them."""
        count, kept = len(file.layout.times), file.kept
        made = cls(
            file,
            features=np.zeros((count, feature_dim), np.float16),
            seconds=np.zeros(count, np.float32),
            seen=np.zeros(count, np.bool_),
        )
        if kept is not None:
            made.features[:], made.seconds[:], made.seen[:] = kept.features, kept.seconds, kept.seen
        return made

    @property
    def duration(self) -> float:
        """Of the whole video, in seconds."""
        return self.file.layout.info.duration_seconds

    def seconds_of(self, frames: int) -> float:
        """How much of the video so many of its frames stand for."""
        return self.duration * frames / len(self.file.layout.times)

    def so_far(self) -> KeptFrames:
        """What need not be read again: parts that are read, and of others all up to the first
        frame that is missing. Of a part with frames in a batch nothing is said to be unreadable."""
        kept = self.file.kept
        settled = np.zeros_like(self.seen) if kept is None else kept.settled.copy()
        problems = [] if kept is None else list(kept.problems)
        for (first, last), lost in self.begun.items():
            gaps = np.flatnonzero(~self.seen[first:last])
            if lost is not None and not self.waiting:
                settled[first:last] = True
                problems += lost
            else:
                settled[first : first + int(gaps[0]) if len(gaps) else last] = True
        return KeptFrames(
            self.features.copy(), self.seconds.copy(), self.seen & settled, settled, tuple(problems)
        )

    @property
    def complete(self) -> bool:
        """Whether all frames that could be read have their features."""
        return self.closed and self.waiting == 0


@dataclass(slots=True)
class BatchSize:
    """How many pictures a call of the image tower gets, found by trying.

    Doubled for as long as that makes a picture clearly cheaper, as it does on a GPU; the tower
    itself cuts a batch down when the memory of its device does not hold it.
    """

    limit: int
    most: int = MOST_AT_ONCE
    _rates: list[float] = field(default_factory=list)
    """Pictures a second at each size so far."""
    _is_warm: bool = False

    def encoded(self, pictures: int, seconds: float) -> None:
        """A call took so long. Only full batches say something; the first also loads weights."""
        if pictures < self.limit or self.limit >= self.most:
            return
        if not self._is_warm:
            self._is_warm = True
            return
        rate = pictures / max(seconds, 1e-9)
        if self._rates and rate < _WORTH_DOUBLING * self._rates[-1]:
            self.most = self.limit = max(1, self.limit // 2)
            return
        self._rates.append(rate)
        self.limit = min(self.most, 2 * self.limit)


def batch_size(limit: int, shape: FrameShape) -> BatchSize:
    """The size of batches that begin at ``limit`` pictures; of clips as many as have so many."""
    if shape.clip is None:
        return BatchSize(limit)
    frames = shape.clip.frames
    return BatchSize(max(1, limit // frames), most=max(1, MOST_AT_ONCE // frames))


@dataclass(slots=True)
class PictureBatch:
    """Pictures of any files, collected until they fill a call of the image tower."""

    size: BatchSize
    _parts: list[tuple[Assembly, Frames]] = field(default_factory=list)
    _count: int = 0

    @property
    def full(self) -> bool:
        """Whether it is to be encoded before more is added."""
        return self._count >= self.size.limit

    @property
    def worth_a_call(self) -> bool:
        """Whether it should be encoded at once when nothing else is to be done."""
        return self._count >= min(_WORTH_A_CALL, self.size.limit)

    def add(self, assembly: Assembly, frames: Frames) -> None:
        """Put the pictures of some frames of a file with the others."""
        assembly.waiting += len(frames.indices)
        self._parts.append((assembly, frames))
        self._count += len(frames.pixels)

    def encode(self, bundle: Bundle) -> list[Assembly]:
        """Run the tower once and give every feature back to its file; the files it touched."""
        if not self._parts:
            return []
        pixels = np.concatenate([frames.pixels for _, frames in self._parts])
        started = time.perf_counter()
        features = bundle.encode_frames(pixels)
        self.size.encoded(len(pixels), time.perf_counter() - started)
        row = 0
        for assembly, frames in self._parts:
            assembly.features[frames.indices] = features[row + frames.shown]
            assembly.seconds[frames.indices] = frames.seconds
            assembly.seen[frames.indices] = True
            assembly.waiting -= len(frames.indices)
            row += len(frames.pixels)
        touched = list(dict.fromkeys(assembly for assembly, _ in self._parts))
        self._parts.clear()
        self._count = 0
        return touched


Part = tuple[Segment, NDArray[np.intp]]
"""A segment and the rows of its frames that could be read."""


def to_segments(assembly: Assembly, bundle: Bundle) -> tuple[SegmentData, ...]:
    """Cut a complete file into segments and run the temporal head over each.

    A segment without one readable frame is left out.

    Raises:
        MediaError: that leaves nothing, or the numbers are not finite.
    """
    if not assembly.seen.any():
        raise MediaError("no frame of it could be decoded")
    not_finite = MediaError(f"the model {bundle.name} gave numbers for it that are not finite")
    if not np.isfinite(assembly.features[assembly.seen]).all():
        raise not_finite
    parts = _shots(assembly) if assembly.file.layout.by_shots else _planned(assembly)
    frames = [assembly.features[rows] for _, rows in parts]
    vectors = bundle.for_library(bundle.embed_segments(frames))
    if not np.isfinite(vectors).all():
        raise not_finite
    return tuple(
        SegmentData(one.start_seconds, one.end_seconds, assembly.seconds[rows], features, vector)
        for (one, rows), features, vector in zip(parts, frames, vectors, strict=True)
    )


def _planned(assembly: Assembly) -> list[Part]:
    """The segments of the layout."""
    parts: list[Part] = []
    row = 0
    for segment in assembly.file.layout.segments:
        rows = np.arange(row, row + len(segment.times))
        row += len(segment.times)
        rows = rows[assembly.seen[rows]]
        if len(rows):
            parts.append((segment, rows))
    return parts


def _shots(assembly: Assembly) -> list[Part]:
    """Segments that end where what is seen changes; none reaches over frames that were lost."""
    layout = assembly.file.layout
    times = layout.times
    between = (times[1:] + times[:-1]) / 2
    edges = [layout.segments[0].start_seconds, *between, layout.segments[-1].end_seconds]
    seen = np.flatnonzero(assembly.seen)
    parts: list[Part] = []
    for run in np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1):
        cuts = divide(
            assembly.features[run], shortest=FEWEST_FRAMES_A_SHOT, longest=FRAMES_A_SEGMENT
        )
        for first, last in pairwise(cuts):
            rows = run[first:last]
            start, end = round(edges[rows[0]], 6), round(edges[rows[-1] + 1], 6)
            parts.append((Segment(start, end, tuple(times[rows].tolist())), rows))
    return parts

"""What a library gives and takes: frozen records with units in their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from c2v.config import DEFAULTS
from c2v.errors import C2VError

UsedStrategy = Literal["exact", "hnsw"]


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """The encoder bundle whose vectors a library holds.

    Two libraries with the same ``towers_fingerprint`` have the same frame features; with the same
    ``fingerprint`` also the same vectors.
    """

    name: str
    fingerprint: str
    towers_fingerprint: str
    feature_dim: int
    vector_dim: int

    def __post_init__(self) -> None:
        if self.feature_dim < 1 or self.vector_dim < 1:
            raise C2VError(
                f"model {self.name}: features of {self.feature_dim} and vectors of "
                f"{self.vector_dim} numbers; both must be at least 1"
            )

    @property
    def head_dim(self) -> int:
        """H, the width of what the head made: V, or V - 1 where a bias stands beside it.

        Heads fuse parts as wide as a feature, so a bias is what is left over.
        """
        return self.vector_dim - (self.vector_dim % self.feature_dim == 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVideo:
    """One video file as it is now, ready to be stored with its segments."""

    path: str
    """Absolute; bytes that are not UTF-8 are kept as surrogates (``os.fsdecode``)."""
    size_bytes: int
    mtime_ns: int
    content_id: str
    duration_seconds: float
    width: int
    height: int
    codec: str
    sampling: str
    """How segments and frames were chosen; vectors always come with it."""
    problems: tuple[str, ...] = ()
    """What could not be read of this video, in sentences; empty when all was well."""
    recorded_at: float | None = None
    """When it was recorded, in seconds since 1970-01-01 UTC; None where the file does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRecord(NewVideo):
    """One video as the library holds it."""

    id: int
    indexed_at: float
    """Seconds since 1970-01-01 UTC."""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentData:
    """One segment, ready to be stored.

    Shapes: ``times`` [T] in seconds, ``features`` [T, D] (stage 1, not normalised), ``vector`` [V]
    (stage 2, unit length).
    """

    start_seconds: float
    end_seconds: float
    times: NDArray[np.float32]
    features: NDArray[np.float16]
    vector: NDArray[np.float32]

    def __post_init__(self) -> None:
        shapes = self.times.shape, self.features.shape, self.vector.shape
        if [len(shape) for shape in shapes] != [1, 2, 1] or shapes[0] != shapes[1][:1]:
            raise ValueError(f"segments are times [T], features [T, D], vector [V], not {shapes}")


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """Where a stored segment is: its file, and its place in it."""

    segment_id: int
    video_id: int
    path: str
    start_seconds: float
    end_seconds: float
    duration_seconds: float
    """Of the whole video."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBatch:
    """Stage-1 features of N segments: ``features[i]`` [T_i, D] belongs to ``segment_ids[i]``."""

    segment_ids: NDArray[np.int64]
    features: tuple[NDArray[np.float16], ...]


FOLDER_BYTES = -1
"""``size_bytes`` in the failure of a folder that could not be looked into: no file has it."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A name for what is in a video; names that differ in the case of a-z alone are one."""

    video_id: int
    name: str
    confidence: float
    """In [0, 1]; 1.0 for a tag that a person gave."""
    by_hand: bool = False
    """Given by a person: no measurement takes it away or changes it."""

    def __post_init__(self) -> None:
        if not self.name.strip() or not 0.0 <= self.confidence <= 1.0:
            raise C2VError(
                f"the tag {self.name!r} with confidence {self.confidence}: a tag has a name, and "
                "its confidence is in 0 to 1"
            )


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """A file that could not be indexed; while it stays the same it is not tried again.

    Or a folder that could not be looked into.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    reason: str
    failed_at: float

    @property
    def is_folder(self) -> bool:
        """It is of a folder."""
        return self.size_bytes == FOLDER_BYTES


@dataclass(frozen=True, slots=True)
class Counts:
    """What a library holds."""

    videos: int
    segments: int
    frames: int
    seconds: float
    failures: int
    lines: int = 0
    """Of subtitles."""
    without_text: int = 0
    """Subtitles that are pictures: streams and files."""


@dataclass(frozen=True, slots=True)
class StorageSizes:
    """Bytes on disk; everything but ``database`` is a cache that can be deleted."""

    database_bytes: int
    matrix_bytes: int
    hnsw_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.database_bytes + self.matrix_bytes + self.hnsw_bytes


@dataclass(frozen=True, slots=True)
class HnswSettings:
    """The graph's parameters (Malkov and Yashunin 2018: M, efConstruction, ef).

    ``m`` and ``ef_construction`` shape the file, ``ef`` only the search: at 1,000,000 x 1024 (text
    beside clusters of pictures) 400, 800, 1200 and 1600 found 93.0, 97.1, 98.7 and 99.3 % of the
    ten best. At or above ``from_rows``
    segments a graph is kept on disk; below, an exact scan is as fast and always right.
    """

    m: int = DEFAULTS["hnsw_m"]
    ef_construction: int = DEFAULTS["hnsw_ef_construction"]
    ef: int = DEFAULTS["hnsw_ef"]
    from_rows: int = 50_000

    def __post_init__(self) -> None:
        if not (2 <= self.m <= 128 and self.ef_construction >= self.m and self.ef >= 1):
            raise C2VError(
                f"HNSW settings m={self.m}, ef_construction={self.ef_construction}, ef={self.ef}: "
                "m is 2 to 128, ef_construction at least m, ef at least 1"
            )


@dataclass(frozen=True, slots=True)
class Identity:
    """Which content a cache was made of; a cache is trusted only where all of this agrees.

    ``stamp`` is a fresh random number for every change of vectors, so that a database put back
    from a backup, whose generation numbers run a second time, is not mistaken for the first one.
    """

    library: str
    fingerprint: str
    dim: int
    generation: int
    stamp: int

    def same_vectors(self, other: Identity) -> bool:
        """Whether both are of one library, model and dim, at whatever generations."""
        mine = (self.library, self.fingerprint, self.dim)
        return mine == (other.library, other.fingerprint, other.dim)


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Neighbours of Q queries, best first: ``scores`` [Q, K] and ``segment_ids`` [Q, K].

    K is the asked number, or fewer where the library (or the allowed set) has fewer segments.
    Scores are inner products; equal scores are ordered by segment id. ``strategy`` is what was
    really done.
    """

    strategy: UsedStrategy
    scores: NDArray[np.float32]
    segment_ids: NDArray[np.int64]
    among: int = 0
    """How many segments could have been found."""

"""What the decoding threads tell the encoding one, by the number of the job."""

from __future__ import annotations

from dataclasses import dataclass

from c2v.indexing.engine import Failed
from c2v.indexing.plan import Job
from c2v.indexing.report import Heard
from c2v.media.frames import Frames
from c2v.media.identity import FileState
from c2v.media.sampled import Layout


@dataclass(frozen=True, slots=True, eq=False)
class OpenedFile:
    """A file that is being read for a job, how it is cut and when it is looked at."""

    number: int
    """Of the job."""
    job: Job
    layout: Layout
    state: FileState
    """Of the file that was read, whatever stood at its path when the run was planned."""
    content_id: str


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Some of its frames."""

    number: int
    frames: Frames


@dataclass(frozen=True, slots=True)
class Closed:
    """All of its frames have come."""

    number: int
    problems: tuple[str, ...]
    """Reasons why parts of it could not be read."""
    heard: Heard = Heard()


@dataclass(frozen=True, slots=True)
class Dropped:
    """It changed while it was read: what came of it belongs to no file."""

    number: int


@dataclass(frozen=True, slots=True)
class Crashed:
    """A worker met something that is no fault of its file: the run ends with this error."""

    error: BaseException


Event = OpenedFile | Decoded | Closed | Dropped | Failed | Crashed

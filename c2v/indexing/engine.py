"""What turns jobs into segments, as the pipeline sees it: jobs in, outcomes out.

An engine needs nothing but the jobs, and what it tells is keyed by their numbers: the place of each
in the sequence it was given. Jobs and outcomes can be pickled, so the work may be done elsewhere.
:mod:`c2v.indexing.local` does it here, on threads.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from c2v.errors import MediaError
from c2v.indexing.plan import Job
from c2v.indexing.report import Heard
from c2v.library import NewVideo, SegmentData
from c2v.media.identity import FileState


@dataclass(frozen=True, slots=True, eq=False)
class Indexed:
    """A job that is done: a video with its segments, ready to be stored."""

    number: int
    video: NewVideo
    """Which file it is comes from its reading, not from the plan."""
    segments: tuple[SegmentData, ...]
    state: FileState
    """Of the file that was read: it must still be the one at its path when it is stored."""
    heard: Heard = Heard()


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """A job of which nothing came."""

    number: int
    error: MediaError


@dataclass(frozen=True, slots=True)
class Opened:
    """The file of a job was opened, the first time or again; it lasts ``seconds``."""

    number: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Advanced:
    """So many seconds more of a job's video are decoded."""

    number: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """All that came of one step was told. A few of these come every second, whatever happens: the
    moment to store what is finished."""


Outcome = Indexed | Failed | Opened | Advanced | Pause


class Engine(Protocol):
    """Anything that decodes and encodes."""

    @property
    def name(self) -> str:
        """What it is called where a run is reported."""

    def run(self, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        """Do the jobs, in any order: each is Indexed or Failed once, unless the run is ended.

        Closing the generator ends the work: nothing of it goes on in the background. An exception
        is no fault of a single file.
        """
        ...

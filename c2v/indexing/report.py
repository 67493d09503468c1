"""What an indexing run tells while it runs, what it asks, and what it says at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from c2v.library import SubtitleData
from c2v.media.scan import NamedFolder


@dataclass(frozen=True, slots=True)
class Failure:
    """One file that gave nothing to search in, or folder that could not be looked into, and why."""

    path: Path
    reason: str
    trace: str = ""
    """The traceback, where the reason is an exception that nobody foresaw."""

    def as_dict(self) -> dict[str, str]:
        """As JSON has it."""
        return {"path": str(self.path), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Heard:
    """What was read of the subtitles of a video; what was in the way is data."""

    subtitles: tuple[SubtitleData, ...] = ()
    remarks: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """The outcome of a run; what failed is data, not an exception."""

    added: int = 0
    updated: int = 0
    moved: int = 0
    unchanged: int = 0
    """Files that did not have to be read."""
    reembedded: int = 0
    """Videos of the whole library whose vectors another head made anew of stored frame features."""
    removed: int = 0
    failed: tuple[Failure, ...] = ()
    """Files of which nothing came in this run."""
    partly: tuple[Failure, ...] = ()
    """Videos that are indexed, but not every part of them could be read."""
    known_failures: int = 0
    """Files and folders that failed in a run before, and have not changed since."""
    folders: tuple[Failure, ...] = ()
    """Folders that could not be looked into, for the first time or because they were named."""
    without_videos: tuple[NamedFolder, ...] = ()
    """Named folders in which, and below which, there is no video to take."""
    damaged: tuple[str, ...] = ()
    """Videos of which the library's rows were damaged: they were to be read again."""
    missing: int = 0
    """Videos of the library below the given folders that are not on disk and were kept."""
    unmatched: tuple[str, ...] = ()
    """Exclusions that left nothing out."""
    lines: int = 0
    """Of subtitles, that were read in this run."""
    subtitle_remarks: tuple[Failure, ...] = ()
    """What is to be said of subtitles: that costs no video anything."""
    seconds_of_video: float = 0.0
    elapsed_seconds: float = 0.0
    engine: str = "local"
    """Who decoded and encoded."""
    interrupted: bool = False

    @property
    def is_partial(self) -> bool:
        """Something of what was asked for could not be done, and that is news."""
        return bool(self.failed or self.partly or self.folders)

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v index``."""
        return {
            "added": self.added,
            "updated": self.updated,
            "moved": self.moved,
            "unchanged": self.unchanged,
            "reembedded": self.reembedded,
            "removed": self.removed,
            "missing": self.missing,
            "failed": [failure.as_dict() for failure in self.failed],
            "partly": [failure.as_dict() for failure in self.partly],
            "seconds_of_video": round(self.seconds_of_video, 3),
            "elapsed_s": round(self.elapsed_seconds, 3),
            "engine": self.engine,
            "known_failures": self.known_failures,
            "folders": [failure.as_dict() for failure in self.folders],
            "without_videos": [
                {"path": str(seen.path), "files": seen.files} for seen in self.without_videos
            ],
            "interrupted": self.interrupted,
            "lines": self.lines,
            "subtitle_remarks": [failure.as_dict() for failure in self.subtitle_remarks],
        }


@dataclass(slots=True)
class Tally:
    """What a run has come to so far; its words are those of :class:`IndexReport`."""

    added: int = 0
    updated: int = 0
    moved: int = 0
    unchanged: int = 0
    removed: int = 0
    missing: int = 0
    failed: list[Failure] = field(default_factory=list)
    partly: list[Failure] = field(default_factory=list)
    known_failures: int = 0
    folders: list[Failure] = field(default_factory=list)
    without_videos: list[NamedFolder] = field(default_factory=list)
    engine: str = "local"
    damaged: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    lines: int = 0
    subtitle_remarks: list[Failure] = field(default_factory=list)
    seconds_of_video: float = 0.0

    def hear(self, heard: Heard) -> None:
        """Count lines that were stored, and keep what is to be said of them."""
        self.lines += sum(len(one.lines) for one in heard.subtitles)
        self.subtitle_remarks += heard.remarks

    def report(self, *, elapsed_seconds: float, interrupted: bool) -> IndexReport:
        """The end of it."""
        return IndexReport(
            added=self.added,
            updated=self.updated,
            moved=self.moved,
            unchanged=self.unchanged,
            removed=self.removed,
            missing=self.missing,
            failed=tuple(self.failed),
            partly=tuple(self.partly),
            known_failures=self.known_failures,
            folders=tuple(self.folders),
            without_videos=tuple(self.without_videos),
            engine=self.engine,
            damaged=tuple(self.damaged),
            unmatched=tuple(self.unmatched),
            lines=self.lines,
            subtitle_remarks=tuple(self.subtitle_remarks),
            seconds_of_video=self.seconds_of_video,
            elapsed_seconds=elapsed_seconds,
            interrupted=interrupted,
        )


class IndexProgress(Protocol):
    """Told by the pipeline what happens, from the thread that runs it. Draws nothing itself."""

    def scanned(self, count: int) -> None:
        """``count`` files were found so far."""

    def planned(self, videos: int, size_bytes: int) -> None:
        """That many videos, of that size together, are to be decoded."""

    def opened(self, path: Path, *, seconds: float, size_bytes: int) -> None:
        """A video was opened; it lasts ``seconds``."""

    def advanced(self, path: Path, *, seconds: float) -> None:
        """``seconds`` more of this video are decoded."""

    def closed(self, path: Path, *, failed: bool) -> None:
        """A video is committed, or has failed."""


class Silent:
    """A progress that says nothing, for callers without a screen."""

    def scanned(self, count: int) -> None: ...
    def planned(self, videos: int, size_bytes: int) -> None: ...
    def opened(self, path: Path, *, seconds: float, size_bytes: int) -> None: ...
    def advanced(self, path: Path, *, seconds: float) -> None: ...
    def closed(self, path: Path, *, failed: bool) -> None: ...


ConfirmPrune = Callable[[str], bool]
"""Asked a question, whole and with the videos and hours in it: may they be dropped?"""


def refuse(_question: str) -> bool:
    """The answer where nobody can be asked: keep everything."""
    return False

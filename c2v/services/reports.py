"""What the one object answers with, beside what a search, a run and a measurement give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from c2v.search.sequences import ResultSequence

if TYPE_CHECKING:
    from c2v.evaluation.published import PublishedRow
    from c2v.evaluation.retrieval import Evaluation
    from c2v.library import FailureRecord, Store, VideoRecord
    from c2v.search.labels import RankedLabel


@dataclass(frozen=True, slots=True)
class Status:
    """What a library holds."""

    library: str
    model: str | None
    """The encoder that filled it; None when nothing was ever indexed."""
    videos: int
    segments: int
    frames: int
    seconds_of_video: float
    size_bytes: int
    """On disk, with what could be deleted and made again."""
    failed: tuple[FailureRecord, ...]
    """Files of which nothing could be indexed."""
    partly: tuple[VideoRecord, ...] = ()
    """Videos of which not everything could be read; their ``problems`` say what."""
    folders: tuple[FailureRecord, ...] = ()
    """Folders that could not be looked into."""
    lines: int = 0
    """Of subtitles."""
    subtitles_without_text: int = 0
    """Streams and files that are pictures of text."""

    @classmethod
    def of(cls, store: Store) -> Status:
        """What ``store`` holds now."""
        counts, model, failures = store.counts(), store.model, store.failures()
        return cls(
            library=store.address,
            model=model.name if model else None,
            videos=counts.videos,
            segments=counts.segments,
            frames=counts.frames,
            seconds_of_video=counts.seconds,
            size_bytes=store.storage_sizes().total_bytes,
            failed=tuple(one for one in failures if not one.is_folder),
            partly=tuple(store.partly_read()),
            folders=tuple(one for one in failures if one.is_folder),
            lines=counts.lines,
            subtitles_without_text=counts.without_text,
        )

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v status``."""
        return {
            "library": self.library,
            "model": self.model,
            "videos": self.videos,
            "segments": self.segments,
            "frames": self.frames,
            "seconds_of_video": round(self.seconds_of_video, 3),
            "size_bytes": self.size_bytes,
            "failed": [{"path": one.path, "reason": one.reason} for one in self.failed],
            "partly": [
                {"path": one.path, "reason": "; ".join(one.problems)} for one in self.partly
            ],
            "folders": [{"path": one.path, "reason": one.reason} for one in self.folders],
            "lines": self.lines,
            "subtitles_without_text": self.subtitles_without_text,
        }


@dataclass(frozen=True, slots=True)
class DescribedMoment:
    """What a part of a video shows; times in seconds."""

    start: float
    end: float
    results: tuple[RankedLabel, ...]

    def as_dict(self) -> dict[str, Any]:
        """One of the ``moments`` in the JSON of ``c2v describe --moments``."""
        return {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "results": [label.as_dict() for label in self.results],
        }


@dataclass(frozen=True, slots=True)
class Description(ResultSequence["RankedLabel"]):
    """Sentences by how well they describe a video, the best first."""

    video: str
    """The absolute path."""
    model: str
    results: tuple[RankedLabel, ...]
    moments: tuple[DescribedMoment, ...] | None = None
    """Its stretches in which frames look alike, in the order of time; None: were not asked for."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v describe``."""
        content: dict[str, Any] = {
            "video": self.video,
            "model": self.model,
            "results": [label.as_dict() for label in self.results],
        }
        if self.moments is not None:
            content["moments"] = [moment.as_dict() for moment in self.moments]
        return content


@dataclass(frozen=True, slots=True)
class Removed:
    """What the library no longer holds, or would not after a dry run; files stay."""

    paths: tuple[str, ...]
    """Of videos."""
    dry_run: bool
    failures: tuple[str, ...] = ()
    """Of files and folders that could not be read, and are tried again now."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "removed": list(self.paths),
            "failures": list(self.failures),
            "dry_run": self.dry_run,
        }


@dataclass(frozen=True, slots=True)
class Comparison(ResultSequence["Evaluation"]):
    """Encoders measured on the same captions, with published rows of the benchmark."""

    results: tuple[Evaluation, ...]
    """One for each encoder, at least one."""
    published: tuple[PublishedRow, ...]

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v evaluate``: the first result at the top, all of several as models."""
        first = self.results[0]
        content = first.as_dict()
        if len(self.results) > 1:
            content["models"] = [result.as_dict() for result in self.results]
        if self.published:
            content["published"] = [
                {**row.as_dict(), "measured_another_way": not row.is_measured_like(first.protocol)}
                for row in self.published
            ]
        return content

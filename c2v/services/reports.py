"""What the one object answers with, beside what a search, a run and a measurement give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from c2v.search.sequences import ResultSequence

if TYPE_CHECKING:
    from c2v.evaluation.published import PublishedRow
    from c2v.evaluation.retrieval import Evaluation
    from c2v.library import FailureRecord, Store
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

    @classmethod
    def of(cls, store: Store) -> Status:
        """What ``store`` holds now."""
        counts, model = store.counts(), store.model
        return cls(
            library=store.address,
            model=model.name if model else None,
            videos=counts.videos,
            segments=counts.segments,
            frames=counts.frames,
            seconds_of_video=counts.seconds,
            size_bytes=store.storage_sizes().total_bytes,
            failed=tuple(store.failures()),
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
        }


@dataclass(frozen=True, slots=True)
class Description(ResultSequence["RankedLabel"]):
    """Sentences by how well they describe a video, the best first."""

    video: str
    """The absolute path."""
    model: str
    results: tuple[RankedLabel, ...]

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v describe``."""
        return {
            "video": self.video,
            "model": self.model,
            "results": [label.as_dict() for label in self.results],
        }


@dataclass(frozen=True, slots=True)
class Removed:
    """Videos that the library no longer holds, or would not after a dry run; files stay."""

    paths: tuple[str, ...]
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"removed": list(self.paths), "dry_run": self.dry_run}


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

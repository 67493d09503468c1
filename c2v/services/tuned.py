"""What came of tuning an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from c2v.evaluation.stored import Missing
    from c2v.services.tuning_trial import Found


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """Figures of videos held back, before and after, and the encoder that was written."""

    parent: str
    """The encoder that was tried."""
    name: str
    """What the new one is, or would have been, called."""
    directory: Path | None
    """The folder of the new one; None: nothing was written."""
    data: str
    videos: int
    captions: int
    missing: tuple[Missing, ...]
    found: Found
    seconds: float = 0.0

    @property
    def written(self) -> bool:
        """Whether an encoder came of it."""
        return self.directory is not None

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v model tune``."""
        return {
            "name": self.name,
            "model": str(self.directory) if self.directory else None,
            "written": self.written,
            **self.record(),
            "missing": [{"path": miss.path, "reason": miss.reason} for miss in self.missing],
            "elapsed_s": round(self.seconds, 3),
        }

    def record(self) -> dict[str, Any]:
        """What is kept beside the encoder: no path of this machine is in it."""
        return {
            "parent": self.parent,
            "data": self.data,
            "videos": self.videos,
            "captions": self.captions,
            **self.found.as_dict(),
        }

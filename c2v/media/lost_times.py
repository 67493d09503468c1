"""Times whose picture cannot be had, told in as few sentences as possible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class LostTimes:
    """Collects lost times (seconds, ascending) with the reason of each."""

    runs: list[tuple[str, list[float]]] = field(default_factory=list)

    def add(self, seconds: float, reason: str) -> None:
        """Note one lost time; `reason` is "damaged" or "ended"."""
        if self.runs and self.runs[-1][0] == reason:
            self.runs[-1][1].append(seconds)
        else:
            self.runs.append((reason, [seconds]))

    def sentences(self, *, total: int) -> Iterator[str]:
        """One sentence a reason: how many of `total` pictures, and where.

        >>> lost = LostTimes()
        >>> lost.add(3.5, "damaged")
        >>> list(lost.sentences(total=12))
        ['1 of 12 pictures cannot be read (damaged data at 3.5 s)']
        """
        for reason in dict.fromkeys(reason for reason, _ in self.runs):
            times = [time for name, run in self.runs if name == reason for time in run]
            where = f"at {times[0]:.1f} s"
            if len(times) > 1:
                where = f"between {times[0]:.1f} s and {times[-1]:.1f} s"
            count = f"{len(times)} of {total} pictures"
            if reason == "ended":
                yield f"{count} are missing: the file was cut off ({where})"
            else:
                yield f"{count} cannot be read (damaged data {where})"

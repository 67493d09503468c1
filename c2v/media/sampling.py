"""How a video is looked at, in a word: how it is cut, and how exactly its times are met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from c2v.media.segments import SegmentMode

Exactness = Literal["exact", "fast"]
"""`exact`: the picture on screen at the asked time. `fast`: the nearest picture that stands on its
own (a keyframe) when one is close enough, else the exact one; `Frame.seconds` says which it was.

`exact` is the default because `fast` finds less: of 129 captions over films cut from 43 real clips
R@1/5/10 was 24.0/59.7/78.3 with exact pictures and 24.0/50.4/69.0 with keyframes; for the clips by
themselves 44.2/69.8/83.7 and 41.9/67.4/83.7 (`python -m tests.benchmarks.sampling`)."""

_FAST = "+fast"
_SHOTS = "/shots"
"""Beside `auto`: a long video was cut where what is seen changes. `auto` alone is in libraries of
before, which cut it into windows: another way, but the same wish."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which pictures of a video are taken; its text is what a library notes beside the vectors.

    >>> str(Sampling.parse("10.0+fast")), str(Sampling())
    ('10+fast', 'auto/shots')
    >>> Sampling.parse("auto") == Sampling.parse("auto/shots")
    True
    """

    mode: SegmentMode = SegmentMode()
    exactness: Exactness = "exact"

    @staticmethod
    def parse(text: str) -> Sampling:
        """Read ``SEGMENTS`` or ``SEGMENTS+fast``: ``auto/shots``, ``10+fast``.

        Raises:
            UsageError: it is neither.
        """
        mode = text.removesuffix(_FAST)  # not by its first "+": a number may be 1e+06
        exactness: Exactness = "exact" if mode == text else "fast"
        if mode == f"auto{_SHOTS}":
            return Sampling(SegmentMode(), exactness)
        return Sampling(SegmentMode.parse(mode), exactness)

    def __str__(self) -> str:
        shots = _SHOTS if self.mode.kind == "auto" else ""
        return f"{self.mode}{shots}{_FAST if self.exactness == 'fast' else ''}"

"""Pictures of a video at asked times: what is asked for, what comes back, and who can give it.

PyAV and decord stand behind :class:`Decoder`; :mod:`c2v.media.decode` chooses between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from c2v.media.picture import FrameShape

if TYPE_CHECKING:
    from c2v.media.opening import OpenVideo
    from c2v.media.probe import VideoInfo

Sampling = Literal["exact", "fast"]
"""`exact`: the picture on screen at the asked time. `fast`: the nearest picture that stands on its
own (a keyframe) when one is close enough, else the exact one; `Frame.seconds` says which it was.

`exact` is the default because `fast` finds less: of 129 captions over films cut from 43 real clips
R@1/5/10 was 24.0/59.7/78.3 with exact pictures and 24.0/50.4/69.0 with keyframes; for the clips by
themselves 44.2/69.8/83.7 and 41.9/67.4/83.7 (`python -m tests.benchmarks.sampling`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture: the position of its time in the asked list, its real time, its pixels.

    `pixels` is uint8 RGB, upright, [side, side, 3]. Frames of one call may share an array when
    two asked times show the same picture: do not write into it.
    """

    index: int
    seconds: float
    pixels: NDArray[np.uint8]


class Decoder(Protocol):
    """Anything that gives the pictures of a video at asked times."""

    @property
    def name(self) -> str: ...

    def frames(
        self,
        info: VideoInfo,
        times: Sequence[float],
        *,
        shape: FrameShape,
        on_problem: Callable[[str], None],
        video: OpenVideo | None = None,
    ) -> Iterator[Frame]:
        """Yield one frame for each time (seconds, ascending), by ascending index.

        A time whose picture cannot be read is left out and told to `on_problem` (one sentence for
        a run of them). MediaError when not one picture can be read. Asking for a part of the
        times costs only that part, so a long file can be shared between workers. `video` is the
        same file, still open after `probe.look` and read on from there, so it serves one call;
        without it the file is opened.
        """
        ...

"""Pictures of a video at asked times: what is asked for, what comes back, and who can give it.

PyAV and decord stand behind :class:`Decoder`; :mod:`c2v.media.decode` chooses between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from c2v.media.picture import FrameShape

if TYPE_CHECKING:
    from c2v.media.containers import OpenVideo
    from c2v.media.probe import VideoInfo

PICTURES_A_CHUNK = 8
FRAMES_A_CHUNK = 64
"""Of a still screen: progress is told, and a part is handed over, at least that often."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture: the position of its time in the asked list, its real time, its pixels.

    `pixels` is uint8 RGB, upright, [side, side, 3]. Frames of one call may share an array when
    two asked times show the same picture: do not write into it.
    """

    index: int
    seconds: float
    pixels: NDArray[np.uint8]

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] != 3 or shape[0] != shape[1]:
            raise ValueError(f"a frame is [side, side, 3], not {list(shape)}")


@dataclass(frozen=True, slots=True, eq=False)
class FrameClip:
    """What stands in the place of a frame for an encoder that takes clips: T pictures around a
    time (:mod:`c2v.media.clips`), [T, side, side, 3]."""

    index: int
    seconds: float
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Frames of one video and the pictures they show.

    Neighbours that show the same picture share it: several times near one keyframe, or a screen on
    which nothing moves. It is encoded once.
    """

    indices: NDArray[np.intp]
    """[n] into the asked times."""
    seconds: NDArray[np.float32]
    """[n] the real time of each."""
    pixels: NDArray[np.uint8]
    """[m, side, side, 3] RGB, the m <= n pictures; of clips [m, T, side, side, 3]."""
    shown: NDArray[np.intp]
    """[n] which of the pictures each frame shows."""

    def __post_init__(self) -> None:
        count, shape = len(self.indices), self.pixels.shape
        if not self.indices.shape == self.seconds.shape == self.shown.shape == (count,):
            raise ValueError(
                f"of {count} frames there are {list(self.seconds.shape)} times and "
                f"{list(self.shown.shape)} numbers of pictures"
            )
        square = shape[-1] == 3 and shape[-3] == shape[-2]
        if len(shape) not in (4, 5) or not square or shape[0] > count:
            raise ValueError(f"pictures of {count} frames are [m, side, side, 3], not {shape}")


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


def in_chunks(
    frames: Iterable[Frame | FrameClip], *, first: int = 0, most: int = PICTURES_A_CHUNK
) -> Iterator[Frames]:
    """A few frames at a time, each picture once, at most `most` of them; `first` is added to every
    index."""
    chunk = _Chunk(first, most)
    for frame in frames:
        if chunk.is_full_before(frame):
            yield chunk.frames()
            chunk = _Chunk(first, most)
        chunk.add(frame)
    if chunk.seconds:
        yield chunk.frames()


@dataclass(slots=True)
class _Chunk:
    """Frames in the making, and the pictures among them."""

    first: int
    most: int
    indices: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    pictures: list[NDArray[np.uint8]] = field(default_factory=list)

    def is_full_before(self, frame: Frame | FrameClip) -> bool:
        if len(self.seconds) == FRAMES_A_CHUNK:
            return True
        return len(self.pictures) == self.most and not self._repeats(frame)

    def add(self, frame: Frame | FrameClip) -> None:
        if not self._repeats(frame):
            self.pictures.append(frame.pixels)
        self.indices.append(self.first + frame.index)
        self.seconds.append(frame.seconds)
        self.shown.append(len(self.pictures) - 1)

    def _repeats(self, frame: Frame | FrameClip) -> bool:
        if not self.pictures:
            return False
        last = self.pictures[-1]
        return frame.pixels is last or np.array_equal(frame.pixels, last)

    def frames(self) -> Frames:
        return Frames(
            indices=np.asarray(self.indices),
            seconds=np.asarray(self.seconds, np.float32),
            pixels=np.stack(self.pictures),
            shown=np.asarray(self.shown),
        )

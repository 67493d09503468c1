"""Pictures of a video at asked times: the seam behind which PyAV and decord stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from c2v.errors import UsageError
from c2v.media.probe import VideoInfo

DecoderName = Literal["auto", "pyav", "decord"]

Sampling = Literal["exact", "fast"]
"""`exact`: the picture on screen at the asked time. `fast`: the nearest picture that stands on its
own (a keyframe) when one is close enough, else the exact one; `Frame.seconds` says which it was.

`exact` is the default because `fast` finds less: of 129 captions over films cut from 43 real clips
R@1/5/10 was 24.0/59.7/78.3 with exact pictures and 24.0/50.4/69.0 with keyframes; for the clips by
themselves 44.2/69.8/83.7 and 41.9/67.4/83.7 (`python -m tests.benchmarks.sampling`)."""


@dataclass(frozen=True, slots=True)
class FrameShape:
    """The square an encoder wants: `side` pixels.

    `shortest` scales the short side to `side` and crops the centre, without distortion; `squash`
    scales both sides to `side`.
    """

    side: int
    resize: Literal["shortest", "squash"] = "shortest"

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"a frame needs at least one pixel, got side={self.side}")


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
    ) -> Iterator[Frame]:
        """Yield one frame for each time (seconds, ascending), by ascending index.

        A time whose picture cannot be read is left out and told to `on_problem` (one sentence for
        a run of them). MediaError when not one picture can be read. Asking for a part of the
        times costs only that part, so a long file can be shared between workers.
        """
        ...


def decoder_names_available() -> tuple[DecoderName, ...]:
    """The names `choose_decoder` accepts on this machine."""
    return ("auto", "pyav", "decord") if find_spec("decord") else ("auto", "pyav")


def choose_decoder(
    name: DecoderName, info: VideoInfo, *, sampling: Sampling = "exact", threads: int = 1
) -> Decoder:
    """The decoder for one video.

    `auto` is PyAV for every file: it is right for all of them, and since it decodes only the
    wanted pictures decord is no longer faster once its process is counted (figures: see
    decord_decoder). UsageError when decord is asked for and not installed, or with `fast`.
    """
    if name == "decord":
        if "decord" not in decoder_names_available():
            raise UsageError(
                "the decoder decord is not installed (it has wheels for x86-64 Linux and Windows)",
                hint="use --decoder pyav, which reads every video decord does",
            )
        if sampling == "fast":
            raise UsageError(
                "the decoder decord only does exact sampling", hint="use --decoder pyav"
            )
        from c2v.media.decord_decoder import DecordDecoder

        return DecordDecoder()
    from c2v.media.pyav_decoder import PyAVDecoder

    return PyAVDecoder(sampling=sampling, threads=threads)

"""A video as an encoder is shown it: cut into segments, and the pictures at their times.

:func:`sample` takes a whole file at once, for a query, a training run or a script; the pipeline
goes the same way in steps (:func:`lay_out`, then :func:`decode_range` for parts of it), so that a
film can be shared between workers and never stands in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.errors import ChangedError, MediaError, only_this_file
from c2v.media.clips import clip_times, gather, in_clips
from c2v.media.containers import MOST_MEGAPIXELS, OpenVideo, open_video
from c2v.media.decode import choose_decoder
from c2v.media.frames import PICTURES_A_CHUNK, Decoder, Frames, in_chunks
from c2v.media.identity import held
from c2v.media.picture import ClipLayout, FrameShape
from c2v.media.probe import VideoInfo, look
from c2v.media.sampling import Sampling
from c2v.media.segments import FRAMES_A_SEGMENT, Segment, plan_segments
from c2v.media.shots import find_cuts


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How a video is cut, and when it is looked at."""

    info: VideoInfo
    segments: tuple[Segment, ...]
    times: NDArray[np.float64]
    """All sample times of all segments, one after the other, in seconds [N]."""
    by_shots: bool = False
    """The segments only say when it is looked at: where they end is decided by what is seen."""


def lay_out(
    video: OpenVideo,
    sampling: Sampling,
    *,
    decoder: Decoder,
    on_problem: Callable[[str], None],
    frames: int = FRAMES_A_SEGMENT,
    first_seconds: float | None = None,
    between: tuple[float, float] | None = None,
    clip: ClipLayout | None = None,
) -> Layout:
    """Look at an open file and lay out its segments and sample times.

    Scenes are found by ``decoder``, which then decodes the file once, at a small size. With
    ``between`` (seconds) only that part is laid out, in ``sampling`` without scenes. Of an encoder
    that takes clips each time is that of one.

    Raises:
        MediaError: with the reason, when it is not a video that can be read.
    """
    info = look(video)
    length = info.duration_seconds
    if first_seconds is not None:
        length = min(length, first_seconds)
    start = 0.0
    if between is not None:
        start, length = between[0], min(between[1], length) - between[0]
        if length <= 0:
            raise MediaError(f"ends at {info.duration_seconds:.1f} s, before {start:.1f} s")
    cuts: Sequence[float] = ()
    if sampling.mode.kind == "scene":
        cuts = find_cuts(info, decoder, on_problem=on_problem)
    segments = plan_segments(length, mode=sampling.mode, frames=frames, cuts=cuts)
    if start:
        segments = tuple(_later(segment, start) for segment in segments)
    if clip is not None:
        segments = tuple(in_clips(segment, clip) for segment in segments)
    times = np.asarray([time for one in segments for time in one.times])
    by_shots = sampling.mode.kind == "auto" and len(segments) > 1 and clip is None
    return Layout(info, segments, times, by_shots=by_shots)


def _later(segment: Segment, seconds: float) -> Segment:
    return Segment(
        segment.start_seconds + seconds,
        segment.end_seconds + seconds,
        tuple(time + seconds for time in segment.times),
    )


def decode_range(
    layout: Layout,
    first: int,
    last: int,
    *,
    shape: FrameShape,
    decoder: Decoder,
    on_problem: Callable[[str], None],
    video: OpenVideo | None = None,
) -> Iterator[Frames]:
    """Decode the pictures at ``layout.times[first:last]``, a few at a time.

    ``video`` is the file, still open after :func:`lay_out`; without it the file is opened again.

    Raises:
        MediaError: not one of them can be read. What else is left out ``on_problem`` is told.
    """
    times, clip = layout.times[first:last], shape.clip
    if clip is not None:
        times = clip_times(layout.segments, clip)[first:last].ravel()
    frames = decoder.frames(
        layout.info, times.tolist(), shape=shape, on_problem=on_problem, video=video
    )
    if clip is None:
        return in_chunks(frames, first=first)
    most = max(1, PICTURES_A_CHUNK // clip.frames)
    return in_chunks(gather(frames, clip), first=first, most=most)


@dataclass(frozen=True, slots=True, eq=False)
class SampledVideo:
    """A file, how it was cut, and what could be read at its n <= N sample times.

    Of one segment ``frames.indices`` are the numbers of its times; of several they count on, in
    the order of ``layout.times``.
    """

    layout: Layout
    frames: Frames
    problems: tuple[str, ...]
    """Sentences on what could not be read."""

    @property
    def pictures(self) -> NDArray[np.uint8]:
        """A picture a frame: [n, side, side, 3] RGB, as many as ``frames.indices``; of clips
        [n, T, side, side, 3]."""
        return self.frames.pixels[self.frames.shown]


def sample(
    path: Path,
    sampling: Sampling,
    shape: FrameShape,
    *,
    frames: int = FRAMES_A_SEGMENT,
    first_seconds: float | None = None,
    between: tuple[float, float] | None = None,
    max_megapixels: float = MOST_MEGAPIXELS,
) -> SampledVideo:
    """The pictures of a file that ``sampling`` asks for, all in memory.

    A file that changes while it is read is read again, once.

    Args:
        path: the file.
        sampling: how it is cut, and how exactly its times are met.
        shape: the size of the pictures.
        frames: how many a segment has, at most (see ``plan_segments``).
        first_seconds: how much of it counts; None for all.
        between: the part that counts, in seconds; None for all.
        max_megapixels: files with larger pictures are refused.

    Raises:
        MediaError: nothing of it can be read.
        ChangedError: it changed again.
    """
    decoder = choose_decoder("auto", exactness=sampling.exactness, max_megapixels=max_megapixels)

    def read() -> SampledVideo:
        problems: list[str] = []
        with (
            only_this_file(),
            held(path),
            open_video(path, max_megapixels=max_megapixels) as video,
        ):
            layout = lay_out(
                video,
                sampling,
                decoder=decoder,
                on_problem=problems.append,
                frames=frames,
                first_seconds=first_seconds,
                between=between,
                clip=shape.clip,
            )
            parts = list(
                decode_range(
                    layout,
                    0,
                    len(layout.times),
                    shape=shape,
                    decoder=decoder,
                    on_problem=problems.append,
                    video=video,
                )
            )
        return SampledVideo(layout, _joined(parts), tuple(problems))

    try:
        return read()
    except ChangedError:
        return read()


def _joined(parts: Sequence[Frames]) -> Frames:
    firsts = np.cumsum([0] + [len(part.pixels) for part in parts])
    return Frames(
        indices=np.concatenate([part.indices for part in parts]),
        seconds=np.concatenate([part.seconds for part in parts]),
        pixels=np.concatenate([part.pixels for part in parts]),
        shown=np.concatenate(
            [part.shown + first for part, first in zip(parts, firsts[:-1], strict=True)]
        ),
    )

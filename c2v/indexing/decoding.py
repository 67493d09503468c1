"""The decoding side of the pipeline: threads that turn files into events.

Each worker takes a task, opens the file and puts what it finds on one bounded queue, in this
order: :class:`Opened`, any number of :class:`Frames`, then :class:`Closed` or :class:`Failed`.
Every time a file is opened it is held until that reading ends, and must still be the same file,
under the same name: else the clip is :class:`Dropped`, and tried again at once, but only once.
A long file is split into parts. Whoever opened it goes on with them; a worker for which no file is
left helps another, so one film does not leave the other cores without work. The queue's bound, and
a file a worker, are the pipeline's bounds on memory.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from queue import Full, Queue

import numpy as np
from numpy.typing import NDArray

from c2v.errors import ChangedError, MediaError, only_this_file
from c2v.indexing.events import Clip, Closed, Crashed, Dropped, Event, Failed, Frames, Opened
from c2v.indexing.plan import Job
from c2v.indexing.report import IndexOptions
from c2v.media.decode import choose_decoder
from c2v.media.frames import Decoder, Frame
from c2v.media.identity import FileState, content_id_of, held
from c2v.media.opening import OpenVideo, open_video
from c2v.media.picture import FrameShape
from c2v.media.probe import look
from c2v.media.segments import SegmentMode, plan_segments
from c2v.media.shots import find_cuts

SAMPLING_SEPARATOR = "+"
"""A sampling is written ``SEGMENTS`` or ``SEGMENTS+fast``: ``auto``, ``10+fast``."""

PICTURES_A_CHUNK = 8
QUEUED_CHUNKS = 24
"""24 chunks of 8 pictures of 224 x 224: at most 29 MB waiting for the encoder."""
FRAMES_A_CHUNK = 64
"""Of a still screen: progress is told, and a part is handed over, at least that often."""
PART_FRAMES = 240
"""A part of a long file: four minutes at one frame a second."""
SHORTEST_PART_FRAMES = 24
"""A part begins inside a group of pictures, whose beginning is decoded again: not too often."""


class Stopped(BaseException):  # noqa: N818 - a request, not an error: no handler of them sees it
    """Raised inside a worker when the run is being ended."""


@dataclass(slots=True, eq=False)
class _Open:
    """A clip that is being decoded; whoever finishes its last part closes it."""

    clip: Clip
    parts: deque[tuple[int, int]]
    """Ranges of its times that nobody has begun."""
    left: int
    """Parts that are not finished."""
    failures: list[MediaError] = field(default_factory=list)
    delivered: bool = False

    @property
    def change(self) -> ChangedError | None:
        """Why nothing that was read of it counts."""
        return next((one for one in self.failures if isinstance(one, ChangedError)), None)


class DecodePool:
    """Workers that decode ``jobs`` and put events on ``events`` until :meth:`stop`."""

    def __init__(
        self, jobs: Sequence[Job], *, shape: FrameShape, options: IndexOptions, workers: int
    ) -> None:
        self.events: Queue[Event] = Queue(maxsize=QUEUED_CHUNKS)
        self._jobs = deque(jobs)
        self._open_clips: list[_Open] = []
        self._shape = shape
        self._options = options
        self._lock = threading.Condition()
        self._opening = 0
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"c2v-decode-{number}", daemon=True)
            for number in range(workers)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask the workers to end after the chunk in their hands, and wait until they have."""
        self._stop.set()
        with self._lock:
            self._lock.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        try:
            while (task := self._next_task()) is not None:
                if isinstance(task, Job):
                    self._decode_file(task)
                else:
                    self._decode_part(*task)
        except Stopped:
            return
        except BaseException as error:
            self._stop.set()
            self.events.put(Crashed(error))

    def _next_task(self) -> Job | tuple[_Open, tuple[int, int]] | None:
        """The next file, else a part of another worker's; None when nothing can come."""
        with self._lock:
            while not self._stop.is_set():
                if self._jobs:
                    self._opening += 1
                    return self._jobs.popleft()
                longest = max(self._open_clips, key=lambda one: len(one.parts), default=None)
                if longest is not None and longest.parts:
                    return longest, longest.parts.popleft()
                if not self._opening:
                    return None
                self._lock.wait()
        return None

    def _next_part(self, opened: _Open) -> tuple[int, int] | None:
        with self._lock:
            return opened.parts.popleft() if opened.parts else None

    def _shares(self) -> int:
        """How many workers a file opened now is to be shared between: near the end, all of them."""
        with self._lock:
            return len(self._threads) if len(self._jobs) < len(self._threads) - 1 else 1

    def _decode_file(self, job: Job) -> None:
        """Open a file and decode its parts, as long as nobody else takes them."""
        opened = self._begin(job)
        while opened and (part := self._next_part(opened)):
            self._decode_part(opened, part)

    def _begin(self, job: Job) -> _Open | None:
        """Open a file and decode its first part from where looking at it ended.

        Then the file is closed and forgotten: of 4K, a decoder holds a hundred megabytes.
        """
        opened = None
        with ExitStack() as closing:
            try:
                with only_this_file(), held(job.file.path) as (file, state):
                    video = closing.enter_context(
                        open_video(job.file.path, max_megapixels=self._options.max_megapixels)
                    )
                    clip = lay_out(
                        job, video, self._options, state=state, content_id=content_id_of(file)
                    )
                parts = split(len(clip.times), shares=self._shares())
                self._put(Opened(clip))
                opened = _Open(clip, deque(parts), left=len(parts))
            except MediaError as error:
                self._fail(job, error)
            finally:
                with self._lock:
                    self._opening -= 1
                    self._open_clips += [opened] if opened else []
                    self._lock.notify_all()
            if opened and (part := self._next_part(opened)):
                self._decode_part(opened, part, video)
        return opened

    def _fail(self, job: Job, error: MediaError) -> None:
        """Give a file up; one that changed while it was read is tried again first."""
        if not isinstance(error, ChangedError) or job.is_second_try:
            self._put(Failed(job, error))
            return
        with self._lock:
            self._jobs.appendleft(replace(job, is_second_try=True))
            self._lock.notify_all()

    def _decode_part(
        self, opened: _Open, part: tuple[int, int], video: OpenVideo | None = None
    ) -> None:
        clip, path = opened.clip, opened.clip.job.file.path
        failure = None
        try:
            with only_this_file(), held(path, clip.state, content=clip.content_id):
                for chunk in decode_range(
                    clip, *part, shape=self._shape, options=self._options, video=video
                ):
                    opened.delivered = True
                    self._put(chunk)
        except MediaError as error:
            failure = error
        with self._lock:
            opened.left -= 1
            opened.failures += [failure] if failure else []
            if opened.change:  # no need to read the rest of it
                opened.left -= len(opened.parts)
                opened.parts.clear()
            if opened.left:
                return
            self._open_clips.remove(opened)
        self._finish(opened)

    def _finish(self, opened: _Open) -> None:
        clip = opened.clip
        if opened.change:
            self._put(Dropped(clip))
            self._fail(clip.job, opened.change)
        elif opened.delivered:
            clip.problems.extend(failure.message for failure in opened.failures)
            self._put(Closed(clip))
        else:
            self._put(Failed(clip.job, opened.failures[0]))

    def _put(self, event: Event) -> None:
        while not self._stop.is_set():
            try:
                self.events.put(event, timeout=0.1)
            except Full:
                continue
            return
        raise Stopped


def lay_out(
    job: Job, video: OpenVideo, options: IndexOptions, *, state: FileState, content_id: str
) -> Clip:
    """Look at an open file and lay out its segments and sample times.

    ``state`` and ``content_id`` are those of the file that is open.

    Raises :class:`MediaError` with the reason when it is not a video that can be read.
    """
    info = look(video)
    problems: list[str] = []
    mode = SegmentMode.parse(job.sampling.partition(SAMPLING_SEPARATOR)[0])
    cuts: Sequence[float] = ()
    if mode.kind == "scene":  # decodes the whole file once, at a small size
        cuts = find_cuts(info, _decoder(job, options), on_problem=problems.append)
    segments = plan_segments(info.duration_seconds, mode=mode, cuts=cuts)
    times = np.asarray([time for segment in segments for time in segment.times])
    return Clip(job, info, segments, times, problems, state, content_id)


def decode_range(
    clip: Clip,
    first: int,
    last: int,
    *,
    shape: FrameShape,
    options: IndexOptions,
    video: OpenVideo | None = None,
) -> Iterator[Frames]:
    """Decode the pictures at ``clip.times[first:last]``, a few at a time.

    ``video`` is the clip's file, still open; without it the file is opened again.
    """
    frames = _decoder(clip.job, options).frames(
        clip.info, clip.times[first:last].tolist(), shape=shape,
        on_problem=clip.problems.append, video=video,
    )  # fmt: skip
    chunk = _Chunk(clip, first)
    for frame in frames:
        if chunk.is_full_before(frame):
            yield chunk.frames()
            chunk = _Chunk(clip, first)
        chunk.add(frame)
    if chunk.seconds:
        yield chunk.frames()


@dataclass(slots=True)
class _Chunk:
    """Frames in the making, and the pictures among them."""

    clip: Clip
    first: int
    indices: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    pictures: list[NDArray[np.uint8]] = field(default_factory=list)

    def is_full_before(self, frame: Frame) -> bool:
        if len(self.seconds) == FRAMES_A_CHUNK:
            return True
        return len(self.pictures) == PICTURES_A_CHUNK and not self._repeats(frame)

    def add(self, frame: Frame) -> None:
        if not self._repeats(frame):
            self.pictures.append(frame.pixels)
        self.indices.append(self.first + frame.index)
        self.seconds.append(frame.seconds)
        self.shown.append(len(self.pictures) - 1)

    def _repeats(self, frame: Frame) -> bool:
        if not self.pictures:
            return False
        last = self.pictures[-1]
        return frame.pixels is last or np.array_equal(frame.pixels, last)

    def frames(self) -> Frames:
        return Frames(
            self.clip,
            indices=np.asarray(self.indices),
            seconds=np.asarray(self.seconds, np.float32),
            pixels=np.stack(self.pictures),
            shown=np.asarray(self.shown),
        )


def _decoder(job: Job, options: IndexOptions) -> Decoder:
    fast = job.sampling.endswith(SAMPLING_SEPARATOR + "fast")
    return choose_decoder(
        options.decoder,
        sampling="fast" if fast else "exact",
        max_megapixels=options.max_megapixels,
    )


def split(count: int, *, shares: int) -> list[tuple[int, int]]:
    """Ranges of sample times that cover ``count`` of them, for ``shares`` workers.

    >>> split(500, shares=1)
    [(0, 240), (240, 480), (480, 500)]
    >>> split(60, shares=2)
    [(0, 30), (30, 60)]
    """
    size = max(SHORTEST_PART_FRAMES, min(PART_FRAMES, -(-count // shares)))
    return [(first, min(first + size, count)) for first in range(0, max(count, 1), size)]

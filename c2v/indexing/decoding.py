"""The decoding side of the local engine: threads that turn files into events.

Each worker takes a task, opens the file and puts what it finds on one bounded queue, in this
order: :class:`OpenedFile`, any number of :class:`Decoded` and :class:`PartRead`, then
:class:`Closed` or :class:`Failed`. Every time a file is opened it is held until that reading ends,
and must still be the same file, under the same name: else it is :class:`Dropped`, and tried again
at once, but only once. A long file is split into parts. Whoever opened it goes on with them; a
worker for which no file is left helps another, so one film does not leave the other cores without
work. The queue's bound, and a file a worker, are the engine's bounds on memory.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from queue import Full, Queue

from c2v.errors import ChangedError, MediaError, only_this_file
from c2v.indexing.engine import Failed
from c2v.indexing.events import Closed, Crashed, Decoded, Dropped, Event, OpenedFile, PartRead
from c2v.indexing.options import IndexOptions
from c2v.indexing.plan import Job
from c2v.indexing.report import Heard
from c2v.indexing.subtitles import read_with
from c2v.indexing.unfinished import Unfinished
from c2v.media.containers import OpenVideo, open_video
from c2v.media.decode import choose_decoder
from c2v.media.frames import Decoder
from c2v.media.identity import content_id_of, held
from c2v.media.picture import FrameShape
from c2v.media.sampled import decode_range, lay_out
from c2v.media.subtitles import text_streams

QUEUED_CHUNKS = 24
"""24 chunks of 8 pictures of 224 x 224: at most 29 MB waiting for the encoder."""
PART_FRAMES = 240
"""A part of a long file: four minutes at one frame a second."""
SHORTEST_PART_FRAMES = 24
"""A part begins inside a group of pictures, whose beginning is decoded again: not too often."""


class Stopped(BaseException):  # noqa: N818 - a request, not an error: no handler of them sees it
    """Raised inside a worker when the run is being ended."""


@dataclass(frozen=True, slots=True)
class _Try:
    """A job that a worker is to begin."""

    number: int
    job: Job
    is_second: bool = False
    """Its file changed while it was read."""


@dataclass(slots=True, eq=False)
class _Open:
    """A file that is being decoded; whoever finishes its last part closes it."""

    attempt: _Try
    file: OpenedFile
    parts: deque[tuple[int, int]]
    """Ranges of its times that nobody has begun."""
    left: int
    """Parts that are not finished."""
    problems: list[str]
    """Reasons why parts of it could not be read; filled while it is decoded."""
    subtitle_streams: tuple[int, int]
    """With text, and without."""
    failures: list[MediaError] = field(default_factory=list)
    delivered: bool = False

    @property
    def change(self) -> ChangedError | None:
        """Why nothing that was read of it counts."""
        return next((one for one in self.failures if isinstance(one, ChangedError)), None)


class DecodePool:
    """Workers that decode ``jobs`` and put events on ``events`` until :meth:`stop`."""

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        shape: FrameShape,
        options: IndexOptions,
        workers: int,
        unfinished: Unfinished | None = None,
    ) -> None:
        self.events: Queue[Event] = Queue(maxsize=QUEUED_CHUNKS)
        self._tries = deque(_Try(number, job) for number, job in enumerate(jobs))
        self._open: list[_Open] = []
        self._shape = shape
        self._options = options
        self._unfinished = unfinished
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
                if isinstance(task, _Try):
                    self._decode_file(task)
                else:
                    self._decode_part(*task)
        except Stopped:
            return
        except BaseException as error:
            self._stop.set()
            self.events.put(Crashed(error))

    def _next_task(self) -> _Try | tuple[_Open, tuple[int, int]] | None:
        """The next file, else a part of another worker's; None when nothing can come."""
        with self._lock:
            while not self._stop.is_set():
                if self._tries:
                    self._opening += 1
                    return self._tries.popleft()
                longest = max(self._open, key=lambda one: len(one.parts), default=None)
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
            return len(self._threads) if len(self._tries) < len(self._threads) - 1 else 1

    def _decode_file(self, attempt: _Try) -> None:
        """Open a file and decode its parts, as long as nobody else takes them."""
        opened = self._begin(attempt)
        while opened and (part := self._next_part(opened)):
            self._decode_part(opened, part)

    def _begin(self, attempt: _Try) -> _Open | None:
        """Open a file and decode its first part from where looking at it ended.

        Then the file is closed and forgotten: of 4K, a decoder holds a hundred megabytes.
        """
        opened, path = None, attempt.job.file.path
        problems: list[str] = []
        with ExitStack() as closing:
            try:
                with only_this_file(), held(path) as (file, state):
                    video = closing.enter_context(
                        open_video(path, max_megapixels=self._options.max_megapixels)
                    )
                    content = content_id_of(file)
                    streams = text_streams(video)
                    layout = lay_out(
                        video,
                        attempt.job.sampling,
                        decoder=self._decoder(attempt.job),
                        on_problem=problems.append,
                        clip=self._shape.clip,
                    )
                    found = OpenedFile(attempt.number, attempt.job, layout, state, content)
                found = self._with_kept(found)
                self._put(found)
                opened = self._to_be_read(attempt, found, problems, streams)
            except MediaError as error:
                self._fail(attempt, error)
            finally:
                with self._lock:
                    self._opening -= 1
                    self._open += [opened] if opened and opened.left else []
                    self._lock.notify_all()
            if opened and not opened.left:
                self._finish(opened)
            elif opened and (part := self._next_part(opened)):
                self._decode_part(opened, part, video)
        return opened

    def _with_kept(self, file: OpenedFile) -> OpenedFile:
        """The file with what a run before has kept of it."""
        if self._unfinished is None:
            return file
        kept = self._unfinished.find(file.content_id, file.job.sampling, file.layout)
        return replace(file, kept=kept)

    def _to_be_read(
        self, attempt: _Try, file: OpenedFile, problems: list[str], streams: tuple[int, int]
    ) -> _Open:
        count, kept = len(file.layout.times), file.kept
        if kept is not None:
            problems += kept.problems
        left = [(0, count)] if kept is None else kept.left()
        parts = split_all(left, shares=self._shares())
        delivered = kept is not None and bool(kept.seen.any())
        return _Open(
            attempt, file, deque(parts), len(parts), problems, streams, delivered=delivered
        )

    def _decoder(self, job: Job) -> Decoder:
        return choose_decoder(
            self._options.decoder,
            exactness=job.sampling.exactness,
            max_megapixels=self._options.max_megapixels,
        )

    def _fail(self, attempt: _Try, error: MediaError) -> None:
        """Give a file up; one that changed while it was read is tried again first."""
        if not isinstance(error, ChangedError) or attempt.is_second:
            self._put(Failed(attempt.number, error))
            return
        with self._lock:
            self._tries.appendleft(replace(attempt, is_second=True))
            self._lock.notify_all()

    def _decode_part(
        self, opened: _Open, part: tuple[int, int], video: OpenVideo | None = None
    ) -> None:
        file, failure = opened.file, None
        problems: list[str] = []
        try:
            with only_this_file(), held(file.job.file.path, file.state, content=file.content_id):
                for frames in decode_range(
                    file.layout,
                    *part,
                    shape=self._shape,
                    decoder=self._decoder(file.job),
                    on_problem=problems.append,
                    video=video,
                ):
                    opened.delivered = True
                    self._put(Decoded(file.number, frames, part))
        except MediaError as error:
            failure = error
        if not isinstance(failure, ChangedError):
            lost = (failure.message,) if failure else ()
            self._put(PartRead(file.number, part, (*problems, *lost)))
        with self._lock:
            opened.left -= 1
            opened.problems += problems
            opened.failures += [failure] if failure else []
            if opened.change:  # no need to read the rest of it
                opened.left -= len(opened.parts)
                opened.parts.clear()
            if opened.left:
                return
            self._open.remove(opened)
        self._finish(opened)

    def _finish(self, opened: _Open) -> None:
        number = opened.file.number
        if opened.change:
            self._put(Dropped(number))
            self._fail(opened.attempt, opened.change)
        elif opened.delivered:
            lost = [failure.message for failure in opened.failures]
            self._put(Closed(number, (*opened.problems, *lost), self._heard(opened)))
        else:
            self._put(Failed(number, opened.failures[0]))

    def _heard(self, opened: _Open) -> Heard:
        """Subtitles, by whoever was the last to read of the file: others go on meanwhile."""
        if not self._options.subtitles:
            return Heard()
        file = opened.file
        return read_with(file.job.file, file.layout.info, streams=opened.subtitle_streams)

    def _put(self, event: Event) -> None:
        while not self._stop.is_set():
            try:
                self.events.put(event, timeout=0.1)
            except Full:
                continue
            return
        raise Stopped


def split(count: int, *, shares: int) -> list[tuple[int, int]]:
    """Ranges of sample times that cover ``count`` of them, for ``shares`` workers.

    >>> split(500, shares=1)
    [(0, 240), (240, 480), (480, 500)]
    >>> split(60, shares=2)
    [(0, 30), (30, 60)]
    """
    return split_all([(0, count)], shares=shares)


def split_all(ranges: Sequence[tuple[int, int]], *, shares: int) -> list[tuple[int, int]]:
    """Ranges of sample times, as :func:`split` cuts one.

    >>> split_all([(100, 400), (500, 510)], shares=1)
    [(100, 340), (340, 400), (500, 510)]
    """
    count = sum(last - first for first, last in ranges)
    size = max(SHORTEST_PART_FRAMES, min(PART_FRAMES, -(-count // shares)))
    return [
        (begin, min(begin + size, last))
        for first, last in ranges
        for begin in range(first, max(last, first + 1), size)
    ]

"""The engine of this machine: files decoded on threads, their pictures encoded here in batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty

from c2v.cores import usable_cores
from c2v.encoder.bundle import Bundle
from c2v.errors import MediaError, only_this_file
from c2v.indexing.assembly import Assembly, PictureBatch, batch_size, to_segments
from c2v.indexing.decoding import DecodePool
from c2v.indexing.engine import (
    Advanced,
    Failed,
    Indexed,
    Interrupted,
    Opened,
    Outcome,
    Pause,
    Resumed,
)
from c2v.indexing.events import Closed, Crashed, Decoded, Dropped, Event, OpenedFile, PartRead
from c2v.indexing.frame_shapes import frame_shape
from c2v.indexing.options import IndexOptions
from c2v.indexing.plan import Job
from c2v.indexing.unfinished import FEWEST_FRAMES, KEEP_EVERY_SECONDS, Unfinished
from c2v.library import NewVideo

STOP_LATENCY_SECONDS = 0.2
"""How long an interrupt may go unnoticed while the workers deliver nothing."""


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Implements :class:`c2v.indexing.engine.Engine`; setting ``stop`` ends a run early, with what
    is decoded by then."""

    bundle: Bundle
    options: IndexOptions
    stop: threading.Event
    unfinished: Unfinished | None = None
    """Where long films are kept whose reading was ended; None keeps nothing of them."""
    name: str = "local"

    def run(self, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        """Decode on threads and encode here, until every job is Indexed or Failed."""
        shape = frame_shape(self.bundle.config.image)
        pool = DecodePool(
            jobs,
            shape=shape,
            options=self.options,
            workers=self.options.workers or usable_cores(),
            unfinished=self.unfinished,
        )
        batch = PictureBatch(batch_size(self.options.batch_size, shape))
        encoding = _Encoding(self.bundle, batch, left=len(jobs), unfinished=self.unfinished)
        pool.start()
        try:
            _ = self.bundle.image_tower  # loads while the workers decode
            while encoding.left and not self.stop.is_set():
                patience = 0.0 if encoding.batch.worth_a_call else STOP_LATENCY_SECONDS
                try:
                    event = pool.events.get(timeout=patience)
                except Empty:
                    yield from encoding.encode()
                else:
                    yield from encoding.take(event)
                encoding.keep_now_and_then()
                yield Pause()
        except BaseException:
            encoding.keep()
            raise
        finally:
            pool.stop()
        yield Pause()
        yield from encoding.encode()  # after an interrupt: a batch away from finished
        yield from encoding.keep()


@dataclass(slots=True)
class _Encoding:
    """Takes the workers' events in order; owns the half-finished files."""

    bundle: Bundle
    batch: PictureBatch
    left: int
    """Jobs that are neither finished nor failed."""
    unfinished: Unfinished | None
    assemblies: dict[int, Assembly] = field(default_factory=dict)
    """By the number of the job."""
    _kept_at: float = field(default_factory=time.monotonic)

    def take(self, event: Event) -> Iterator[Outcome]:
        """One event, and what comes of it."""
        match event:
            case OpenedFile():
                yield from self._begin(event)
            case Decoded():
                yield from self._add(event)
            case PartRead(number, part, problems):
                self.assemblies[number].begun[part] = problems
            case Closed():
                yield from self._close(event)
            case Dropped(number):
                del self.assemblies[number]
            case Failed():
                self.assemblies.pop(event.number, None)  # it may have been opened before
                self.left -= 1
                yield event
            case Crashed(error):
                raise error

    def encode(self) -> Iterator[Outcome]:
        """Run the tower over the batch; what of it is complete now is finished."""
        for assembly in self.batch.encode(self.bundle):
            yield from self._finish_if_complete(assembly)

    def keep_now_and_then(self) -> None:
        """So that whatever ends the run, little of a long film has to be read again."""
        if time.monotonic() - self._kept_at >= KEEP_EVERY_SECONDS:
            self.keep()

    def keep(self) -> list[Interrupted]:
        """Keep what is read of the long films; how far each is."""
        self._kept_at = time.monotonic()
        kept: list[Interrupted] = []
        if self.unfinished is None:
            return kept
        for number, assembly in self.assemblies.items():
            file, so_far = assembly.file, assembly.so_far()
            count = int(so_far.settled.sum())
            if count >= FEWEST_FRAMES and self.unfinished.keep(
                file.content_id, file.job.sampling, file.layout, so_far
            ):
                kept.append(Interrupted(number, assembly.seconds_of(count), assembly.duration))
        return kept

    def _begin(self, file: OpenedFile) -> Iterator[Outcome]:
        assembly = Assembly.of(file, feature_dim=self.bundle.feature_dim)
        self.assemblies[file.number] = assembly
        yield Opened(file.number, assembly.duration)
        if file.kept is not None:
            yield Resumed(file.number, assembly.seconds_of(int(file.kept.settled.sum())))

    def _add(self, decoded: Decoded) -> Iterator[Outcome]:
        assembly = self.assemblies[decoded.number]
        assembly.begun.setdefault(decoded.part, None)
        self.batch.add(assembly, decoded.frames)
        yield Advanced(decoded.number, assembly.seconds_of(len(decoded.frames.indices)))
        if self.batch.full:
            yield from self.encode()

    def _close(self, closed: Closed) -> Iterator[Outcome]:
        assembly = self.assemblies[closed.number]
        assembly.closed, assembly.problems = True, closed.problems
        assembly.heard = closed.heard
        yield from self._finish_if_complete(assembly)
        if self.left == sum(one.closed for one in self.assemblies.values()):
            yield from self.encode()  # nothing more will come to fill the batch

    def _finish_if_complete(self, assembly: Assembly) -> Iterator[Outcome]:
        if not assembly.complete:
            return
        number = assembly.file.number
        del self.assemblies[number]
        self.left -= 1
        try:
            with only_this_file():
                segments = to_segments(assembly, self.bundle)
        except MediaError as error:
            yield Failed(number, error)
        else:
            state = assembly.file.state
            yield Indexed(number, _record(assembly), segments, state, assembly.heard)


def _record(assembly: Assembly) -> NewVideo:
    file, info = assembly.file, assembly.file.layout.info
    return NewVideo(
        path=str(file.job.file.path),
        size_bytes=file.state.size_bytes,
        mtime_ns=file.state.mtime_ns,
        content_id=file.content_id,
        duration_seconds=info.duration_seconds,
        width=info.width,
        height=info.height,
        codec=info.codec,
        sampling=str(file.job.sampling),
        problems=assembly.problems,
        recorded_at=info.recorded_at,
    )

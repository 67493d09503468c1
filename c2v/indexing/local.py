"""The engine of this machine: files decoded on threads, their pictures encoded here in batches."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty

from c2v.cores import usable_cores
from c2v.encoder.bundle import Bundle
from c2v.errors import MediaError, only_this_file
from c2v.indexing.assembly import Assembly, BatchSize, PictureBatch, to_segments
from c2v.indexing.decoding import DecodePool
from c2v.indexing.engine import Advanced, Failed, Indexed, Opened, Outcome, Pause
from c2v.indexing.events import Closed, Crashed, Decoded, Dropped, Event, OpenedFile
from c2v.indexing.options import IndexOptions
from c2v.indexing.plan import Job
from c2v.library import NewVideo
from c2v.media.picture import FrameShape

STOP_LATENCY_SECONDS = 0.2
"""How long an interrupt may go unnoticed while the workers deliver nothing."""


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Implements :class:`c2v.indexing.engine.Engine`; setting ``stop`` ends a run early, with what
    is decoded by then."""

    bundle: Bundle
    options: IndexOptions
    stop: threading.Event
    name: str = "local"

    def run(self, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        """Decode on threads and encode here, until every job is Indexed or Failed."""
        image = self.bundle.config.image
        pool = DecodePool(
            jobs,
            shape=FrameShape(image.side, image.resize),
            options=self.options,
            workers=self.options.workers or usable_cores(),
        )
        encoding = _Encoding(
            self.bundle, PictureBatch(BatchSize(self.options.batch_size)), left=len(jobs)
        )
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
                yield Pause()
        finally:
            pool.stop()
        yield Pause()
        yield from encoding.encode()  # after an interrupt: a batch away from finished


@dataclass(slots=True)
class _Encoding:
    """Takes the workers' events in order; owns the half-finished files."""

    bundle: Bundle
    batch: PictureBatch
    left: int
    """Jobs that are neither finished nor failed."""
    assemblies: dict[int, Assembly] = field(default_factory=dict)
    """By the number of the job."""

    def take(self, event: Event) -> Iterator[Outcome]:
        """One event, and what comes of it."""
        match event:
            case OpenedFile():
                yield self._begin(event)
            case Decoded():
                yield from self._add(event)
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

    def _begin(self, file: OpenedFile) -> Opened:
        dim = self.bundle.feature_dim
        self.assemblies[file.number] = Assembly.of(file, feature_dim=dim)
        return Opened(file.number, file.layout.info.duration_seconds)

    def _add(self, decoded: Decoded) -> Iterator[Outcome]:
        assembly = self.assemblies[decoded.number]
        self.batch.add(assembly, decoded.frames)
        layout, count = assembly.file.layout, len(decoded.frames.indices)
        yield Advanced(decoded.number, layout.info.duration_seconds * count / len(layout.times))
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

"""One run of ``c2v index``: scan, plan, decode and encode side by side, commit, catch up.

Every finished video is stored whole or not at all, and what was finished a moment ago is committed
together. So whatever ends the run, Ctrl-C and SIGTERM keep the videos that were done and kill -9
loses at most the last second of them; the next run goes on from there.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty

from c2v.cores import usable_cores
from c2v.encoder.bundle import Bundle
from c2v.errors import ChangedError, MediaError, only_this_file
from c2v.indexing.assembly import Assembly, Batch, BatchSize, to_segments
from c2v.indexing.decoding import SAMPLING_SEPARATOR, DecodePool
from c2v.indexing.events import Clip, Closed, Crashed, Dropped, Event, Failed, Frames, Opened
from c2v.indexing.plan import Job, Plan, make_plan
from c2v.indexing.pruning import choose_doomed
from c2v.indexing.report import (
    ConfirmPrune,
    Failure,
    IndexOptions,
    IndexReport,
    Progress,
    Silent,
    refuse,
)
from c2v.library import NewVideo, SegmentData, Store
from c2v.media.identity import CHANGED, is_named
from c2v.media.picture import FrameShape
from c2v.media.scan import FoundVideo, ScanProblem, scan

STOP_LATENCY_SECONDS = 0.2
"""How long an interrupt may go unnoticed while the workers deliver nothing."""
VIDEOS_A_COMMIT = 32
COMMIT_SECONDS = 1.0


def index(
    library: Store,
    bundle: Bundle,
    roots: Sequence[Path],
    *,
    options: IndexOptions,
    progress: Progress | None = None,
    confirm_prune: ConfirmPrune = refuse,
    stop: threading.Event | None = None,
) -> IndexReport:
    """Bring ``library`` up to date with the videos below ``roots``.

    Setting ``stop`` (from a signal handler or another thread) ends the run early with
    ``report.interrupted`` set; what was finished is kept. Failures of single files are in the
    report, not raised.
    """
    started = time.monotonic()
    run = _Run(library, bundle, options, progress or Silent(), stop or threading.Event())
    plan = run.plan(roots)
    if not run.stop.is_set():
        run.apply(plan, confirm_prune)
        run.decode(plan.jobs)
    run.report.interrupted = run.stop.is_set()
    run.report.elapsed_seconds = time.monotonic() - started
    return run.report


@dataclass(slots=True)
class _Run:
    library: Store
    bundle: Bundle
    options: IndexOptions
    progress: Progress
    stop: threading.Event
    report: IndexReport = field(default_factory=IndexReport)

    def plan(self, roots: Sequence[Path]) -> Plan:
        problems: list[ScanProblem] = []
        found: list[FoundVideo] = []
        for file in scan(
            roots,
            exclude=self.options.exclude,
            hidden=self.options.hidden,
            on_problem=problems.append,
            on_unmatched=self.report.unmatched.append,
        ):
            if self.stop.is_set():
                break
            found.append(file)
            if len(found) % 64 == 0:
                self.progress.scanned(len(found))
        self.progress.scanned(len(found))
        folders = [Path(os.path.abspath(root)) for root in roots]  # noqa: PTH100 - links stay links
        self.report.failed += [
            Failure(problem.path, problem.reason)
            for problem in problems
            if not (self.options.prune and problem.path in folders)  # what was in it is reported
        ]
        return make_plan(
            self.library,
            found,
            roots=folders,
            sampling=self._sampling(),
            default_sampling=self._sampling("auto") or "auto",
            retry_failed=self.options.retry_failed,
            reread=self.options.reread,
        )

    def _sampling(self, default: str | None = None) -> str | None:
        """How videos are to be sampled, as it is written beside their vectors."""
        mode = str(self.options.segment) if self.options.segment else default
        if mode is None or self.options.sampling == "exact":
            return mode
        return f"{mode}{SAMPLING_SEPARATOR}{self.options.sampling}"

    def apply(self, plan: Plan, confirm_prune: ConfirmPrune) -> None:
        """Everything that needs no decoding: moved, touched, copied and vanished files."""
        moves = plan.moves + plan.touched
        if moves:
            self.library.move_videos(
                (move.video.id, str(move.file.path), move.file.size_bytes, move.file.mtime_ns)
                for move in moves
            )
        for copy in plan.copies:
            self.library.copy_video(
                copy.video.id,
                path=str(copy.file.path),
                size_bytes=copy.file.size_bytes,
                mtime_ns=copy.file.mtime_ns,
            )
        self.report.moved = len(plan.moves)
        self.report.added = len(plan.copies)
        self.report.unchanged = plan.unchanged + len(plan.touched)
        self.report.failed += plan.unreadable
        if plan.damaged:
            paths = dict(self.library.video_paths())
            self.report.damaged = sorted(paths[key] for key in plan.damaged)
        self._prune(plan, confirm_prune)

    def _prune(self, plan: Plan, confirm_prune: ConfirmPrune) -> None:
        doomed, kept = choose_doomed(plan, prune=self.options.prune, confirm=confirm_prune)
        self.report.failed += kept
        self.library.remove_videos([video.id for video in doomed])
        self.report.removed = len(doomed)
        self.report.missing = len(plan.vanished) + len(plan.unplugged) - len(doomed)

    def decode(self, jobs: Sequence[Job]) -> None:
        """Decode on threads, encode and commit here, until every job is committed or failed."""
        if not jobs:
            return
        self.progress.planned(len(jobs), sum(job.file.size_bytes for job in jobs))
        image = self.bundle.config.image
        pool = DecodePool(
            jobs,
            shape=FrameShape(image.side, image.resize),
            options=self.options,
            workers=self.options.workers or usable_cores(),
        )
        consumer = _Consumer(self, Batch(BatchSize(self.options.batch_size)), left=len(jobs))
        pool.start()
        try:
            _ = self.bundle.image_tower  # loads while the workers decode
            while consumer.left and not self.stop.is_set():
                patience = 0.0 if consumer.batch.worth_a_call else STOP_LATENCY_SECONDS
                try:
                    event = pool.events.get(timeout=patience)
                except Empty:
                    consumer.encode()
                else:
                    consumer.take(event)
                if consumer.is_commit_due():
                    consumer.commit()
        finally:
            pool.stop()
            consumer.commit()
        consumer.encode()  # after an interrupt: what is decoded is a batch away from finished
        consumer.commit()


@dataclass(slots=True)
class _Consumer:
    """Takes the workers' events in order; owns the half-finished clips and the uncommitted ones."""

    run: _Run
    batch: Batch
    left: int
    """Clips that are neither finished nor failed."""
    assemblies: dict[int, Assembly] = field(default_factory=dict)
    finished: list[tuple[Clip, list[SegmentData]]] = field(default_factory=list)
    finished_since: float = 0.0

    def take(self, event: Event) -> None:
        if isinstance(event, Opened):
            clip = event.clip
            self.assemblies[id(clip)] = Assembly.of(clip, feature_dim=self.run.bundle.feature_dim)
            self.run.progress.opened(
                clip.job.file.path,
                seconds=clip.info.duration_seconds,
                size_bytes=clip.job.file.size_bytes,
            )
        elif isinstance(event, Frames):
            self.batch.add(self.assemblies[id(event.clip)], event)
            self._advance(event)
            if self.batch.full:
                self.encode()
        elif isinstance(event, Closed):
            assembly = self.assemblies[id(event.clip)]
            assembly.closed = True
            self._finish_if_complete(assembly)
            if self.left == sum(a.closed for a in self.assemblies.values()):
                self.encode()  # nothing more will come to fill the batch
        elif isinstance(event, Dropped):
            del self.assemblies[id(event.clip)]
        elif isinstance(event, Failed):
            self._fail(event.job, event.error)
        elif isinstance(event, Crashed):
            raise event.error

    def encode(self) -> None:
        for assembly in self.batch.encode(self.run.bundle):
            self._finish_if_complete(assembly)

    def is_commit_due(self) -> bool:
        """A transaction has a cost of its own: many small videos share one."""
        if not self.finished:
            return False
        waited = time.monotonic() - self.finished_since
        return len(self.finished) >= VIDEOS_A_COMMIT or waited >= COMMIT_SECONDS

    def commit(self) -> None:
        """Store the finished clips, each whole, in one transaction."""
        finished, self.finished = self.finished, []
        whole: list[tuple[Clip, list[SegmentData]]] = []
        changed: list[Clip] = []
        for clip, segments in finished:
            if is_named(clip.job.file.path, clip.state, content=clip.content_id):
                whole.append((clip, segments))
            else:
                changed.append(clip)
        if whole:
            with self.run.library.batch():
                for clip, segments in whole:
                    self.run.library.put_video(_record(clip), segments)
        for clip, _ in whole:
            self._report(clip)
        for clip in changed:
            self._give_up(clip.job, ChangedError(CHANGED))

    def _advance(self, frames: Frames) -> None:
        clip = frames.clip
        seconds = clip.info.duration_seconds * len(frames.indices) / len(clip.times)
        self.run.progress.advanced(clip.job.file.path, seconds=seconds)

    def _finish_if_complete(self, assembly: Assembly) -> None:
        if not assembly.complete:
            return
        clip = assembly.clip
        del self.assemblies[id(clip)]
        try:
            with only_this_file():
                segments = to_segments(assembly, self.run.bundle)
        except MediaError as error:
            self._fail(clip.job, error)
            return
        if not self.finished:
            self.finished_since = time.monotonic()
        self.finished.append((clip, segments))
        self.left -= 1

    def _report(self, clip: Clip) -> None:
        report, path = self.run.report, clip.job.file.path
        if clip.job.updates:
            report.updated += 1
        else:
            report.added += 1
        if clip.problems:
            report.partly.append(Failure(path, "; ".join(clip.problems)))
        report.seconds_of_video += clip.info.duration_seconds
        self.run.progress.closed(path, failed=False)

    def _fail(self, job: Job, error: MediaError) -> None:
        self._give_up(job, error)
        self.left -= 1

    def _give_up(self, job: Job, error: MediaError) -> None:
        """Report a failure; remember it, unless the next run finds the file in another state."""
        file, reason = job.file, error.message
        if isinstance(error, ChangedError):
            reason += "; the next run tries it again"
        else:
            self.run.library.record_failure(
                str(file.path), size_bytes=file.size_bytes, mtime_ns=file.mtime_ns, reason=reason
            )
        self.run.report.failed.append(Failure(file.path, reason, error.trace))
        self.run.progress.closed(file.path, failed=True)


def _record(clip: Clip) -> NewVideo:
    """What is stored of a clip; which file it is comes from its reading, not from the plan."""
    info = clip.info
    return NewVideo(
        path=str(clip.job.file.path),
        size_bytes=clip.state.size_bytes,
        mtime_ns=clip.state.mtime_ns,
        content_id=clip.content_id,
        duration_seconds=info.duration_seconds,
        width=info.width,
        height=info.height,
        codec=info.codec,
        sampling=clip.job.sampling,
        problems=tuple(clip.problems),
    )

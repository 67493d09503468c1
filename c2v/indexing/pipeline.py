"""One run of ``c2v index``: scan, plan, let an engine decode and encode, commit what it gives.

Every finished video is stored whole or not at all, and what was finished a moment ago is committed
together. So whatever ends the run, Ctrl-C and SIGTERM keep the videos that were done and kill -9
loses at most the last second of them; the next run goes on from there.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from c2v.encoder.bundle import Bundle
from c2v.indexing.committer import Committer
from c2v.indexing.engine import Advanced, Engine, Failed, Indexed, Opened, Outcome, Pause
from c2v.indexing.failures import forget_gone, note_problems, note_refused
from c2v.indexing.local import LocalEngine
from c2v.indexing.options import IndexOptions
from c2v.indexing.plan import Job, Plan, make_plan
from c2v.indexing.pruning import choose_doomed
from c2v.indexing.report import (
    ConfirmPrune,
    IndexProgress,
    IndexReport,
    Silent,
    Tally,
    refuse,
)
from c2v.indexing.subtitles import catch_up
from c2v.library import Store
from c2v.media.scan import FoundVideo, NamedFolder, ScanProblem, scan


def index_paths(
    library: Store,
    bundle: Bundle,
    roots: Sequence[Path],
    *,
    options: IndexOptions,
    progress: IndexProgress | None = None,
    confirm_prune: ConfirmPrune = refuse,
    stop: threading.Event | None = None,
    engine: Engine | None = None,
) -> IndexReport:
    """Bring ``library`` up to date with the videos below ``roots``.

    Setting ``stop`` (from a signal handler or another thread) ends the run early with
    ``report.interrupted`` set; what was finished is kept. Failures of single files are in the
    report, not raised. ``engine`` decodes and encodes; by default it is this machine, with
    ``bundle``.
    """
    started = time.monotonic()
    stop = stop or threading.Event()
    if not library.keeps_lines:
        options = dataclasses.replace(options, subtitles=False)
    engine = engine or LocalEngine(bundle, options, stop)
    run = _Run(library, options, progress or Silent(), stop)
    plan = run.plan(roots)
    if not run.stop.is_set():
        run.apply(plan, confirm_prune)
        run.follow(engine, plan.jobs)
    run.tally.engine = engine.name
    elapsed = time.monotonic() - started
    return run.tally.report(elapsed_seconds=elapsed, interrupted=run.stop.is_set())


@dataclass(slots=True)
class _Run:
    library: Store
    options: IndexOptions
    progress: IndexProgress
    stop: threading.Event
    tally: Tally = field(default_factory=Tally)
    found: list[FoundVideo] = field(default_factory=list)

    def plan(self, roots: Sequence[Path]) -> Plan:
        problems: list[ScanProblem] = []
        found = self.found
        named: list[NamedFolder] = []
        for file in scan(
            roots,
            exclude=self.options.exclude,
            hidden=self.options.hidden,
            subtitles=self.options.subtitles,
            on_problem=problems.append,
            on_unmatched=self.tally.unmatched.append,
            on_named=named.append,
        ):
            if self.stop.is_set():
                break
            found.append(file)
            if len(found) % 64 == 0:
                self.progress.scanned(len(found))
        self.progress.scanned(len(found))
        folders = [Path(os.path.abspath(root)) for root in roots]  # noqa: PTH100 - links stay links
        unread = [problem.path for problem in problems if problem.kind == "folder"]
        self.tally.without_videos = [
            seen
            for seen in named
            if not (seen.videos or seen.seen_before or seen.path in unread or self.stop.is_set())
        ]
        note_problems(self.library, problems, named=folders, options=self.options, tally=self.tally)
        if not self.stop.is_set():
            forget_gone(self.library, named=folders, problems=problems)
        return make_plan(
            self.library,
            found,
            roots=folders,
            sampling=self.options.sampling,
            default_sampling=self.options.sampling_of_new,
            retry_failed=self.options.retry_failed,
            reread=self.options.reread,
            unread=unread,
        )

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
        self.tally.moved = len(plan.moves)
        self.tally.added = len(plan.copies)
        self.tally.unchanged = plan.unchanged + len(plan.touched)
        self.tally.known_failures += len(plan.unreadable)
        note_refused(self.library, plan.refused, self.tally)
        self.tally.damaged = sorted(video.path for video in plan.damaged)
        self._prune(plan, confirm_prune)
        if self.options.subtitles:
            jobs = {job.file.path for job in plan.jobs}
            catch_up(self.library, self.found, besides=jobs, tally=self.tally, stop=self.stop)

    def _prune(self, plan: Plan, confirm_prune: ConfirmPrune) -> None:
        doomed, kept = choose_doomed(plan, prune=self.options.prune, confirm=confirm_prune)
        self.tally.failed += kept
        self.library.remove_videos([video.id for video in doomed])
        self.tally.removed = len(doomed)
        self.tally.missing = len(plan.vanished) + len(plan.unplugged) - len(doomed)

    def follow(self, engine: Engine, jobs: Sequence[Job]) -> None:
        """Let the engine do the jobs, commit what is finished, and tell of it."""
        if not jobs:
            return
        self.progress.planned(len(jobs), sum(job.file.size_bytes for job in jobs))
        committer = Committer(self.library, jobs, self.tally, self.progress)
        try:
            with closing(engine.run(jobs)) as outcomes:
                for outcome in outcomes:
                    self._take(outcome, jobs, committer)
        finally:
            committer.commit()

    def _take(self, outcome: Outcome, jobs: Sequence[Job], committer: Committer) -> None:
        match outcome:
            case Opened(number, seconds):
                file = jobs[number].file
                self.progress.opened(file.path, seconds=seconds, size_bytes=file.size_bytes)
            case Advanced(number, seconds):
                self.progress.advanced(jobs[number].file.path, seconds=seconds)
            case Indexed():
                committer.add(outcome)
            case Failed():
                committer.fail(outcome)
            case Pause():
                if committer.is_due() or self.stop.is_set():
                    committer.commit()

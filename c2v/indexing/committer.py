"""From an engine into the library: finished videos in groups, failures at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from c2v.errors import ChangedError, MediaError
from c2v.indexing.engine import Failed, Indexed
from c2v.indexing.plan import Job
from c2v.indexing.report import Failure, IndexProgress, Tally
from c2v.library import Store
from c2v.media.identity import CHANGED, is_named

VIDEOS_A_COMMIT = 32
COMMIT_SECONDS = 1.0


@dataclass(slots=True)
class Committer:
    """Stores what becomes of ``jobs``, counts it in ``tally`` and tells it to ``progress``."""

    library: Store
    jobs: Sequence[Job]
    tally: Tally
    progress: IndexProgress
    _finished: list[Indexed] = field(default_factory=list)
    _finished_since: float = 0.0

    def add(self, indexed: Indexed) -> None:
        """Keep a finished video for the next commit."""
        if not self._finished:
            self._finished_since = time.monotonic()
        self._finished.append(indexed)

    def is_due(self) -> bool:
        """A transaction has a cost of its own: many small videos share one."""
        if not self._finished:
            return False
        waited = time.monotonic() - self._finished_since
        return len(self._finished) >= VIDEOS_A_COMMIT or waited >= COMMIT_SECONDS

    def commit(self) -> None:
        """Store the finished videos, each whole, in one transaction.

        One whose file is no longer what was read is given up.
        """
        finished, self._finished = self._finished, []
        whole: list[Indexed] = []
        changed: list[Indexed] = []
        for one in finished:
            path = self.jobs[one.number].file.path
            named = is_named(path, one.state, content=one.video.content_id)
            (whole if named else changed).append(one)
        if whole:
            with self.library.batch():
                for one in whole:
                    video_id = self.library.put_video(one.video, one.segments)
                    if one.heard.subtitles:
                        self.library.write_subtitles(video_id, one.heard.subtitles)
        for one in whole:
            self._report(one)
        for one in changed:
            self._give_up(self.jobs[one.number], ChangedError(CHANGED))

    def fail(self, failed: Failed) -> None:
        """Report a job of which nothing came, and remember it."""
        self._give_up(self.jobs[failed.number], failed.error)

    def _report(self, one: Indexed) -> None:
        job, tally = self.jobs[one.number], self.tally
        if job.updates:
            tally.updated += 1
        else:
            tally.added += 1
        if one.video.problems:
            tally.partly.append(Failure(job.file.path, "; ".join(one.video.problems)))
        tally.hear(one.heard)
        tally.seconds_of_video += one.video.duration_seconds
        self.progress.closed(job.file.path, failed=False)

    def _give_up(self, job: Job, error: MediaError) -> None:
        """A failure is remembered, unless the next run finds the file in another state."""
        file, reason = job.file, error.message
        if isinstance(error, ChangedError):
            reason += "; the next run tries it again"
        else:
            self.library.record_failure(
                str(file.path), size_bytes=file.size_bytes, mtime_ns=file.mtime_ns, reason=reason
            )
        self.tally.failed.append(Failure(file.path, reason, error.trace))
        self.progress.closed(file.path, failed=True)

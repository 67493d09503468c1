"""What has to be done: the files on disk against the videos of the library.

The cheap test comes first (size and modification time), the content id only where that test
says "new": so a second run reads no file at all, and a renamed one is read for 192 KiB.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from c2v.errors import MediaError, UsageError, only_this_file
from c2v.indexing.report import Failure
from c2v.library import FailureRecord, Store, VideoRecord
from c2v.media.identity import DENIED, content_id_of, held
from c2v.media.sampling import Sampling
from c2v.media.scan import FoundVideo


@dataclass(frozen=True, slots=True)
class Job:
    """One file to decode: new, changed since, or asked for with another sampling."""

    file: FoundVideo
    content_id: str
    sampling: Sampling
    updates: bool
    """The library already has a video at this path."""


@dataclass(frozen=True, slots=True)
class Move:
    """A file that is already in the library under another path, or with an older time stamp."""

    video: VideoRecord
    file: FoundVideo


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """A file of which not even the content id could be read."""

    file: FoundVideo
    error: MediaError


@dataclass(slots=True)
class Plan:
    """The whole difference; nothing has been changed yet."""

    jobs: list[Job] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    touched: list[Move] = field(default_factory=list)
    copies: list[Move] = field(default_factory=list)
    """A second copy of a file the library has: its features are taken over, not decoded."""
    unchanged: int = 0
    unreadable: list[Failure] = field(default_factory=list)
    """Not to be opened again: they failed before and have not changed since."""
    refused: list[Refused] = field(default_factory=list)
    """Files that could not even be opened, and were not known for it."""
    damaged: list[VideoRecord] = field(default_factory=list)
    """Videos of which the library's rows are not what was written: read again."""
    vanished: list[VideoRecord] = field(default_factory=list)
    """Gone, while the folder they were in is still there."""
    unplugged: list[VideoRecord] = field(default_factory=list)
    """Gone together with the folder they were in: perhaps a drive that is not plugged in."""


def make_plan(
    library: Store,
    found: Sequence[FoundVideo],
    *,
    roots: Sequence[Path],
    sampling: Sampling | None,
    default_sampling: Sampling,
    retry_failed: bool,
    reread: bool = False,
    unread: Sequence[Path] = (),
) -> Plan:
    """Compare the files found below ``roots`` with the library.

    Of what is in the folders ``unread`` nothing is known: none of it counts as missing.

    ``sampling`` is the one asked for by name; None accepts what each video has, and gives
    ``default_sampling`` to new ones. With ``reread`` every file found becomes a job, changed or
    not; a file that was renamed still takes its video along.
    """
    known = _Known.of(library, found)
    wish = _Wish(sampling, default_sampling)
    again = retry_failed or reread
    plan = Plan(damaged=[v for v in known.videos.values() if v.id in known.damaged])
    fresh: list[FoundVideo] = []
    for file in found:
        path = str(file.path)
        video, failure = known.videos.get(path), known.failures.get(path)
        if video is not None and _same_file(video.size_bytes, video.mtime_ns, file):
            if video.id not in known.damaged and wish.is_met_by(video):
                plan.unchanged += 1
            else:
                plan.jobs.append(Job(file, video.content_id, wish.for_(video), updates=True))
        elif failure is not None and not again and known.is_as_it_failed(file):
            plan.unreadable.append(Failure(file.path, failure.reason))
        else:
            fresh.append(file)
    _settle_fresh(plan, fresh, known, wish, again=again)
    if reread:
        _read_again(plan, found, known, wish)
    _sort_out_missing(plan, known, roots, unread)
    return plan


@dataclass(frozen=True, slots=True)
class _Known:
    """What the library holds, by path, and which of the paths are on disk."""

    videos: dict[str, VideoRecord]
    failures: dict[str, FailureRecord]
    damaged: set[int]
    present: set[str]

    @classmethod
    def of(cls, library: Store, found: Sequence[FoundVideo]) -> _Known:
        """All that the plan asks the library, at once."""
        videos = {video.path: video for video in library.videos()}
        failures = {failure.path: failure for failure in library.failures()}
        present = {str(file.path) for file in found}
        ids = [video.id for video in videos.values() if video.path in present]
        return cls(videos, failures, library.damaged_videos(ids), present)

    def is_as_it_failed(self, file: FoundVideo) -> bool:
        """It has not changed since it failed; and whoever was kept out may still not read it."""
        failure = self.failures[str(file.path)]
        if failure.reason == DENIED and os.access(file.path, os.R_OK):
            return False
        return _same_file(failure.size_bytes, failure.mtime_ns, file)

    def has_failed_so(self, file: FoundVideo, error: MediaError) -> bool:
        """The same file failed in the same way before."""
        failure = self.failures.get(str(file.path))
        return (
            failure is not None
            and failure.reason == error.message
            and _same_file(failure.size_bytes, failure.mtime_ns, file)
        )


@dataclass(frozen=True, slots=True)
class _Wish:
    """How videos are to be sampled: as ``asked``, else as they are, else by ``default``."""

    asked: Sampling | None
    default: Sampling

    def is_met_by(self, video: VideoRecord) -> bool:
        """Also where the same wish was met in another way when the video was read."""
        if self.asked is None:
            return True
        try:
            return Sampling.parse(video.sampling) == self.asked
        except UsageError:  # a damaged row
            return False

    def for_(self, video: VideoRecord | None) -> Sampling:
        if self.asked is not None or video is None:
            return self.asked or self.default
        try:
            return Sampling.parse(video.sampling)
        except UsageError:  # a damaged row: it is read again as a new video is
            return self.default


def _read_again(plan: Plan, found: Sequence[FoundVideo], known: _Known, wish: _Wish) -> None:
    """Make jobs of the files that could have stayed as they are."""
    taken = {move.file.path: move.video for move in plan.moves + plan.touched + plan.copies}
    settled = {job.file.path for job in plan.jobs} | {bad.file.path for bad in plan.refused}
    moved = {move.file.path for move in plan.moves}
    for file in found:
        here = known.videos.get(str(file.path))
        video = taken.get(file.path, here)
        if video is not None and file.path not in settled:
            updates = here is not None or file.path in moved
            plan.jobs.append(Job(file, video.content_id, wish.for_(video), updates=updates))
    plan.unchanged, plan.touched, plan.copies = 0, [], []


def _same_file(size_bytes: int, mtime_ns: int, file: FoundVideo) -> bool:
    return size_bytes == file.size_bytes and mtime_ns == file.mtime_ns


def _settle_fresh(
    plan: Plan, fresh: Sequence[FoundVideo], known: _Known, wish: _Wish, *, again: bool
) -> None:
    """Decide by content which of the new or changed files must really be decoded.

    With ``again`` files that fail as they did before count as refused anew.
    """
    by_content: dict[str, list[VideoRecord]] = defaultdict(list)
    for video in known.videos.values():
        if video.id not in known.damaged and wish.is_met_by(video):
            by_content[video.content_id].append(video)
    changed = {str(file.path) for file in fresh}
    taken: set[int] = set()
    for scanned in fresh:
        path = str(scanned.path)
        try:
            file, identity = _identified(scanned)
        except MediaError as error:
            if known.has_failed_so(scanned, error) and not again:
                plan.unreadable.append(Failure(scanned.path, error.message))
            else:
                plan.refused.append(Refused(scanned, error))
            continue
        twins = [video for video in by_content.get(identity, ()) if video.id not in taken]
        same_place = next((video for video in twins if video.path == path), None)
        # A twin is free when nothing with its content lives at its old path any more.
        free = next(
            (v for v in twins if v.path in changed or (v.path not in known.present and _gone(v))),
            None,
        )
        if same_place is not None:
            plan.touched.append(Move(same_place, file))
            taken.add(same_place.id)
        elif free is not None:
            plan.moves.append(Move(free, file))
            taken.add(free.id)
        elif twins:
            plan.copies.append(Move(twins[0], file))
        else:
            here = known.videos.get(path)
            plan.jobs.append(Job(file, identity, wish.for_(here), updates=here is not None))


def _identified(file: FoundVideo) -> tuple[FoundVideo, str]:
    """A file with its content id; both, and the time stamp, are of one moment, not the scan's."""
    with only_this_file(), held(file.path) as (opened, state):
        identity = content_id_of(opened)
    return replace(file, size_bytes=state.size_bytes, mtime_ns=state.mtime_ns), identity


def _gone(video: VideoRecord) -> bool:
    """Nothing is there; what merely cannot be looked at is not gone."""
    try:
        Path(video.path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _sort_out_missing(
    plan: Plan, known: _Known, roots: Sequence[Path], unread: Sequence[Path]
) -> None:
    """Videos of the library that should be below ``roots`` and are not on disk.

    A folder that is wholly missing, or stands there empty as the mount point of an unplugged
    drive does, is no proof of a deletion; a file gone from a folder that still has others is.
    """
    moved = {move.video.id for move in plan.moves}
    for video in known.videos.values():
        path = Path(video.path)
        if video.path in known.present or video.id in moved or not is_below(path, roots):
            continue
        if is_below(path, unread) or not _gone(video):
            continue  # excluded by a pattern today, but still there: not ours to drop
        (plan.unplugged if _is_deserted(path.parent) else plan.vanished).append(video)


def _is_deserted(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is None
    except OSError:
        return True


def is_below(path: Path, roots: Sequence[Path]) -> bool:
    """Whether ``path`` is one of ``roots``, or in one."""
    return any(path == root or root in path.parents for root in roots)

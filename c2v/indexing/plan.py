"""What has to be done: the files on disk against the videos of the library.

The cheap test comes first (size and modification time), the content id only where that test
says "new": so a second run reads no file at all, and a renamed one is read for 192 KiB.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from c2v.errors import MediaError, only_this_file
from c2v.indexing.report import Failure
from c2v.library import Store, VideoRecord
from c2v.media.identity import content_id_of, held
from c2v.media.scan import FoundVideo


@dataclass(frozen=True, slots=True)
class Job:
    """One file to decode: new, changed since, or asked for with another sampling."""

    file: FoundVideo
    content_id: str
    sampling: str
    updates: bool
    """The library already has a video at this path."""
    is_second_try: bool = False
    """It changed while it was read."""


@dataclass(frozen=True, slots=True)
class Move:
    """A file that is already in the library under another path, or with an older time stamp."""

    video: VideoRecord
    file: FoundVideo


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
    damaged: set[int] = field(default_factory=set)
    """Ids of videos of which the library's rows are not what was written: read again."""
    vanished: list[VideoRecord] = field(default_factory=list)
    """Gone, while the folder they were in is still there."""
    unplugged: list[VideoRecord] = field(default_factory=list)
    """Gone together with the folder they were in: perhaps a drive that is not plugged in."""


def make_plan(
    library: Store,
    found: Sequence[FoundVideo],
    *,
    roots: Sequence[Path],
    sampling: str | None,
    default_sampling: str,
    retry_failed: bool,
    reread: bool = False,
) -> Plan:
    """Compare the files found below ``roots`` with the library.

    ``sampling`` is the one asked for by name; None accepts what each video has, and gives
    ``default_sampling`` to new ones. With ``reread`` every file found becomes a job, changed or
    not; a file that was renamed still takes its video along.
    """
    plan = Plan()
    known = {video.path: video for video in library.videos()}
    failures = {failure.path: failure for failure in library.failures()}
    present = {str(file.path) for file in found}
    plan.damaged = library.damaged_videos([v.id for v in known.values() if v.path in present])
    fresh: list[FoundVideo] = []
    for file in found:
        path = str(file.path)
        video, failure = known.get(path), failures.get(path)
        if video is not None and _same_file(video.size_bytes, video.mtime_ns, file):
            if video.id in plan.damaged:
                wanted = sampling or video.sampling
                plan.jobs.append(Job(file, video.content_id, wanted, updates=True))
            elif sampling in (None, video.sampling):
                plan.unchanged += 1
            else:
                plan.jobs.append(Job(file, video.content_id, sampling, updates=True))
        elif (
            failure is not None
            and not (retry_failed or reread)
            and _same_file(failure.size_bytes, failure.mtime_ns, file)
        ):
            plan.unreadable.append(Failure(file.path, failure.reason))
        else:
            fresh.append(file)
    _settle_fresh(plan, fresh, known, present, sampling=sampling, default=default_sampling)
    if reread:
        _read_again(plan, found, known, sampling=sampling)
    _sort_out_missing(plan, known.values(), present, roots)
    return plan


def _read_again(
    plan: Plan,
    found: Sequence[FoundVideo],
    known: dict[str, VideoRecord],
    *,
    sampling: str | None,
) -> None:
    """Make jobs of the files that could have stayed as they are."""
    taken = {move.file.path: move.video for move in plan.moves + plan.touched + plan.copies}
    settled = {job.file.path for job in plan.jobs} | {bad.path for bad in plan.unreadable}
    for file in found:
        held = known.get(str(file.path))
        video = taken.get(file.path, held)
        if video is not None and file.path not in settled:
            updates = held is not None or file.path in {move.file.path for move in plan.moves}
            plan.jobs.append(
                Job(file, video.content_id, sampling or video.sampling, updates=updates)
            )
    plan.unchanged, plan.touched, plan.copies = 0, [], []


def _same_file(size_bytes: int, mtime_ns: int, file: FoundVideo) -> bool:
    return size_bytes == file.size_bytes and mtime_ns == file.mtime_ns


def _settle_fresh(
    plan: Plan,
    fresh: Sequence[FoundVideo],
    known: dict[str, VideoRecord],
    present: set[str],
    *,
    sampling: str | None,
    default: str,
) -> None:
    """Decide by content which of the new or changed files must really be decoded."""
    by_content: dict[str, list[VideoRecord]] = defaultdict(list)
    for video in known.values():
        if video.id not in plan.damaged:
            by_content[video.content_id].append(video)
    changed = {str(file.path) for file in fresh}
    taken: set[int] = set()
    for scanned in fresh:
        path = str(scanned.path)
        try:
            with only_this_file(), held(scanned.path) as (opened, state):
                identity = content_id_of(opened)
        except MediaError as error:
            plan.unreadable.append(Failure(scanned.path, error.message, error.trace))
            continue
        # The id and the time stamp that is kept with it are of one moment, not the scan's.
        file = replace(scanned, size_bytes=state.size_bytes, mtime_ns=state.mtime_ns)
        twins = [
            video
            for video in by_content.get(identity, ())
            if video.id not in taken and sampling in (None, video.sampling)
        ]
        same_place = next((video for video in twins if video.path == path), None)
        # A twin is free when nothing with its content lives at its old path any more.
        free = next(
            (v for v in twins if v.path in changed or (v.path not in present and _gone(v))), None
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
            wanted = sampling or (known[path].sampling if path in known else default)
            plan.jobs.append(Job(file, identity, wanted, updates=path in known))


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
    plan: Plan, videos: Iterable[VideoRecord], present: set[str], roots: Sequence[Path]
) -> None:
    """Videos of the library that should be below ``roots`` and are not on disk.

    A folder that is wholly missing, or stands there empty as the mount point of an unplugged
    drive does, is no proof of a deletion; a file gone from a folder that still has others is.
    """
    moved = {move.video.id for move in plan.moves}
    for video in videos:
        path = Path(video.path)
        if video.path in present or video.id in moved or not _below(path, roots):
            continue
        if not _gone(video):
            continue  # excluded by a pattern today, but still there: not ours to drop
        (plan.unplugged if _is_deserted(path.parent) else plan.vanished).append(video)


def _is_deserted(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is None
    except OSError:
        return True


def _below(path: Path, roots: Sequence[Path]) -> bool:
    return any(path == root or root in path.parents for root in roots)

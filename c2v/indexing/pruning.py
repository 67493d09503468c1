"""Which of the videos that are gone from the disk leave the library, too.

A file that is gone while the folder it was in has others was deleted or moved away. When its whole
folder is missing, or stands there empty as a mount point does, a drive may be unplugged: then
``--prune`` alone is not enough to forget what may be years of video.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from c2v.indexing.plan import Plan
from c2v.indexing.report import ConfirmPrune, Failure
from c2v.library import VideoRecord
from c2v.library.refusals import amount


def choose_doomed(
    plan: Plan, *, prune: bool, confirm: ConfirmPrune
) -> tuple[list[VideoRecord], list[Failure]]:
    """The videos to drop, and what is to be said of those kept against the wish to prune.

    Without ``prune`` nothing goes unasked, and what may be on an unplugged drive not at all.
    """
    if not prune:
        gone = plan.vanished
        if gone and confirm(f"{amount_of(gone)} no longer on disk, such as {gone[0].path}: drop?"):
            return gone, []
        return [], []
    lost = plan.unplugged
    if not lost:
        return plan.vanished, []
    folders = _by_folder(lost)
    names = ", ".join(str(folder) for folder in list(folders)[:3])
    if confirm(
        f"{amount_of(lost)} gone with the whole folder, as on an unplugged drive: "
        f"{names}{', ...' if len(folders) > 3 else ''}: drop?"
    ):
        return plan.vanished + lost, []
    kept = [
        Failure(
            folder,
            f"missing or empty, as an unplugged drive is; {amount_of(videos)} of it kept "
            "(to drop: --prune --yes)",
        )
        for folder, videos in folders.items()
    ]
    return plan.vanished, kept


def amount_of(videos: Sequence[VideoRecord]) -> str:
    """How many these are, and how long."""
    return amount(len(videos), sum(video.duration_seconds for video in videos))


def _by_folder(videos: Sequence[VideoRecord]) -> dict[Path, list[VideoRecord]]:
    folders: dict[Path, list[VideoRecord]] = {}
    for video in videos:
        folders.setdefault(Path(video.path).parent, []).append(video)
    return folders

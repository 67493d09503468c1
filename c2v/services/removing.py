"""Taking videos out of a library, and giving the disk its room back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from c2v.errors import C2VError
from c2v.services.reports import Removed
from c2v.services.selecting import rows_meant
from c2v.services.telling import Telling

if TYPE_CHECKING:
    from c2v.library import FailureRecord, Store, VideoRecord
    from c2v.services.workspace import Workspace


def remove(
    space: Workspace,
    paths: Sequence[str],
    *,
    dry_run: bool,
    confirm: Callable[[Sequence[VideoRecord]], None] | None,
) -> Removed:
    """Forget the videos and the failures that ``paths`` mean; the files stay."""
    library = space.store
    doomed, failures = _meant(library, paths)
    if not dry_run:
        if confirm is not None and doomed:
            confirm(doomed)
        if failures:
            library.clear_failures([failure.path for failure in failures])
        if doomed:
            library.remove_videos([video.id for video in doomed])
            give_back_room(library, space.telling)
    removed = tuple(video.path for video in doomed)
    return Removed(removed, dry_run, tuple(failure.path for failure in failures))


def _meant(library: Store, paths: Sequence[str]) -> tuple[list[VideoRecord], list[FailureRecord]]:
    """The videos, and the failures, that paths, folders and patterns mean, each once.

    Raises:
        DataError: one of them means neither.
        UsageError: one of them is no pattern.
    """
    from c2v.library import FailureRecord, VideoRecord

    rows: list[VideoRecord | FailureRecord] = [*library.videos(), *library.failures()]
    found = rows_meant(library, paths, rows)
    videos = [row for row in found if isinstance(row, VideoRecord)]
    return videos, [row for row in found if isinstance(row, FailureRecord)]


def give_back_room(library: Store, telling: Telling) -> None:
    """After a removal: give the disk its room back where that pays, and say so."""
    room = library.bytes_to_give_back()
    if not room:
        return
    telling.notice(f"writing the library anew gives {room / 1e6:.1f} MB back to the disk")
    try:
        library.shrink()
    except C2VError as error:
        telling.problem(f"{error.message}; the library stays as large as it is")

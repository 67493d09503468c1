"""Taking videos out of a library, and giving the disk its room back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from c2v.errors import C2VError, DataError, UsageError
from c2v.services.reports import Removed
from c2v.services.telling import Telling

if TYPE_CHECKING:
    from c2v.library import Store, VideoRecord
    from c2v.services.workspace import Workspace


def remove_videos(
    space: Workspace,
    paths: Sequence[str],
    *,
    dry_run: bool,
    confirm: Callable[[Sequence[VideoRecord]], None] | None,
) -> Removed:
    """Forget the videos that ``paths`` mean and their failures; the files stay."""
    library = space.store
    doomed = _videos_meant(library, paths)
    if not dry_run:
        if confirm is not None:
            confirm(doomed)
        library.remove_videos([video.id for video in doomed])
        library.clear_failures([video.path for video in doomed])
        give_back_room(library, space.telling)
    return Removed(tuple(video.path for video in doomed), dry_run)


def _videos_meant(library: Store, paths: Sequence[str]) -> list[VideoRecord]:
    """The videos that paths, folders and patterns mean, each once.

    Raises:
        DataError: one of them means none.
        UsageError: one of them is no pattern.
    """
    from c2v.paths.globs import PatternError
    from c2v.paths.patterns import select

    videos = library.videos()
    try:
        chosen, unmatched = select(paths, [video.path for video in videos])
    except PatternError as error:
        raise UsageError(str(error), hint="give videos, folders, or patterns as *.mp4") from error
    if unmatched:
        raise DataError(
            f"{unmatched[0]} is not in the library {library.address}",
            hint="c2v status shows the library; --library names another one",
        )
    return [videos[place] for place in chosen]


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

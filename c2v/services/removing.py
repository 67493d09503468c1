"""Taking videos out of a library, and giving the disk its room back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from c2v.errors import C2VError, DataError, UsageError
from c2v.services.telling import Telling

if TYPE_CHECKING:
    from c2v.library import FailureRecord, Store, VideoRecord


def meant(library: Store, paths: Sequence[str]) -> tuple[list[VideoRecord], list[FailureRecord]]:
    """The videos, and the failures, that paths, folders and patterns mean, each once.

    Raises:
        DataError: one of them means neither.
        UsageError: one of them is no pattern.
    """
    from c2v.library import FailureRecord, VideoRecord
    from c2v.paths.globs import PatternError
    from c2v.paths.patterns import select

    rows: list[VideoRecord | FailureRecord] = [*library.videos(), *library.failures()]
    try:
        chosen, unmatched = select(paths, [row.path for row in rows])
    except PatternError as error:
        raise UsageError(str(error), hint="give videos, folders, or patterns as *.mp4") from error
    if unmatched:
        raise DataError(
            f"{unmatched[0]} is not in the library {library.address}",
            hint="c2v status shows the library; --library names another one",
        )
    found = [rows[place] for place in chosen]
    videos = [row for row in found if isinstance(row, VideoRecord)]
    return videos, [row for row in found if isinstance(row, FailureRecord)]


def forget(
    library: Store,
    videos: Sequence[VideoRecord],
    failures: Sequence[FailureRecord],
    telling: Telling,
) -> None:
    """Forget these videos and these failures; the files stay."""
    if failures:
        library.clear_failures([failure.path for failure in failures])
    if videos:
        library.remove_videos([video.id for video in videos])
        give_back_room(library, telling)


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

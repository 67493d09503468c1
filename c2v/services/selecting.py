"""Which videos of a library are meant by what somebody types, and which cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from c2v.errors import DataError, UsageError
from c2v.services.places import StrPath, several

if TYPE_CHECKING:
    from c2v.library import FailureRecord, Store, VideoRecord
    from c2v.services.workspace import Workspace

Row = TypeVar("Row", bound="VideoRecord | FailureRecord")


def videos_meant(library: Store, paths: Iterable[StrPath] | StrPath) -> list[VideoRecord]:
    """The videos that paths, folders and patterns mean, each once, by path; of none: all.

    Raises:
        DataError: one of them means no video.
        UsageError: one of them is no pattern.
    """
    texts = [os.fspath(path) for path in several(paths)]
    videos = library.videos()
    return rows_meant(library, texts, videos) if texts else videos


def rows_meant(library: Store, texts: Sequence[str], rows: Sequence[Row]) -> list[Row]:
    """Those of some rows whose paths are meant, each once.

    Raises:
        DataError: one of the texts means none.
        UsageError: one of them is no pattern.
    """
    from c2v.paths.globs import PatternError
    from c2v.paths.patterns import select

    try:
        chosen, unmatched = select(texts, [row.path for row in rows])
    except PatternError as error:
        raise UsageError(str(error), hint="give videos, folders, or patterns as *.mp4") from error
    if unmatched:
        raise DataError(
            f"{unmatched[0]} is not in the library {library.address}",
            hint="c2v status shows the library; --library names another one",
        )
    return [rows[place] for place in chosen]


def tell_of_damage(space: Workspace, left_out: Sequence[str]) -> None:
    """One line on videos of which nothing sound is stored."""
    if left_out:
        import shlex

        more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        space.telling.problem(
            f"rows of {left_out[0]}{more} are damaged in the library and left out; read again: "
            f"c2v index {shlex.quote(left_out[0])} --library {shlex.quote(space.store.address)}"
        )

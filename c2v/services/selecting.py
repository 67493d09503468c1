"""Which videos of a library are meant by what somebody types."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from c2v.errors import DataError, UsageError
from c2v.services.places import StrPath, several

if TYPE_CHECKING:
    from c2v.library import Store, VideoRecord


def videos_meant(library: Store, paths: Iterable[StrPath] | StrPath) -> list[VideoRecord]:
    """The videos that paths, folders and patterns mean, each once, by path; of none: all.

    Raises:
        DataError: one of them means no video.
        UsageError: one of them is no pattern.
    """
    from c2v.paths.globs import PatternError
    from c2v.paths.patterns import select

    texts = [os.fspath(path) for path in several(paths)]
    videos = library.videos()
    if not texts:
        return videos
    try:
        chosen, unmatched = select(texts, [video.path for video in videos])
    except PatternError as error:
        raise UsageError(str(error), hint="give videos, folders, or patterns as *.mp4") from error
    if unmatched:
        raise DataError(
            f"{unmatched[0]} is not in the library {library.address}",
            hint="c2v status shows the library; --library names another one",
        )
    return [videos[place] for place in chosen]

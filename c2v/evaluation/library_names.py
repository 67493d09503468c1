"""The videos of a captions file in a library: by what is written of their path, or by an id."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePath

from c2v.evaluation.captions import Captions
from c2v.evaluation.video_names import ids_of
from c2v.library import Store, VideoRecord
from c2v.paths.patterns import composed


def in_library(library: Store, captions: Captions) -> Captions:
    """``captions`` with the paths that videos which were not found on disk have in ``library``.

    A name is that of a video of which it is the end of the path (``dog.mp4``, ``pets/dog.mp4``),
    or, without its extension, the file name (``dog``). Where several videos fit, the one with the
    longest common end counts; videos of the same content are one. A name that still means several
    is not guessed: :attr:`Captions.unclear` says so.
    """
    if not captions.names:
        return captions
    absent = {
        path: name
        for path, name in captions.names.items()
        if not os.path.isabs(os.path.expanduser(name))  # noqa: PTH111, PTH117
        and library.video_by_path(path) is None
    }
    if not absent:
        return captions
    by_name = _by_name(library.videos())
    places: dict[str, str] = {}
    unclear: dict[str, str] = {}
    for path, name in absent.items():
        fitting = _fitting(name, by_name)
        contents = {video.content_id for video in fitting}
        if len(contents) == 1:
            places[path] = fitting[0].path
        elif contents:
            unclear[path] = (
                f"the library has {len(contents)} videos of that name: {fitting[0].path}, "
                f"{fitting[1].path}; name more of the path"
            )
    return captions.at(places, unclear)


def _by_name(videos: Iterable[VideoRecord]) -> dict[str, list[VideoRecord]]:
    """Videos by file name, and by what they are called without extension."""
    found: dict[str, list[VideoRecord]] = {}
    for video in videos:
        name = composed(os.path.basename(video.path))  # noqa: PTH119
        for key in (name, *ids_of(name)):
            found.setdefault(key, []).append(video)
    return found


def _fitting(name: str, by_name: dict[str, list[VideoRecord]]) -> list[VideoRecord]:
    """The videos whose path ends as the name does; all of them, when the folders say nothing."""
    parts = [part for part in PurePath(composed(name)).parts if part not in ("..", ".")]
    if not parts:
        return []
    *folders, last = parts
    fitting = by_name.get(last, [])
    whole = [video for video in fitting if _folders(video)[-len(folders) :] == folders]
    return whole if folders else fitting


def _folders(video: VideoRecord) -> list[str]:
    return list(PurePath(composed(os.path.dirname(video.path))).parts)  # noqa: PTH120

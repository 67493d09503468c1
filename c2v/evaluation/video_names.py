"""Which file a captions file means: a path, a name, or an id without its extension."""

from __future__ import annotations

import os
from pathlib import Path

from c2v.media.scan import VIDEO_EXTENSIONS
from c2v.paths.patterns import composed, existing


def videos_by_stem(folder: Path, *, deep: bool) -> dict[str, str]:
    """Video files by their name without its extension, and with ``v_`` (ActivityNet) cut.

    Names are composed (:mod:`c2v.paths.patterns`). Of several files of one name the first in order
    of path is taken. ``deep`` looks below too.
    """
    found: dict[str, str] = {}
    for root, folders, names in os.walk(os.path.abspath(folder)):  # noqa: PTH100 - keeps links
        folders[:] = sorted(folders) if deep else []
        for name in sorted(names):
            for key in ids_of(name):
                found.setdefault(key, os.path.join(root, name))  # noqa: PTH118
    return found


def ids_of(name: str) -> tuple[str, ...]:
    """By what a video file of that name may be called where its extension is left out."""
    stem, extension = os.path.splitext(composed(name))  # noqa: PTH122
    if not _is_video(extension):
        return ()
    inner, extension = os.path.splitext(stem)  # noqa: PTH122
    stems = (stem, inner) if _is_video(extension) else (stem,)  # DiDeMo's script makes a.mov.mp4
    return tuple(key for one in stems for key in dict.fromkeys((one, one.removeprefix("v_"))))


def _is_video(extension: str) -> bool:
    return extension[1:].lower() in VIDEO_EXTENSIONS


class VideoNames:
    """Turns the names of a captions file into absolute paths.

    Args:
        folder: what the names are relative to.
        deep: an id may be that of a file anywhere below the folder.
    """

    def __init__(self, folder: Path, *, deep: bool) -> None:
        self._folder = os.path.abspath(folder)  # noqa: PTH100
        self._deep = deep
        self._by_stem: dict[str, str] | None = None
        self._listings: dict[str, dict[str, str]] = {}

    def path(self, name: str) -> str:
        """The file of that name; else the video it is the id of; else where it should be.

        What is not there letter by letter is looked for with its accents written in another way.
        """
        path = os.path.join(self._folder, os.path.expanduser(name))  # noqa: PTH111, PTH118
        path = existing(os.path.normpath(path), listings=self._listings)
        if os.path.isfile(path):  # noqa: PTH113
            return path
        if self._by_stem is None:
            self._by_stem = videos_by_stem(Path(self._folder), deep=self._deep)
        return self._by_stem.get(composed(name), path)

"""Which file a captions file means: a path, a name, or an id without its extension."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from c2v.media.scan import VIDEO_EXTENSIONS


def same_name(name: str) -> str:
    """A name in the one form of its accents in which names are compared.

    macOS writes an accent as a character of its own (NFD), most programs do not (NFC).
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def videos_by_stem(folder: Path, *, deep: bool) -> dict[str, str]:
    """Video files by their name without the last extension, and with ``v_`` (ActivityNet) cut.

    Names are as :func:`same_name` gives them. Of several files of one name the first in order of
    path is taken. ``deep`` looks below too.
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
    stem, extension = os.path.splitext(same_name(name))  # noqa: PTH122
    if extension[1:].lower() not in VIDEO_EXTENSIONS:
        return ()
    return (stem, stem.removeprefix("v_")) if stem.startswith("v_") else (stem,)


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
        self._listed: dict[str, dict[str, str]] = {}

    def path(self, name: str) -> str:
        """The file of that name; else the video it is the id of; else where it should be.

        What is not there letter by letter is looked for with its accents written in another way.
        """
        path = os.path.join(self._folder, os.path.expanduser(name))  # noqa: PTH111, PTH118
        path = os.path.normpath(path)
        if os.path.isfile(path):  # noqa: PTH113
            return path
        otherwise = path if path.isascii() else self._as_on_disk(path)
        if os.path.isfile(otherwise):  # noqa: PTH113
            return otherwise
        if self._by_stem is None:
            self._by_stem = videos_by_stem(Path(self._folder), deep=self._deep)
        return self._by_stem.get(same_name(name), path)

    def _as_on_disk(self, path: str) -> str:
        """The path with each part spelt as its folder spells it, where it is there at all."""
        if os.path.lexists(path):
            return path
        above, name = os.path.split(path)
        if above == path or name.isascii() and above.isascii():
            return path
        above = self._as_on_disk(above)
        if above not in self._listed:
            try:
                names = sorted(os.listdir(above))  # noqa: PTH208
            except (OSError, ValueError):
                names = []
            self._listed[above] = {same_name(name): name for name in names}
        return os.path.join(above, self._listed[above].get(same_name(name), name))  # noqa: PTH118

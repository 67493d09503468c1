"""Subtitle files beside videos: which belongs to which, by their names alone.

As players have it: ``film.srt``, ``film.en.srt`` and ``film.mp4.srt`` belong to ``film.mp4``, in
its folder or in one named ``Subs`` or ``Subtitles`` in it; where two videos could have a file, it
is that of the longer name. What lies in ``Subs/film/`` is the film's, and all of ``Subs`` is the
only video's in its folder. The case of letters does not count.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from c2v.media.identity import modified_ns

SUBTITLE_EXTENSIONS = frozenset({"srt", "vtt", "ass", "ssa", "sub", "smi", "idx", "sup"})
"""Lower case, without the dot; the last two hold pictures of text."""
_FOLDERS = frozenset({"sub", "subs", "subtitle", "subtitles"})


@dataclass(frozen=True, slots=True)
class FoundSubtitle:
    """A subtitle file on disk that belongs to a video."""

    path: Path
    name: str
    """Relative to the folder of the video."""
    size_bytes: int
    mtime_ns: int


@dataclass(slots=True)
class Beside:
    """What a walk over folders has seen of subtitle files; only those of a video are looked at."""

    is_video: Callable[[str], bool]
    """Whether a file's name is that of a video."""
    _videos: dict[str, list[str]] = field(default_factory=dict)
    _files: dict[str, list[os.DirEntry[str]]] = field(default_factory=dict)

    def see(self, folder: str, listing: Iterable[os.DirEntry[str]]) -> None:
        """Take note of a folder that is listed anyway."""
        videos, files = [], []
        for entry in listing:
            if self.is_video(entry.name):
                videos.append(entry.name)
            elif entry.name.rpartition(".")[2].lower() in SUBTITLE_EXTENSIONS:
                files.append(entry)
        self._videos[folder] = videos
        if files:
            self._files[folder] = files

    def see_around(self, video: str) -> None:
        """Look into the folder of a video that was named itself, where nobody else does."""
        folder = os.path.dirname(video)  # noqa: PTH120 - strings, as everywhere in a walk
        if folder in self._videos:
            return
        for entry in self._list(folder):
            if entry.name.lower() in _FOLDERS and _is_folder(entry):
                for deeper in self._list(entry.path):
                    if _is_folder(deeper):
                        self._list(deeper.path)

    def _list(self, folder: str) -> list[os.DirEntry[str]]:
        """See a folder; of one that cannot be looked into nothing is known."""
        try:
            with os.scandir(folder) as entries:
                listing = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            return []
        self.see(folder, listing)
        return listing

    def of_all(self, videos: Sequence[str]) -> dict[str, tuple[FoundSubtitle, ...]]:
        """The subtitle files of each video that has some."""
        if not self._files:
            return {}
        wanted = set(videos)
        found: dict[str, list[FoundSubtitle]] = {}
        for folder, entries in self._files.items():
            for entry in entries:
                video = self._video_of(folder, entry.name)
                if video in wanted and (file := _found(entry, video)) is not None:
                    found.setdefault(video, []).append(file)
        return {video: tuple(sorted(some, key=_name)) for video, some in found.items()}

    def _video_of(self, folder: str, name: str) -> str:
        """The path of the video that a subtitle file in a folder belongs to; "" of none."""
        if found := self._by_name(folder, name):
            return found
        above, last = os.path.split(folder)
        if last.lower() in _FOLDERS:
            return self._by_name(above, name) or self._only_one(above)
        top, middle = os.path.split(above)
        if middle.lower() in _FOLDERS:
            return self._by_name(top, f"{last}.") or self._only_one(top)
        return ""

    def _by_name(self, folder: str, name: str) -> str:
        lower = name.lower()
        stems = (
            (len(stem), video)
            for video in self._videos.get(folder, ())
            for stem in (video.lower(), video.lower().rpartition(".")[0])
            if stem and lower.startswith(f"{stem}.")
        )
        _, video = max(stems, default=(0, ""))
        return os.path.join(folder, video) if video else ""  # noqa: PTH118

    def _only_one(self, folder: str) -> str:
        videos = self._videos.get(folder, ())
        return os.path.join(folder, videos[0]) if len(videos) == 1 else ""  # noqa: PTH118


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _name(file: FoundSubtitle) -> str:
    return file.name


def _found(entry: os.DirEntry[str], video: str) -> FoundSubtitle | None:
    try:
        if not entry.is_file():
            return None  # a pipe would be waited for
        status = entry.stat()
    except OSError:
        return None  # gone, or a broken link: there is nothing to read
    name = os.path.relpath(entry.path, os.path.dirname(video))  # noqa: PTH120
    return FoundSubtitle(Path(entry.path), name, status.st_size, modified_ns(status))

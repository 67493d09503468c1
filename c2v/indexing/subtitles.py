"""Subtitles of a run: read with a video that is decoded, caught up with beside all others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from c2v.errors import MediaError, only_this_file
from c2v.indexing.report import Failure, Heard, Tally
from c2v.library import IN_THE_VIDEO, Line, Store, SubtitleData, SubtitleState
from c2v.media.probe import VideoInfo, probe
from c2v.media.scan import FoundVideo
from c2v.media.sidecars import FoundSubtitle
from c2v.media.subtitles import ReadSubtitles, read_embedded, read_sidecar

VIDEOS_A_COMMIT = 64


def read_with(file: FoundVideo, info: VideoInfo, *, streams: tuple[int, int]) -> Heard:
    """All subtitles of a video that was just decoded.

    ``streams`` are the numbers of its subtitle streams with text and without.
    """
    texts, others = streams
    remarks: list[Failure] = []
    if texts:
        inside = _inside(file.path, info.start_seconds, info.duration_seconds, remarks)
    else:
        inside = SubtitleData(SubtitleState(IN_THE_VIDEO), without_text=others)
    beside = (
        _beside(one, info.duration_seconds, lambda: info.frame_rate, remarks)
        for one in file.subtitles
    )
    return Heard((inside, *beside), tuple(remarks))


def catch_up(
    library: Store,
    found: Sequence[FoundVideo],
    *,
    besides: Collection[Path],
    tally: Tally,
    stop: threading.Event,
) -> None:
    """Read what is new or changed of the subtitles of videos that need not be decoded.

    Subtitles in the video are read where that was never done: by a run of an earlier c2v, or with
    subtitles turned off. Files ``besides`` are somebody else's.
    """
    states = library.subtitles()
    ids = {path: key for key, path in library.video_paths()}
    waiting: list[_Change] = []
    for file in found:
        if stop.is_set():
            break
        video_id = ids.get(str(file.path))
        if video_id is None or file.path in besides:
            continue
        change = _Change.of(file, video_id, states.get(video_id, ()))
        if change.is_one:
            change.read(library)
            waiting.append(change)
        if len(waiting) >= VIDEOS_A_COMMIT:
            _store(library, waiting, tally)
            waiting = []
    _store(library, waiting, tally)


@dataclass(slots=True)
class _Change:
    """What has to be read, or forgotten, of the subtitles of a video that stays as it is."""

    file: FoundVideo
    video_id: int
    gone: list[str]
    new: list[FoundSubtitle]
    lacks_inside: bool
    subtitles: list[SubtitleData] = field(default_factory=list)
    remarks: list[Failure] = field(default_factory=list)

    @classmethod
    def of(cls, file: FoundVideo, video_id: int, stored: Iterable[SubtitleState]) -> _Change:
        """The difference between what was read and what is there."""
        before = {state.path: state for state in stored}
        here = {one.name for one in file.subtitles}
        new = [one for one in file.subtitles if before.get(one.name) != _state(one)]
        gone = [path for path in before if path not in here and path != IN_THE_VIDEO]
        return cls(file, video_id, gone, new, IN_THE_VIDEO not in before)

    @property
    def is_one(self) -> bool:
        """Whether there is anything to be done."""
        return bool(self.gone or self.new or self.lacks_inside)

    def read(self, library: Store) -> None:
        """Read it; nothing is stored yet."""
        path = self.file.path
        video = library.video_by_path(path)
        if video is None:
            return
        seconds = video.duration_seconds
        if self.lacks_inside:
            self.subtitles.append(_inside(path, None, seconds, self.remarks))
        self.subtitles += [
            _beside(one, seconds, lambda: _frame_rate(path), self.remarks) for one in self.new
        ]


def _store(library: Store, changes: Sequence[_Change], tally: Tally) -> None:
    if not changes:
        return
    with library.batch():
        for change in changes:
            if change.gone:
                library.forget_subtitles(change.video_id, change.gone)
            if change.subtitles:
                library.write_subtitles(change.video_id, change.subtitles)
    for change in changes:
        tally.hear(Heard(tuple(change.subtitles), tuple(change.remarks)))


def _inside(
    path: Path, start_seconds: float | None, seconds: float, remarks: list[Failure]
) -> SubtitleData:
    def read() -> ReadSubtitles:
        return read_embedded(path, start_seconds=start_seconds, duration_seconds=seconds)

    return _read(path, SubtitleState(IN_THE_VIDEO), read, remarks)


def _beside(
    file: FoundSubtitle, seconds: float, frame_rate: Callable[[], float], remarks: list[Failure]
) -> SubtitleData:
    def read() -> ReadSubtitles:
        return read_sidecar(file.path, duration_seconds=seconds, frame_rate=frame_rate)

    return _read(file.path, _state(file), read, remarks)


def _read(
    path: Path, state: SubtitleState, read: Callable[[], ReadSubtitles], remarks: list[Failure]
) -> SubtitleData:
    """What is in a file; of one that cannot be read nothing, until it changes."""
    try:
        with only_this_file():
            found = read()
    except MediaError as error:
        remarks.append(Failure(path, error.message, error.trace))
        return SubtitleData(state)
    remarks += [Failure(path, remark) for remark in found.remarks]
    lines = (Line(cue.start_seconds, cue.end_seconds, cue.text) for cue in found.cues)
    return SubtitleData(state, tuple(lines), found.without_text)


def _state(file: FoundSubtitle) -> SubtitleState:
    return SubtitleState(file.name, file.size_bytes, file.mtime_ns)


def _frame_rate(video: Path) -> float:
    return probe(video).frame_rate

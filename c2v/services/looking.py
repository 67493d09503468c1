"""Sketches of videos that are compared, each made once, as many as the memory shall hold."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.stretches import unit_rows
from c2v.errors import DamagedRowsError, MediaError
from c2v.search.lookalikes import Lookalike
from c2v.search.overlaps import Overlap, overlap

if TYPE_CHECKING:
    from c2v.library import Store, VideoRecord
    from c2v.media.sketches import Sketch
    from c2v.services.telling import Telling

WHOLE_UP_TO_SECONDS = 300.0
"""A longer video is looked at where it is most alike alone: whole films take minutes to decode."""
_AROUND_SECONDS = 15.0
_STEP_SECONDS = 1.5
"""Between stored frames of a long video it is a second; between those of a short one up to 2.5."""
_WHOLE = 0.9
_MOST_BYTES = 512 << 20

Part = tuple[int, float, float]
"""A video, and from when to when."""


class Looker:
    """Compares videos of one library by what their files show. Threads may share it."""

    def __init__(self, store: Store, videos: Mapping[int, VideoRecord], telling: Telling) -> None:
        self._store = store
        self._videos = videos
        self._telling = telling
        self._lock = threading.Lock()
        self._making: dict[Part, threading.Lock] = {}
        self._made: OrderedDict[Part, Sketch | None] = OrderedDict()
        self._bytes = 0

    def is_short(self, video_id: int) -> bool:
        """It is looked at as a whole."""
        return self._videos[video_id].duration_seconds <= WHOLE_UP_TO_SECONDS

    def overlap(self, pair: Lookalike) -> Overlap | None:
        """What two videos share; the most that one of the places says."""
        if self.is_short(pair.one) and self.is_short(pair.other):
            return self._at(self._part(pair.one, 0.0), self._part(pair.other, 0.0))
        found = [
            self._at(self._part(pair.one, mine), self._part(pair.other, theirs))
            for mine, theirs in pair.places
        ]
        best = max((one for one in found if one is not None), key=_evidence, default=None)
        return None if best is None else self._extended(pair, best)

    def _part(self, video_id: int, middle: float) -> Part:
        if self.is_short(video_id):
            return video_id, 0.0, float("inf")
        # In steps: places near each other are looked at once.
        middle = round(middle / 5.0) * 5.0
        return video_id, max(0.0, middle - _AROUND_SECONDS), middle + _AROUND_SECONDS

    def _at(self, mine: Part, theirs: Part) -> Overlap | None:
        one, other = self._sketch(mine), self._sketch(theirs)
        return None if one is None or other is None else overlap(one, other)

    def _sketch(self, part: Part) -> Sketch | None:
        """The sketch of a part; None where it cannot be read, which is said once."""
        with self._lock:
            making = self._making.setdefault(part, threading.Lock())
        with making:
            with self._lock:
                if part in self._made:
                    self._made.move_to_end(part)
                    return self._made[part]
            made = self._made_now(part)
            with self._lock:
                self._made[part] = made
                self._bytes += _size(made)
                while self._bytes > _MOST_BYTES and len(self._made) > 2:
                    self._bytes -= _size(self._made.popitem(last=False)[1])
            return made

    def _made_now(self, part: Part) -> Sketch | None:
        from c2v.media.sketches import sketch

        video_id, start, end = part
        path = self._videos[video_id].path
        try:
            return sketch(Path(path), start=start, end=end)
        except MediaError as error:
            self._telling.once(
                self._telling.problem, f"{path} was not compared: {error.message}", about=path
            )
            return None

    def _extended(self, pair: Lookalike, found: Overlap) -> Overlap:
        """An overlap that was seen in a part of a long video, as far as stored frames go on alike.

        They do where they are nearer to each other than half-way from strangers (frames of the two
        at other times) to what was seen to be the same.
        """
        try:
            mine, one = self._frames(pair.one)
            theirs, other = self._frames(pair.other)
        except DamagedRowsError:
            return found
        wanted = mine + found.offset
        beside = np.abs(theirs[None, :] - wanted[:, None])
        nearest = beside.argmin(axis=1)
        there = beside.min(axis=1) <= _STEP_SECONDS
        near = np.einsum("td,td->t", one, other[nearest])
        inside = there & _are_inside(mine, found.spans)
        if not inside.any():
            return found
        strangers = float(np.median(one @ other.T))
        alike = there & (near >= (strangers + float(np.median(near[inside]))) / 2)
        half = _STEP_SECONDS / 2
        lengths = [self._videos[key].duration_seconds for key in (pair.one, pair.other)]
        first, last = max(0.0, -found.offset), min(lengths[0], lengths[1] - found.offset)
        more = ((max(first, t - half), min(last, t + half)) for t in mine[alike].tolist())
        spans = _united([*found.spans, *more])
        shorter = min(lengths)
        seconds = sum(end - start for start, end in spans)
        return replace(found, spans=spans, whole=found.whole or seconds >= _WHOLE * shorter)

    def _frames(self, video_id: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Times [T] and features [T, D], unit length, of the stored frames."""
        with self._store.snapshot():
            rows = self._store.segments_of([video_id])[video_id]
            frames = self._store.features([row.segment_id for row in rows])
        times = np.concatenate([frames[row.segment_id][0] for row in rows])
        features = np.concatenate([frames[row.segment_id][1] for row in rows])
        return times, unit_rows(features)


def _evidence(found: Overlap) -> float:
    return found.moving * found.confidence


def _size(made: Sketch | None) -> int:
    return 0 if made is None else made.pictures.nbytes


def _are_inside(
    times: NDArray[np.float32], spans: Sequence[tuple[float, float]]
) -> NDArray[np.bool_]:
    flags = np.zeros(len(times), np.bool_)
    for start, end in spans:
        flags |= (times >= start) & (times <= end)
    return flags


def _united(spans: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Spans in order, those that touch made one."""
    united: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if united and start <= united[-1][1] + 1e-3:
            united[-1] = united[-1][0], max(united[-1][1], end)
        else:
            united.append((start, end))
    return tuple(united)

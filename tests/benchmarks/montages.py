"""Montages: films joined of shots of captioned clips, in a random order, encoded anew.

Of each film it is known from when to when which caption is right. Every clip gives one shot of 3
to 12 s (all of it where it is shorter), every film about fourteen of them: 1 to 3 minutes.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

import c2v

RATE = 25
SIZE = (320, 180)
SHOT_SECONDS = (3.0, 12.0)
CLIPS_A_FILM = 8


@dataclass(frozen=True, slots=True)
class Clip:
    """A video of one thing, and the sentence that says what."""

    path: Path
    caption: str


@dataclass(frozen=True, slots=True)
class Shot:
    """Where the clip of a caption is seen: in which film, and from when to when, in seconds."""

    caption: str
    film: Path
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Found:
    """In how many of some questions the right moment came first, in the first three; mean IoU."""

    first: float
    in_three: float
    overlap: float


def captioned_clips(data: Path) -> list[Clip]:
    """The real clips below ``data``: one caption each."""
    found = []
    for folder in (data / "clips", data / "msrvtt" / "clips"):
        with (folder / "captions.csv").open(encoding="utf-8") as file:
            found += [Clip(folder / row["video"], row["caption"]) for row in csv.DictReader(file)]
    return found


def make_montages(folder: Path, clips: Sequence[Clip], *, seed: int) -> list[Shot]:
    """Write films ``folder/SEED-N.mp4`` in which every clip is seen once; where each is."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    order = chance.sample(list(clips), len(clips))
    films = max(1, round(len(clips) / CLIPS_A_FILM))
    shots: list[Shot] = []
    for number in range(films):
        shots += _write_film(folder / f"{seed}-{number}.mp4", order[number::films], chance)
    return shots


def _write_film(path: Path, clips: Sequence[Clip], chance: random.Random) -> Iterator[Shot]:
    shown = 0
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "superfast"})
        stream.width, stream.height = SIZE
        for clip in clips:
            begins = shown
            for frame in _excerpt(clip.path, chance.uniform(*SHOT_SECONDS)):
                frame.pts, frame.time_base = shown, Fraction(1, RATE)
                out.mux(stream.encode(frame))
                shown += 1
            yield Shot(clip.caption, path, begins / RATE, shown / RATE)
        out.mux(stream.encode(None))


def _excerpt(path: Path, seconds: float) -> Iterator[av.VideoFrame]:
    """The first seconds of a clip at the film's rate and size (stretched: no black bars)."""
    width, height = SIZE
    last, given = None, 0
    with av.open(str(path)) as source:
        begins = None
        for frame in source.decode(video=0):
            begins = frame.time if begins is None else begins
            due = round((frame.time - begins) * RATE)
            while last is not None and given < min(due, round(seconds * RATE)):
                yield last
                given += 1
            if due >= round(seconds * RATE):
                return
            small = frame.reformat(width=width, height=height, format="yuv420p")
            last = small
        if last is not None:
            yield last


def found_in(library: c2v.VideoLibrary, shots: Sequence[Shot]) -> Found:
    """Ask for every shot's caption; a moment is right when its best frame lies in the shot."""
    first, three, overlaps = 0, 0, []
    for shot in shots:
        answer = library.search(shot.caption, top=3, moments=True)
        right = [
            moment.path == str(shot.film) and shot.start <= moment.best < shot.end
            for moment in answer
        ]
        first += right[:1] == [True]
        three += any(right)
        for moment in answer[: right.index(True) + 1][-1:] if any(right) else ():
            inside = min(moment.end, shot.end) - max(moment.start, shot.start)
            overlaps.append(inside / (max(moment.end, shot.end) - min(moment.start, shot.start)))
    count = len(shots)
    return Found(first / count, three / count, sum(overlaps) / max(1, len(overlaps)))

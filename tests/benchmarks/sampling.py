"""What ``--sampling fast`` costs in quality: ``python -m tests.benchmarks.sampling DATA``.

DATA has ``clips`` and ``msrvtt/clips``, each with a ``captions.csv`` of video and caption. Three
things are indexed with exact frames and with keyframes, by the shipped encoder:

* clips: each of them a video; a caption is to find its own among all;
* films: excerpts of all clips, joined in a random order and encoded anew as x264 does by itself;
  a caption is to find the piece of the film in which its clip is seen;
* one group: the same films with a keyframe every 250 pictures and none at the cuts, as some screen
  recorders and streaming servers write.

Prints a table: recall with both samplings, how many captions moved up and down, the cosine between
the vectors, how far the pictures are from the times they stand for, and the time.
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.reembedding import model_record
from c2v.library import SegmentRow, open_store

EXCERPT_SECONDS = 10.0
FILM_RATE = 25
FILM_SIZE = (480, 270)
FILMS = 3

SAMPLINGS: tuple[Literal["exact", "fast"], ...] = ("exact", "fast")


@dataclass(frozen=True)
class Question:
    """A caption and where its answer is: a file, and in it a stretch in seconds."""

    caption: str
    path: Path
    start: float = 0.0
    end: float = float("inf")


@dataclass(frozen=True)
class Answers:
    """One sampling of one set."""

    ranks: NDArray[np.intp]
    vectors: NDArray[np.float32]
    seconds: float
    times: list[NDArray[np.float32]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    bundle = load_bundle("mini", device="cpu")
    clips = read_captions(options.data)
    print(f"{'set':10} {'captions':>8} {'pieces':>6}  {'R@1':>13} {'R@5':>13} {'R@10':>13}"
          f" {'up':>4} {'down':>4} {'cosine':>13} {'off by, s':>13} {'time, s':>13}")  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sets = {"clips": clips}
        for name, scenecut in (("films", 40), ("one group", 0)):
            sets[name] = make_films(folder / name, clips, scenecut=scenecut)
        for name, questions in sets.items():
            both = [ask(folder / f"{name}-{s}", bundle, questions, s) for s in SAMPLINGS]
            print(line(name, *both), flush=True)


def read_captions(data: Path) -> list[Question]:
    """The captions of both folders of real clips."""
    found = []
    for part in (data / "clips", data / "msrvtt" / "clips"):
        with (part / "captions.csv").open(encoding="utf-8") as file:
            rows = csv.DictReader(file)
            found += [Question(row["caption"], part / row["video"]) for row in rows]
    return found


def make_films(folder: Path, clips: list[Question], *, scenecut: int) -> list[Question]:
    """Write films of all clips in random orders; where each caption's clip is in them."""
    folder.mkdir()
    questions: list[Question] = []
    for number in range(FILMS):
        order = random.Random(number).sample(clips, len(clips))
        path = folder / f"{number}.mp4"
        shown = 0
        with av.open(str(path), "w") as out:
            stream = out.add_stream("libx264", rate=FILM_RATE)
            stream.width, stream.height = FILM_SIZE
            stream.codec_context.gop_size = 250
            stream.options = {"preset": "veryfast", "x264-params": f"scenecut={scenecut}"}
            for clip in order:
                begins = shown
                for frame in excerpt(clip.path):
                    frame.pts, frame.time_base = shown, Fraction(1, FILM_RATE)
                    out.mux(stream.encode(frame))
                    shown += 1
                edges = begins / FILM_RATE, shown / FILM_RATE
                questions.append(Question(clip.caption, path, *edges))
            out.mux(stream.encode(None))
    return questions


def excerpt(path: Path) -> list[av.VideoFrame]:
    """The first seconds of a clip, at the films' rate and size (stretched: no black bars)."""
    pictures: list[av.VideoFrame] = []
    with av.open(str(path)) as source:
        for frame in source.decode(video=0):
            seconds = (frame.time or 0.0) - (source.streams.video[0].start_time or 0) * float(
                frame.time_base or 0
            )
            due = int(min(seconds, EXCERPT_SECONDS) * FILM_RATE)
            if len(pictures) <= due:
                width, height = FILM_SIZE
                small = frame.reformat(width=width, height=height, format="yuv420p")
                pictures += [small] * (due + 1 - len(pictures))
            if seconds >= EXCERPT_SECONDS:
                break
    return pictures


def ask(
    folder: Path, bundle: Bundle, questions: list[Question], sampling: Literal["exact", "fast"]
) -> Answers:
    """Index what the questions are about and look where their answers rank."""
    with open_store(folder, create=True) as library:
        library.set_model(model_record(bundle))
        started = time.process_time()
        paths = sorted({question.path for question in questions})
        index_paths(library, bundle, paths, options=IndexOptions(exactness=sampling))
        seconds = time.process_time() - started
        places = library.segments_of([video.id for video in library.videos()])
        segments = sorted(
            (segment for rows in places.values() for segment in rows),
            key=lambda segment: (segment.path, segment.start_seconds),
        )
        ids = [segment.segment_id for segment in segments]
        by_id, features = library.vectors(ids), library.features(ids)
        vectors = np.stack([by_id[key] for key in ids])
        times = [features[key][0] for key in ids]
    texts = bundle.embed_text([question.caption for question in questions])
    ranks = [
        rank(question, text @ vectors.T, segments)
        for question, text in zip(questions, texts, strict=True)
    ]
    return Answers(np.array(ranks), vectors, seconds, times)


def rank(question: Question, scores: NDArray[np.float32], segments: list[SegmentRow]) -> int:
    """Place (from 1) of the first right piece among the pieces that may be asked for.

    Films are asked one by one: the same clips are in all of them.
    """
    films = question.end < float("inf")
    known = [n for n, s in enumerate(segments) if not films or Path(s.path) == question.path]
    known.sort(key=lambda number: -scores[number])
    videos: list[str | int] = []
    for number in known:
        segment = segments[number]
        key = number if films else segment.path
        if key not in videos:
            videos.append(key)
        middle = (question.start + min(question.end, 1e9)) / 2
        inside = segment.start_seconds <= middle < segment.end_seconds
        if Path(segment.path) == question.path and (inside or not films):
            return len(videos)
    raise SystemExit(f"nothing of {question.path} was indexed")


def line(name: str, exact: Answers, fast: Answers) -> str:
    """One row of the table."""
    recalls = [
        f"{100 * (exact.ranks <= k).mean():5.1f} / {100 * (fast.ranks <= k).mean():5.1f}"
        for k in (1, 5, 10)
    ]
    up, down = int((fast.ranks < exact.ranks).sum()), int((fast.ranks > exact.ranks).sum())
    cosines = (exact.vectors * fast.vectors).sum(1)
    off = np.concatenate([a - b for a, b in zip(exact.times, fast.times, strict=True)])
    off = np.abs(off)
    return (
        f"{name:10} {len(exact.ranks):8} {len(exact.vectors):6}  "
        + " ".join(recalls)
        + f" {up:4} {down:4} {cosines.mean():6.3f}>{cosines.min():5.3f}"
        f" {off.mean():6.2f}<{off.max():5.2f} {exact.seconds:6.1f}/{fast.seconds:5.1f}"
    )


if __name__ == "__main__":
    main()

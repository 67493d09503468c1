"""Does fine-tuning make anything worse? Before and after, on what was learnt and on what was not.

``python -m tests.benchmarks.finetuning DATA`` with the folder that has ``clips``, ``msrvtt/clips``
and ``flickr8k``. Two sources to learn from, each with five splits of two sizes:

* clips: 20 and 40 of the 43 real clips; the others are looked for among all 43;
* motion: 80 and 200 of the clips of ``tests/training/motion_clips`` (moving photographs whose
  captions differ in how they move); 96 others are looked for among themselves.

Foreign are videos of another source, never learnt from: for both, 200 photographs of Flickr8k's
test split as clips over which the camera moves in; for motion the real clips as well. Nothing of
them is in the library a model learns from. Nothing is chosen by hand, so a run that is not worth it
writes no model, and after it everything is as before. Frames are decoded and encoded once, by
``c2v index``. Prints a table, writes ``finetuning.json``.

Measured with the ``mini`` that had neither ImageNet's classes nor a hub bias, the motion clips with
``--steps 120``; text to video, means of the splits, before and after:

============  =======  ===========  ============  ============  ============  ============
learnt from   written  held out     held out R@5  photos        photos        clips
                       R@1                        R@1           R@5           R@1, R@5
============  =======  ===========  ============  ============  ============  ============
20 of clips   1 of 5   37.4, 37.4   67.8, 68.7    42.5, 42.5    77.5, 77.3
40 of clips   2 of 5   53.3, 53.3   73.3, 73.3    42.5, 42.4    77.5, 77.3
80 of motion  5 of 5   4.8, 10.6    22.9, 40.8    42.5, 43.2    77.5, 77.5    +0.9, +1.4
============  =======  ===========  ============  ============  ============  ============

Without choosing, the end of the training itself (one split, 80 of motion, 130 steps) found 44 of
the motion clips first, and of the real clips 16 instead of 44, of the photographs 18 instead of 42.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c2v.demo.panning import View, read_picture, write_panned_clip
from c2v.encoder.bundle import load_bundle
from c2v.evaluation.captions import from_pairs
from c2v.evaluation.retrieval import evaluate_library
from c2v.library import open_store
from tests.benchmarks.command import c2v
from tests.training.motion_clips import KINDS, motion_clips, write_clip

SPLITS = 5
SIZES = {"clips": (20, 40), "motion": (80, 200)}
FOREIGN = {"clips": ("photos",), "motion": ("photos", "clips")}
LOOKED_FOR = 96
PHOTOS = 200
DEPTHS = (1, 5)
Row = tuple[str, str]


@dataclass(frozen=True)
class Source:
    """Videos of one source with a caption each, indexed in a library of their own."""

    name: str
    rows: list[Row]
    library: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folder", type=Path, help="work here and keep it: indexed once")
    parser.add_argument("--only", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--splits", type=int, default=SPLITS)
    parser.add_argument("--sizes", nargs="+", type=int, help="those of them alone")
    parser.add_argument("--steps", type=int, help="of the motion clips, for a quick look")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        sources = {source.name: source for source in all_sources(options.data, folder)}
        results = []
        for name in options.only:
            for size in SIZES[name]:
                if options.sizes is None or size in options.sizes:
                    runs = [
                        experiment(folder, sources, name, size, split, steps=options.steps)
                        for split in range(options.splits)
                    ]
                    results.append({"source": name, "pairs": size, "runs": runs})
                    show(results[-1])
    Path("finetuning.json").write_text(json.dumps(results, indent=1) + "\n")


def all_sources(data: Path, folder: Path) -> Iterable[Source]:
    """Everything rendered and indexed, once."""
    clips = [data / "clips", data / "msrvtt" / "clips"]
    rows = []
    for part in clips:
        with (part / "captions.csv").open(encoding="utf-8") as file:
            rows += [(str(part / row["video"]), row["caption"]) for row in csv.DictReader(file)]
    yield indexed("clips", rows, clips, folder)
    videos = folder / "motion"
    videos.mkdir(parents=True, exist_ok=True)
    rows = []
    for clip in motion_clips(pictures=8, kinds=list(KINDS), takes=2):
        if not (videos / clip.name).exists():
            write_clip(clip, videos)
        rows.append((str(videos / clip.name), clip.caption))
    yield indexed("motion", rows, [videos], folder)
    yield indexed(
        "photos", photos(data / "flickr8k", folder / "photos"), [folder / "photos"], folder
    )


def photos(flickr: Path, videos: Path) -> list[Row]:
    """Photographs into which the camera moves."""
    videos.mkdir(parents=True, exist_ok=True)
    said: dict[str, str] = {}
    with (flickr / "captions.csv").open(encoding="utf-8") as file:
        for name, caption in list(csv.reader(file))[1:]:
            said.setdefault(name, caption.rstrip(" ."))
    rows = []
    for name in (flickr / "Flickr_8k.testImages.txt").read_text().split()[:PHOTOS]:
        path = videos / f"{Path(name).stem}.mp4"
        if not path.exists():
            write_panned_clip(
                read_picture(flickr / "images" / name), path, start=View(0.5, 0.5, 1.0),
                end=View(0.5, 0.5, 0.6), seconds=2.0, width=320, height=240,
            )  # fmt: skip
        rows.append((str(path), said[name]))
    return rows


def indexed(name: str, rows: list[Row], videos: Sequence[Path], folder: Path) -> Source:
    library = folder / f"library-{name}"
    c2v(folder / "home", "index", *videos, "--model", "mini", "--library", library)
    return Source(name, rows, library)


def experiment(
    folder: Path, sources: dict[str, Source], name: str, size: int, split: int, *,
    steps: int | None,
) -> dict[str, Any]:  # fmt: skip
    """Fine-tune on one split; every recall before and after."""
    source = sources[name]
    rows = random.Random(split).sample(source.rows, len(source.rows))
    learnt = rows[:size]
    rest = list({caption: (path, caption) for path, caption in rows[size:]}.values())[:LOOKED_FOR]
    gallery = source.rows if name == "clips" else rest
    data = folder / f"{name}-{size}-{split}.csv"
    with data.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("video", "caption"), *learnt])
    words: list[str | Path] = []
    if steps is not None and name == "motion":
        words = ["--epochs", str(round(steps / (size / 18)))]  # about 18 videos a step
    tuned, seconds = c2v(
        folder / "home", "finetune", "--data", data, "--model", "mini", "--overwrite",
        "--library", source.library, "--name", f"{name}-{size}-{split}", "--seed", str(split),
        *words,
    )  # fmt: skip

    def measured(model: str) -> dict[str, dict[str, float]]:
        found = {"held out": recalls(source, model, gallery, rest)}
        for other in FOREIGN[name]:
            found[other] = recalls(sources[other], model, sources[other].rows)
        return found

    before = measured("mini")
    after = measured(tuned["model"]) if tuned["written"] else before
    choice = tuned["choice"]
    print(f"{name} {size} split {split}: {seconds:.0f} s, {choice}", flush=True)
    return {"split": split, "before": before, "after": after, "choice": choice, "seconds": seconds}


def recalls(
    source: Source, model: str, gallery: Sequence[Row], asked: Sequence[Row] | None = None
) -> dict[str, float]:
    """R@1 and R@5 of the captions of ``asked`` (all of them) among the videos of ``gallery``."""
    with open_store(source.library) as library:
        captions = from_pairs(Path(f"{source.name}.csv"), list(gallery))
        scores = evaluate_library(library, load_bundle(model, device="cpu"), captions).scores
    ranks = {
        scores.paths[video]: rank for video, rank in zip(scores.owner, scores.ranks(), strict=True)
    }
    mine = [ranks[path] for path, _ in asked or gallery]
    return {f"R@{k}": 100 * statistics.mean(float(rank <= k) for rank in mine) for k in DEPTHS}


def show(result: dict[str, Any]) -> None:
    """Means over the splits."""
    runs = result["runs"]
    written = sum(run["choice"]["share"] > 0 for run in runs)
    print(f"{result['pairs']} of {result['source']}: written {written} of {len(runs)} times")
    for what in runs[0]["before"]:
        line = f"  {what:10}"
        for key in (f"R@{k}" for k in DEPTHS):
            was, now = (statistics.mean(run[when][what][key] for run in runs)
                        for when in ("before", "after"))  # fmt: skip
            line += f"  {key} {was:5.1f} -> {now:5.1f} ({now - was:+.1f})"
        print(line, flush=True)


if __name__ == "__main__":
    main()

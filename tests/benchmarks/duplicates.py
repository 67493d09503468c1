"""Copies of real clips that are found, by kind: ``python -m tests.benchmarks.duplicates DATA``.

Of 20 clips copies are made (encoded again, half the size, other codec, container and rate, cut,
with black bars, cropped, mirrored), and indexed with the clips and with others. For each kind: how
many are in one group with their original. Groups that join two clips are listed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

import c2v
from tests.media.make_copies import Change, Picture, encode_again, rewrap

CLIPS = 20


@dataclass(frozen=True, slots=True)
class Table:
    """What was found of the copies."""

    by_kind: dict[str, tuple[int, int]]
    """Found, of how many."""
    strangers: list[set[str]]
    """Clips that a group joins and that are not one."""
    seconds: float
    """Of looking for duplicates."""


def with_bars(picture: Picture) -> Picture:
    """Black above and below, a sixth of the height each."""
    bar = np.zeros((picture.shape[0] // 6, *picture.shape[1:]), np.uint8)
    return np.concatenate([bar, picture, bar])


def cropped(picture: Picture) -> Picture:
    """A twelfth less on every side."""
    height, width = (side // 12 for side in picture.shape[:2])
    return np.ascontiguousarray(picture[height:-height, width:-width])


def mirrored(picture: Picture) -> Picture:
    """Left is right."""
    return np.ascontiguousarray(picture[:, ::-1])


def _changed(change: Change) -> Callable[[Path, Path], Path]:
    return lambda source, target: encode_again(source, target, change)


def _cut(source: Path, target: Path) -> Path:
    """Without the first fifth and the last quarter."""
    with av.open(str(source)) as container:
        seconds = (container.duration or 0) / 1e6
    return encode_again(source, target, Change(start=0.2 * seconds, end=0.75 * seconds, crf=28))


KINDS: dict[str, tuple[str, Callable[[Path, Path], Path]]] = {
    "encoded again": (".mp4", _changed(Change(crf=32))),
    "half the size": (".mp4", _changed(Change(scale=0.5, crf=28))),
    "cut": (".mp4", _cut),
    "another container": (".mkv", rewrap),
    "MPEG-4, 0.6 of the size": (".avi", _changed(Change(codec="mpeg4", scale=0.6))),
    "12 pictures a second": (".mp4", _changed(Change(rate=12, scale=0.75, crf=30))),
    "black bars": (".mp4", _changed(Change(picture=with_bars))),
    "cropped by a twelfth": (".mp4", _changed(Change(picture=cropped))),
    "mirrored": (".mp4", _changed(Change(picture=mirrored))),
}
FOUND = tuple(KINDS)[:-2]
"""The kinds that are meant to be found."""


def copies_found(data: Path, scratch: Path, kinds: tuple[str, ...] = FOUND) -> Table:
    """Make copies of the clips below ``data`` and look for them, among all that is there."""
    clips = sorted(path for path in (data / "clips").iterdir() if path.suffix in (".mp4", ".avi"))
    others = sorted((data / "msrvtt" / "clips").glob("*.mp4"))
    origins = {str(path): path.name for path in (*clips, *others)}
    copies: dict[str, list[str]] = {kind: [] for kind in kinds}
    for number, clip in enumerate(clips[:CLIPS]):
        for kind in kinds:
            suffix, make = KINDS[kind]
            target = scratch / "copies" / f"{number} {kind}{suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            made = str(target if target.exists() else make(clip, target))
            origins[made] = clip.name
            copies[kind].append(made)
    with c2v.open(scratch / "library", model="mini") as videos:
        videos.index([Path(path) for path in origins])
        started = time.monotonic()
        found = videos.duplicates()
        seconds = time.monotonic() - started
    groups = [{video.path for video in group.videos} for group in found]
    joined = {path: {origins[one] for one in group} for group in groups for path in group}
    together = {path for group in groups for path in group if _has_origin(path, group, origins)}
    return Table(
        {kind: (len(together & set(made)), len(made)) for kind, made in copies.items()},
        [names for names in {frozenset(names) for names in joined.values()} if len(names) > 1],
        seconds,
    )


def _has_origin(path: str, group: set[str], origins: dict[str, str]) -> bool:
    return any(Path(one).name == origins[path] for one in group)


def main() -> None:
    """Print a line for each kind of copy."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path, help="folder with clips/ and msrvtt/clips/")
    options.add_argument("--scratch", type=Path, help="work here and keep the copies")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="c2v-duplicates-") as folder:
        table = copies_found(given.data, given.scratch or Path(folder), tuple(KINDS))
    for kind, (found, count) in table.by_kind.items():
        print(f"{kind:24} {found:3} of {count}")
    print(f"strangers in a group: {[sorted(names) for names in table.strangers] or 'none'}")
    print(f"looked for in {table.seconds:.0f} s")


if __name__ == "__main__":
    main()

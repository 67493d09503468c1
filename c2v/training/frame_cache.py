"""Frames for training the towers: decoded once into a file that is mapped, not read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.config import cache_dir
from c2v.encoder.bundle import Bundle
from c2v.errors import MediaError
from c2v.evaluation.stored import Missing
from c2v.files.drafts import file_draft
from c2v.files.writing import write_file
from c2v.media.picture import FrameShape
from c2v.media.published_pictures import PillowShape, sample_published
from c2v.media.published_positions import PublishedSampling
from c2v.media.sampled import sample
from c2v.media.sampling import Sampling
from c2v.media.segments import SegmentMode
from c2v.training.distributed import Group

FRAMES = 12
"""Frames of a video that the towers see (CLIP2Video and CLIP4Clip: 12)."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrames:
    """``pixels`` [M, T, side, side, 3] uint8, a file on disk; ``present`` [M, T] which could be
    read; ``row`` of each path; ``unreadable`` the videos of which there is no frame at all."""

    pixels: NDArray[np.uint8]
    present: NDArray[np.bool_]
    row: dict[str, int]
    unreadable: tuple[Missing, ...]


def decoded_frames(
    bundle: Bundle,
    paths: Sequence[str],
    *,
    first_seconds: float | None,
    group: Group,
    on_progress: Callable[[int, int], None],
    published: PublishedSampling | None = None,
) -> DecodedFrames:
    """Twelve frames of each video, evenly over it, at the size of the image tower.

    The first of several processes writes the file, the others wait for it. ``first_seconds`` is
    how much of a video counts, None for all of it. With ``published`` the frames are those that a
    paper takes, made small as there.
    """
    taken = _Taken(first_seconds, published)
    base = cache_dir() / "training" / _key(bundle, paths, taken)
    files = _Files(
        base.with_suffix(".npy"), base.with_suffix(".seen.npy"), base.with_suffix(".json")
    )
    if group.leads and not all(file.exists() for file in (files.pixels, files.seen, files.reasons)):
        _write(bundle, paths, files, taken, on_progress=on_progress)
    group.wait()
    reasons: dict[str, str] = json.loads(files.reasons.read_text(encoding="utf-8"))
    return DecodedFrames(
        pixels=np.load(files.pixels, mmap_mode="r"),
        present=np.load(files.seen),
        row={path: number for number, path in enumerate(paths)},
        unreadable=tuple(Missing(paths[int(row)], reason) for row, reason in reasons.items()),
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    """Which frames of a video."""

    first_seconds: float | None
    published: PublishedSampling | None

    @property
    def most(self) -> int:
        return FRAMES if self.published is None else self.published.max_frames


@dataclass(frozen=True, slots=True)
class _Files:
    pixels: Path
    seen: Path
    reasons: Path


def _key(bundle: Bundle, paths: Sequence[str], taken: _Taken) -> str:
    """Identifies videos, as they are now, and what is taken of them."""
    image = bundle.config.image
    key = hashlib.blake2b(digest_size=12)
    key.update(f"{image.side}/{image.resize}/{FRAMES}/{taken.first_seconds}".encode())
    if taken.published is not None:
        key.update(repr(taken.published).encode())
    for path in paths:
        status = Path(path).stat() if Path(path).exists() else None
        stamp = (status.st_size, status.st_mtime_ns) if status else (0, 0)
        key.update(f"{path}/{stamp}".encode("utf-8", "surrogateescape"))
    return key.hexdigest()


def _write(
    bundle: Bundle,
    paths: Sequence[str],
    files: _Files,
    taken: _Taken,
    *,
    on_progress: Callable[[int, int], None],
) -> None:
    files.pixels.parent.mkdir(parents=True, exist_ok=True)
    side = bundle.config.image.side
    shape = (len(paths), taken.most, side, side, 3)
    present = np.zeros(shape[:2], np.bool_)
    reasons: dict[int, str] = {}
    with file_draft(files.pixels) as draft:
        pixels = np.lib.format.open_memmap(draft, mode="w+", dtype=np.uint8, shape=shape)
        for row, path in enumerate(paths):
            try:
                _decode(bundle, path, pixels[row], present[row], taken)
            except MediaError as error:
                reasons[row] = f"cannot be read: {error.message}"
            on_progress(row + 1, len(paths))
        pixels.flush()
        del pixels  # Windows moves no file that is mapped
        np.save(files.seen, present)
        write_file(files.reasons, json.dumps(reasons))


def _decode(
    bundle: Bundle,
    path: str,
    pixels: NDArray[np.uint8],
    present: NDArray[np.bool_],
    taken: _Taken,
) -> None:
    """Fill ``pixels`` [T, side, side, 3] and ``present`` [T] with the frames of one video.

    A frame that cannot be read is left out; ``present`` says so.
    """
    image = bundle.config.image
    if taken.published is not None:
        shape = PillowShape(image.side, image.resize, image.interpolation)
        found = sample_published(Path(path), taken.published, [shape], on_problem=_left_out)
        pictures = found[shape]
        pixels[: len(pictures)], present[: len(pictures)] = pictures, True
        return
    video = sample(
        Path(path),
        Sampling(SegmentMode("whole")),
        FrameShape(image.side, image.resize),
        frames=FRAMES,
        first_seconds=taken.first_seconds,
    )
    pixels[video.frames.indices] = video.pictures
    present[video.frames.indices] = True


def _left_out(_said: str) -> None:
    """A frame that cannot be read: a video is learnt from with those that are left."""

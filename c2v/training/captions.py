"""Captions files: which sentence belongs to which video."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from c2v.errors import DataError
from c2v.training.caption_rows import read_rows
from c2v.training.video_names import VideoNames


@dataclass(frozen=True, slots=True)
class Captions:
    """Sentences with the absolute path of the video each belongs to, in the order of the file.

    A pair that stands in the file twice is kept once; ``duplicates`` says how many were dropped,
    ``incomplete`` how many rows lacked a video or a sentence. ``first_seconds`` is how much of a
    video the benchmark looks at (DiDeMo: 31 s), None for all of it. ``benchmark`` names the
    protocol when the sentences are those of a published one.
    """

    file: Path
    paths: tuple[str, ...]
    texts: tuple[str, ...]
    duplicates: int = 0
    incomplete: int = 0
    first_seconds: float | None = None
    benchmark: str = ""

    @property
    def videos(self) -> tuple[str, ...]:
        """Each video once, in the order of the file."""
        return tuple(dict.fromkeys(self.paths))

    @property
    def digest(self) -> str:
        """Identifies the pairs, wherever the videos are: BLAKE2b over names and sentences."""
        content = hashlib.blake2b(digest_size=16)
        for path, text in zip(self.paths, self.texts, strict=True):
            content.update(json.dumps([os.path.basename(path), text]).encode())  # noqa: PTH119
        return content.hexdigest()


def read_captions(file: Path, *, videos: Path | None = None) -> Captions:
    """Read a CSV, TSV, JSON or JSONL file of videos and captions.

    Video names are relative to ``videos``, or to the folder of the file. A name without an
    extension is completed by the video of that name there (below ``videos`` too, where given).
    Raises :class:`DataError` that names the file and what is wrong with it.
    """
    rows = read_rows(file)
    names = VideoNames(videos or file.parent, deep=videos is not None)
    known: dict[str, str] = {}
    pairs: list[tuple[str, str]] = []
    incomplete = 0
    for name, sentences in rows:
        if not name or not sentences:
            incomplete += 1
            continue
        path = known.get(name) or known.setdefault(name, names.path(name))
        pairs += [(path, sentence) for sentence in sentences]
    if not pairs:
        raise DataError(
            f"--data {file}: no row has both a video and a caption", hint="fill both columns"
        )
    return from_pairs(file, pairs, incomplete=incomplete)


def from_pairs(
    file: Path,
    pairs: Iterable[tuple[str, str]],
    *,
    incomplete: int = 0,
    first_seconds: float | None = None,
    benchmark: str = "",
) -> Captions:
    """Captions of (path, sentence) pairs, each pair once."""
    given = list(pairs)
    kept = list(dict.fromkeys(given))
    return Captions(
        file,
        tuple(path for path, _ in kept),
        tuple(text for _, text in kept),
        duplicates=len(given) - len(kept),
        incomplete=incomplete,
        first_seconds=first_seconds,
        benchmark=benchmark,
    )

"""Captions files: which sentence belongs to which video."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from c2v.errors import DataError
from c2v.evaluation.caption_rows import read_rows
from c2v.evaluation.video_names import VideoNames

_NOT_IN_NAMES = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")
"""A byte of a file name that is not UTF-8 is a lone surrogate from dc80 to dcff."""
_NOT_IN_TEXTS = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Captions:
    """Sentences with the absolute path of the video each belongs to, in the order of the file.

    A pair that stands in the file twice is kept once; ``duplicates`` says how many were dropped,
    ``incomplete`` how many rows lacked a video or a sentence, ``encoding`` is that of the file
    where it had to be guessed. With ``repeats`` it is kept as often as it stands there: every
    sentence of a benchmark is a query in the papers' code. ``first_seconds`` is how much of a video
    the benchmark looks at (DiDeMo: 31 s), None for all of it. ``benchmark`` names the protocol when
    the sentences are those of a published one; ``remark`` is a sentence on why they are not, though
    named so. ``names`` has, by path, how the file names a video that is not on disk where it was
    looked for and may be looked up in a library; ``unclear`` has the reason of each video for which
    a library had no single answer.
    """

    file: Path
    paths: tuple[str, ...]
    texts: tuple[str, ...]
    duplicates: int = 0
    incomplete: int = 0
    first_seconds: float | None = None
    benchmark: str = ""
    remark: str = ""
    repeats: bool = False
    encoding: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    unclear: Mapping[str, str] = field(default_factory=dict)

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

    def at(self, places: Mapping[str, str], unclear: Mapping[str, str]) -> Captions:
        """The same pairs with other paths for some videos, and the reasons of those without."""
        moved = [
            (places.get(path, path), text)
            for path, text in zip(self.paths, self.texts, strict=True)
        ]
        kept = moved if self.repeats else list(dict.fromkeys(moved))
        return replace(
            self,
            paths=tuple(path for path, _ in kept),
            texts=tuple(text for _, text in kept),
            duplicates=self.duplicates + len(moved) - len(kept),
            unclear=dict(unclear),
        )


def read_captions(file: Path, *, videos: Path | None = None) -> Captions:
    """Read a CSV, TSV, JSON or JSONL file of videos and captions.

    Video names are relative to ``videos``, or to the folder of the file. A name without an
    extension is completed by the video of that name there (below ``videos`` too, where given).
    What is not found beside the file is left for :func:`c2v.evaluation.library_names.in_library`.
    Raises :class:`DataError` that names the file and what is wrong with it.
    """
    rows, guessed = read_rows(file)
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
    absent: dict[str, str] = {}
    if videos is None:
        absent = {path: name for name, path in known.items() if not os.path.isfile(path)}  # noqa: PTH113
    return replace(from_pairs(file, pairs, incomplete=incomplete), encoding=guessed, names=absent)


def from_pairs(
    file: Path,
    pairs: Iterable[tuple[str, str]],
    *,
    incomplete: int = 0,
    first_seconds: float | None = None,
    benchmark: str = "",
    repeats: bool = False,
) -> Captions:
    """Captions of (path, sentence) pairs, each pair once unless with ``repeats``.

    Raises:
        DataError: a name or a sentence holds characters that no file name or text has.
    """
    given = list(pairs)
    for path, text in given:
        _check_characters(file, path, text)
    kept = given if repeats else list(dict.fromkeys(given))
    return Captions(
        file,
        tuple(path for path, _ in kept),
        tuple(text for _, text in kept),
        duplicates=len(given) - len(kept),
        incomplete=incomplete,
        first_seconds=first_seconds,
        benchmark=benchmark,
        repeats=repeats,
    )


def _check_characters(file: Path, path: str, text: str) -> None:
    """Refuse what JSON's escapes can say and no text is: NUL, and halves of a character."""
    odd = _NOT_IN_NAMES.search(path) or _NOT_IN_TEXTS.search(text)
    if odd is None:
        return
    what = "a NUL" if odd[0] == "\0" else f"half a character (\\u{ord(odd[0]):04x})"
    where = "the name" if odd.re is _NOT_IN_NAMES else "a caption"
    name = ascii(os.path.basename(path))  # noqa: PTH119
    raise DataError(
        f"--data {file}: {where} of the video {name} holds {what}",
        hint="take it out, or write the file again as UTF-8",
    )

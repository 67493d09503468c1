"""Captions files: which sentence belongs to which video."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from c2v.errors import DataError

VIDEO_COLUMNS = ("video", "video_id", "path", "file", "filename")
CAPTION_COLUMNS = ("caption", "sentence", "text", "description")
DELIMITERS = {".csv": ",", ".tsv": "\t"}


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

    def only(self, videos: Iterable[str]) -> Captions:
        """The pairs of these videos."""
        wanted = frozenset(videos)
        pairs = [
            (path, text)
            for path, text in zip(self.paths, self.texts, strict=True)
            if path in wanted
        ]
        return Captions(
            self.file,
            tuple(path for path, _ in pairs),
            tuple(text for _, text in pairs),
            first_seconds=self.first_seconds,
            benchmark=self.benchmark,
        )


def read_captions(file: Path, *, videos: Path | None = None) -> Captions:
    """Read a CSV, TSV, JSON (a list of objects) or JSONL file of videos and captions.

    Video names are relative to ``videos``, or to the folder of the file. A name without an
    extension is completed by the one file of that name there. Raises :class:`DataError` that
    names the file and what is wrong with it.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"--data {file}: {error.strerror}", hint="check the path") from error
    except UnicodeDecodeError as error:
        raise DataError(f"--data {file} is not UTF-8 text", hint="save it as UTF-8") from error
    rows = list(_rows(file, text))
    if not rows:
        raise DataError(f"--data {file} has no rows", hint="a header video,caption and a row each")
    video_column = _column(file, rows[0], VIDEO_COLUMNS)
    caption_column = _column(file, rows[0], CAPTION_COLUMNS)
    folder = (videos or file.parent).absolute()
    stems = _by_stem(folder)
    pairs: list[tuple[str, str]] = []
    for row in rows:
        name, caption = str(row.get(video_column) or "").strip(), row.get(caption_column)
        if name and caption is not None and str(caption).strip():
            path = os.path.normpath(stems.get(name, folder / name))
            pairs.append((path, str(caption).strip()))
    if not pairs:
        raise DataError(
            f"--data {file}: no row has both a video and a caption", hint="fill both columns"
        )
    return from_pairs(file, pairs, incomplete=len(rows) - len(pairs))


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


def _rows(file: Path, text: str) -> Iterable[Mapping[str, object]]:
    suffix = file.suffix.lower()
    if suffix in (".json", ".jsonl"):
        return _json_rows(file, text)
    if suffix in DELIMITERS:
        return csv.DictReader(text.splitlines(), delimiter=DELIMITERS[suffix])
    raise DataError(
        f"--data {file}: {suffix or 'no'} extension",
        hint="give a .csv, .tsv, .json or .jsonl file, or the name of a benchmark",
    )


def _json_rows(file: Path, text: str) -> Iterable[Mapping[str, object]]:
    try:
        if file.suffix.lower() == ".json":
            rows = json.loads(text)
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        reason = f"--data {file} is not valid JSON: {error}"
        raise DataError(reason, hint="check the file") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(
            f"--data {file} is not a list of objects", hint='[{"video": "a.mp4", "caption": "..."}]'
        )
    return rows if rows else []


def _column(file: Path, row: Mapping[str, object], names: tuple[str, ...]) -> str:
    by_name = {str(key).strip().lower(): key for key in row if key is not None}
    for name in names:
        if name in by_name:
            return by_name[name]
    raise DataError(
        f"--data {file} has no column {names[0]!r}, only {', '.join(map(str, by_name.values()))}",
        hint=f"name the columns {VIDEO_COLUMNS[0]},{CAPTION_COLUMNS[0]}",
    )


def _by_stem(folder: Path) -> dict[str, Path]:
    """Files of a folder by their name without extension, where that name is unique."""
    found: dict[str, list[Path]] = {}
    if folder.is_dir():
        for path in folder.iterdir():
            found.setdefault(path.stem, []).append(path)
    return {stem: paths[0] for stem, paths in found.items() if len(paths) == 1}

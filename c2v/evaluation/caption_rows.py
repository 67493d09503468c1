"""What stands in a captions file: CSV, TSV, JSON or JSONL to (video, sentences) rows.

JSON is a list of objects; an object with such a list under ``sentences`` or ``annotations``, as
MSR-VTT is published; or an object of sentences by video. A sentence may be a list of them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from c2v.errors import DataError
from c2v.evaluation.caption_lists import captions_in
from c2v.evaluation.caption_text import read_text
from c2v.files.reading import parse_json

VIDEO_COLUMNS = (
    "video",
    "video_id",
    "path",
    "file",
    "filename",
    "file_name",
    "video_path",
    "video_name",
    "videoid",
    "clip",
    "clip_id",
)
CAPTION_COLUMNS = ("caption", "sentence", "text", "description", "captions", "sentences", "query")
_DELIMITERS = ",;\t|"
_SEPARATOR = re.compile(r'"?sep=(?P<mark>[^"\w\s]|\t)"?[;,]*', re.IGNORECASE)
_LISTS = ("sentences", "annotations")
_HEADER_HINT = f"begin with a line that names the columns: {VIDEO_COLUMNS[0]},{CAPTION_COLUMNS[0]}"

CaptionRow = tuple[str, list[str]]
"""A video as the file names it, and its sentences; either may be empty."""


def read_rows(file: Path) -> tuple[list[CaptionRow], str]:
    """The rows of a captions file, in its order, and its encoding where that was guessed.

    Raises:
        DataError: it cannot be read, or is not what its extension says; file and line are named.
    """
    suffix = file.suffix.lower()
    if suffix not in (".csv", ".tsv", ".json", ".jsonl") and not file.is_dir():
        raise DataError(
            f"--data {file} is no captions file by its extension",
            hint="give a .csv, .tsv, .json or .jsonl file, or the name of a benchmark",
        )
    text, guessed = read_text(file)
    if suffix in (".csv", ".tsv"):
        rows = list(_table(file, text, "\t" if suffix == ".tsv" else None))
    else:
        objects = _json_lines(file, text) if suffix == ".jsonl" else _json(file, text)
        rows = _object_rows(file, objects)
    if not rows:
        raise DataError(
            f"--data {file} has no rows", hint="a header video,caption, then a row for each"
        )
    return rows, guessed


# -- tables ---------------------------------------------------------------------------------------


def _table(file: Path, text: str, delimiter: str | None) -> Iterator[CaptionRow]:
    text, said = _without_separator_line(text)
    if said or delimiter is None:
        delimiter = said or _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: tuple[int, int] | None = None
    width = 0
    try:
        for cells in reader:
            if len(cells) < 2 and not "".join(cells).strip():  # a blank line
                continue
            if columns is None:
                columns, width = _table_columns(file, cells), len(cells)
                continue
            if any(cell.strip() for cell in cells[width:]):
                raise DataError(
                    f"--data {file}, line {reader.line_num}: {len(cells)} columns, the header has "
                    f"{width}",
                    hint='put a caption with a comma in double quotes: "a dog, running"',
                )
            video, caption = (cells[at] if at < len(cells) else "" for at in columns)
            yield video.strip(), _captions(caption)
    except csv.Error as error:
        raise DataError(
            f"--data {file}, line {reader.line_num}: {error}",
            hint='a double quote inside a quoted caption is written twice: ""',
        ) from error


def _without_separator_line(text: str) -> tuple[str, str]:
    """The table, and the mark that a first line ``sep=;`` (for spreadsheets) says it has."""
    first, _, rest = text.lstrip().partition("\n")
    found = _SEPARATOR.fullmatch(first.rstrip("\r"))
    return (rest, found["mark"]) if found else (text, "")


def _delimiter(text: str) -> str:
    """The mark under which the first line has both columns; spreadsheets write semicolons too."""
    header = text.lstrip().partition("\n")[0].lower()
    for mark in _DELIMITERS:
        names = {name.strip().strip('"') for name in header.split(mark)}
        if names & set(VIDEO_COLUMNS) and names & set(CAPTION_COLUMNS):
            return mark
    return next((mark for mark in _DELIMITERS if mark in header), ",")


def _captions(said: str) -> list[str]:
    return [one.strip() for one in captions_in(said) if one.strip()]


def _table_columns(file: Path, header: list[str]) -> tuple[int, int]:
    video, caption = _columns(file, {name: name for name in header})
    return header.index(video), header.index(caption)


def _columns(file: Path, names: Mapping[str, str]) -> tuple[str, str]:
    """The columns of videos and of sentences among those there are."""
    known = {name.strip().lower(): name for name in names}
    found = []
    for wanted in (VIDEO_COLUMNS, CAPTION_COLUMNS):
        name = next((name for name in wanted if name in known), None)
        if name is None:
            there = ", ".join(name[:40] for name in list(names)[:8])
            raise DataError(
                f"--data {file} has no column {wanted[0]!r}, only {there}", hint=_HEADER_HINT
            )
        found.append(known[name])
    return found[0], found[1]


# -- JSON -----------------------------------------------------------------------------------------


def _json(file: Path, text: str) -> Any:
    if not text.strip():
        return []
    try:
        return parse_json(text)
    except ValueError as error:
        raise DataError(
            f"--data {file} is not valid JSON: {error}", hint="check the file, or write a CSV"
        ) from error


def _json_lines(file: Path, text: str) -> list[Any]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                rows.append(parse_json(line))
            except ValueError as error:
                raise DataError(
                    f"--data {file}, line {number} is not valid JSON: {error}",
                    hint='one object a line: {"video": "a.mp4", "caption": "a dog"}',
                ) from error
    return rows


def _object_rows(file: Path, content: Any) -> list[CaptionRow]:
    if isinstance(content, dict):
        inside = next((content[key] for key in _LISTS if isinstance(content.get(key), list)), None)
        if inside is None:
            return [(str(video), _sentences(file, said)) for video, said in content.items()]
        content = inside
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise DataError(
            f"--data {file} is not a list of objects", hint='[{"video": "a.mp4", "caption": "..."}]'
        )
    if not content:
        return []
    names = dict.fromkeys(str(name) for row in content for name in row)
    video, caption = _columns(file, {name: name for name in names})
    rows = []
    for row in content:
        named = row.get(video)
        if isinstance(named, dict | list):
            raise DataError(
                f"--data {file}: {video!r} is not a file name in {_shown(row)}",
                hint='{"video": "a.mp4", "caption": "a dog"}',
            )
        name = "" if named is None else str(named).strip()
        rows.append((name, _sentences(file, row.get(caption))))
    return rows


def _sentences(file: Path, value: Any) -> list[str]:
    """A sentence, or a list of them, without what is blank."""
    given = value if isinstance(value, list) else [value]
    if any(isinstance(one, dict | list | bool) for one in given):
        raise DataError(
            f"--data {file}: not a sentence: {_shown(value)}",
            hint='{"video": "a.mp4", "caption": "a dog"}',
        )
    texts = [str(one) for one in given if one is not None and one == one]  # NaN is a gap
    return [caption for text in texts for caption in _captions(text)]


def _shown(value: Any) -> str:
    """The beginning of a value, as JSON."""
    try:
        return json.dumps(value)[:80]
    except RecursionError:
        return "a value that is nested too deeply"

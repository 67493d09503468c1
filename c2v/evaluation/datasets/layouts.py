"""How each benchmark's authors laid out their files: (folder, split) -> sentences by video id.

Every reader raises :class:`DataError` that names the file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from c2v.errors import DataError
from c2v.evaluation.datasets.plain_pickle import load_plain
from c2v.files.reading import parse_json, read_plain

Read = tuple[Path, dict[str, list[str]]]

_MSRVTT_DATA = "MSRVTT_data.json"
_MSRVTT_PARTS = ("train_val_videodatainfo.json", "test_videodatainfo.json")
"""As Microsoft published it; ``MSRVTT_data.json`` is both in one."""
_VATEX_DATA = "vatex_data.json"
_VATEX_PARTS = (
    "vatex_training_v1.0.json",
    "vatex_validation_v1.0.json",
    "vatex_public_test_english_v1.1.json",
)
"""As VATEX published it; the lists of videos are those of the papers all the same."""
_LSMDC_FILES = {
    "train": ("LSMDC16_annos_training.csv",),
    "val": ("LSMDC16_annos_val.csv",),
    # The published file is really spelled so.
    "test": ("LSMDC16_challenge_1000_publictect.csv", "LSMDC16_challenge_1000_publictest.csv"),
}
_LSMDC_COLUMNS = 6


def msrvtt_9k(folder: Path, split: str) -> Read:
    """1k-A: train on 9,000 videos (all sentences), test on 1,000 sentences (Yu et al. 2018)."""
    return _msrvtt_1ka(folder, split, "MSRVTT_train.9k.csv")


def msrvtt_7k(folder: Path, split: str) -> Read:
    """1k-A tested after training on the 7,010 videos of the full split's train and val."""
    return _msrvtt_1ka(folder, split, "MSRVTT_train.7k.csv")


def msrvtt_full(folder: Path, split: str) -> Read:
    """The official split, every sentence of a video a query.

    Which video is in which part stands in the lists of CLIP2Video's repository, or in the data.
    """
    file, content = _msrvtt_data(folder)
    listed = folder / f"MSRVTT_{split}.full.csv"
    if listed.is_file():
        wanted = [row["video_id"] for row in _csv(listed, "video_id")]
    else:
        named = {"train": "train", "val": "validate", "test": "test"}[split]
        videos = _list(file, content, "videos", "video_id", "split")
        wanted = [video["video_id"] for video in videos if video["split"] == named]
    return file, _of(file, wanted, _msrvtt_sentences(file, content))


def _msrvtt_1ka(folder: Path, split: str, train: str) -> Read:
    if split == "test":
        file = _find(folder, ("MSRVTT_JSFUSION_test.csv",))
        rows = _csv(file, "video_id", "sentence")
        return file, _grouped((row["video_id"], row["sentence"]) for row in rows)
    file = _find(folder, (train,))
    wanted = [row["video_id"] for row in _csv(file, "video_id")]
    data, content = _msrvtt_data(folder)
    return file, _of(data, wanted, _msrvtt_sentences(data, content))


def _msrvtt_data(folder: Path) -> tuple[Path, Any]:
    """Videos and sentences of all parts."""
    parts = [folder / name for name in _MSRVTT_PARTS if (folder / name).exists()]
    if (folder / _MSRVTT_DATA).exists() or not parts:
        file = _find(folder, (_MSRVTT_DATA,))
        return file, _json(file)
    joined: dict[str, list[Any]] = {"videos": [], "sentences": []}
    for file in parts:
        content = _json(file)
        for key, rows in joined.items():
            rows += _list(file, content, key, "video_id")
    return parts[-1], joined


def _msrvtt_sentences(file: Path, content: Any) -> dict[str, list[str]]:
    rows = _list(file, content, "sentences", "video_id", "caption")
    return _grouped((row["video_id"], row["caption"]) for row in rows)


def msvd(folder: Path, split: str) -> Read:
    """``raw-captions.pkl``: id -> lists of words."""
    names = _lines(_find(folder, (f"{split}_list.txt",)))
    file = _find(folder, ("raw-captions.pkl",))
    content = load_plain(file)
    if not isinstance(content, dict) or not all(isinstance(x, list) for x in content.values()):
        raise DataError(f"{file} is not a table of captions", hint="take the official file")
    sentences = {
        _text(video): [_joined(file, words) for words in captions]
        for video, captions in content.items()
    }
    return file, _of(file, names, sentences)


def _joined(file: Path, words: object) -> str:
    """A sentence of a pickle: a list of words."""
    if not isinstance(words, list | tuple) or not all(isinstance(x, str | bytes) for x in words):
        raise DataError(
            f"{file}: not a sentence of words: {str(words)[:60]}", hint="take the official file"
        )
    return " ".join(map(_text, words))


def vatex(folder: Path, split: str) -> Read:
    """``vatex_data.json``: id -> {"enCap": ten sentences}, or VATEX's own lists of such entries."""
    names = _lines(_find(folder, (f"{split}_list.txt",)))
    parts = [folder / name for name in _VATEX_PARTS if (folder / name).exists()]
    if (folder / _VATEX_DATA).exists() or not parts:
        file = _find(folder, (_VATEX_DATA,))
        return file, _of(file, names, _entries(file, _json(file), "enCap"))
    sentences: dict[str, list[str]] = {}
    for file in parts:
        rows = _objects(file, _json(file), "video", "videoID")
        sentences |= _entries(file, {row["videoID"]: row for row in rows}, "enCap")
    return parts[-1], _of(parts[-1], names, sentences)


def lsmdc(folder: Path, split: str) -> Read:
    """Six columns apart by tabs: the clip first, its sentence last. A clip may have several."""
    file = _find(folder, _LSMDC_FILES[split])
    pairs = []
    for number, line in enumerate(_lines(file), start=1):
        fields = line.split("\t")
        if len(fields) != _LSMDC_COLUMNS:
            raise DataError(
                f"{file}, line {number}: {len(fields)} columns, not {_LSMDC_COLUMNS}",
                hint="take the official file",
            )
        pairs.append((fields[0], fields[-1].strip()))
    return file, _grouped(pairs)


def activitynet(folder: Path, split: str) -> Read:
    """Paragraph retrieval: the sentences of a video are joined, the whole video is looked at."""
    ids, table = ("train", "train") if split == "train" else ("val", "val_1")
    listed = _find(folder, (f"{ids}_ids.json",))
    names = _json(listed)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{listed} is not a list of videos", hint="take the official file")
    wanted = [name.removeprefix("v_") for name in names]
    file = _find(folder, (f"{table}.json",))
    sentences = {
        video.removeprefix("v_"): [" ".join(part.strip() for part in parts)]
        for video, parts in _entries(file, _json(file), "sentences").items()
    }
    return file, _of(file, wanted, sentences)


def didemo(folder: Path, split: str) -> Read:
    """Paragraph retrieval: the descriptions of a video are joined, in the order of the file."""
    names = [Path(line).stem for line in _lines(_find(folder, (f"{split}_list.txt",)))]
    file = _find(folder, (f"{split}_data.json",))
    rows = _objects(file, _json(file), "moment", "video", "description")
    parts = _grouped((Path(row["video"]).stem, row["description"].strip()) for row in rows)
    return file, _of(file, names, {video: [" ".join(texts)] for video, texts in parts.items()})


# -- reading ------------------------------------------------------------------------------------


def _find(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise DataError(f"{folder / names[0]}: no such file", hint="point --annotations to its folder")


def _read(file: Path) -> str:
    try:
        return read_plain(file).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{file} cannot be read: {reason}", hint="take the official file"
        ) from error


def _lines(file: Path) -> list[str]:
    # Not splitlines(): it also cuts at characters that subtitles contain.
    return [line.strip() for line in _read(file).split("\n") if line.strip()]


def _json(file: Path) -> Any:
    try:
        return parse_json(_read(file))
    except ValueError as error:
        raise DataError(f"{file} is not valid JSON: {error}", hint="download it again") from error


def _entries(file: Path, content: Any, key: str) -> dict[str, list[str]]:
    """An object of videos, each with a list of strings under ``key``."""
    if not isinstance(content, dict):
        raise DataError(f"{file} is not an object of videos", hint="take the official file")
    found: dict[str, list[str]] = {}
    for video, entry in content.items():
        said = entry.get(key) if isinstance(entry, dict) else None
        if not isinstance(said, list) or not all(isinstance(part, str) for part in said):
            raise DataError(
                f"{file}: video {video} has no list of sentences {key!r}",
                hint="take the official file",
            )
        found[video] = said
    return found


def _list(file: Path, content: Any, key: str, *fields: str) -> list[dict[str, Any]]:
    """``content[key]``, a list of objects whose ``fields`` are all text."""
    rows = content.get(key) if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise DataError(f"{file} has no list {key!r}", hint="take the official file")
    return _objects(file, rows, f"{key} number", *fields)


def _objects(file: Path, rows: Any, what: str, *fields: str) -> list[dict[str, Any]]:
    """``rows``, a list of objects whose ``fields`` are all text; ``what`` names one of them."""
    if not isinstance(rows, list):
        raise DataError(f"{file} is not a list", hint="take the official file")
    for number, row in enumerate(rows):
        for field in fields:
            if not isinstance(row, dict) or field not in row:
                raise DataError(
                    f"{file}: {what} {number} has no {field!r}", hint="take the official file"
                )
            if not isinstance(row[field], str):
                raise DataError(
                    f"{file}: {field!r} of {what} {number} is no text",
                    hint="take the official file",
                )
    return rows


def _csv(file: Path, *columns: str) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(_read(file), newline=""))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise DataError(
            f"{file}, line {reader.reader.line_num}: {error}", hint="take the official file"
        ) from error
    for column in columns:
        if not rows or column not in rows[0]:
            raise DataError(f"{file} has no column {column!r}", hint="take the official file")
        short = next((n for n, row in enumerate(rows, start=1) if row[column] is None), None)
        if short is not None:
            raise DataError(f"{file}: row {short} has no {column!r}", hint="take the official file")
    return rows


def _grouped(pairs: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for video, text in pairs:
        found.setdefault(video, []).append(text)
    return found


def _of(file: Path, wanted: list[str], sentences: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The sentences of the wanted videos, in their order."""
    missing = next((video for video in wanted if video not in sentences), None)
    if missing is not None:
        raise DataError(f"{file} has no sentence of video {missing}", hint="take the official file")
    return {video: sentences[video] for video in wanted}


def _text(value: object) -> str:
    """A word of a pickle written by Python 2 or 3."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

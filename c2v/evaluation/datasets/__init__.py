"""Sentences and videos to train or evaluate on: a file of one's own, or a benchmark by name.

``msrvtt-9k``, ``msrvtt-7k``, ``msrvtt-full``, ``msvd``, ``vatex``, ``lsmdc``, ``activitynet`` and
``didemo`` read the files as their authors published them. Nothing is downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from c2v.errors import DataError, UsageError
from c2v.evaluation.captions import Captions, read_captions
from c2v.evaluation.datasets.benchmarks import BENCHMARKS, OFFICIAL_FILES, Split
from c2v.nearest import one_of

__all__ = ["BENCHMARKS", "Split", "load_captions"]

SPLITS: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")


def load_captions(
    data: str,
    *,
    split: Split = "test",
    videos: Path | None = None,
    annotations: Path | None = None,
) -> Captions:
    """The pairs of ``--data``: a captions file, or one split of a benchmark.

    Args:
        data: the path of a file, or the name of a benchmark.
        split: which part of a benchmark; a file is one part, whatever it is called.
        videos: where the videos are; beside the file, or beside the annotations, if not given.
        annotations: the folder of a benchmark's own files, ``videos`` if not given.

    Raises:
        DataError: a file is absent, is not what it should be, or has another number of videos
            than the benchmark.
        UsageError: the benchmark has no such split.
    """
    for option, given in (("--videos", videos), ("--annotations", annotations)):
        if given is not None and not given.is_dir():
            raise UsageError(f"{option} {given}: no such folder", hint="check the path")
    benchmark = BENCHMARKS.get(data.lower())
    if benchmark is None:
        file = _expanded(data)
        if annotations is not None:
            raise UsageError(
                f"--annotations goes with a benchmark, not with {data}",
                hint=f"--data one of {', '.join(BENCHMARKS)}",
            )
        if not file.suffix and not _there(file):
            raise DataError(
                f"--data {data}: no such file, and no benchmark of that name",
                hint=one_of(data, BENCHMARKS, before="a captions file, or "),
            )
        try:
            return read_captions(file, videos=videos)
        except DataError as error:
            raise _explained(error, file) from error
    if annotations is None and videos is None:
        raise UsageError(
            f"--data {data} needs the folder of its files",
            hint=f"--data {data} --videos DIR [--annotations DIR]",
        )
    folder = annotations or videos
    assert folder is not None
    return benchmark.load(folder, split=split, videos=videos or folder, in_library=videos is None)


def _explained(error: DataError, file: Path) -> DataError:
    """The same error with a better hint where the file is one of a benchmark's own."""
    name = OFFICIAL_FILES.get(file.name)
    if name is None or not _there(file):
        return error
    return DataError(
        error.message,
        hint=f"it is a file of {name}: --data {name} --annotations {file.parent} --videos DIR",
    )


def _expanded(data: str) -> Path:
    try:
        return Path(data).expanduser()
    except RuntimeError as error:  # ~nobody
        raise DataError(f"--data {data}: {error}", hint="check the path") from error


def _there(file: Path) -> bool:
    try:
        return file.exists()
    except (OSError, ValueError):  # longer than any file name
        return False

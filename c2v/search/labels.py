"""Video to text: sentences ranked by how well they describe a clip."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.errors import DataError
from c2v.files.reading import STDIN_NAME, read_input

_FILE_ENDINGS = (".txt", ".csv")
LABEL_COLUMNS = ("caption", "label", "sentence", "text")


@dataclass(frozen=True, slots=True)
class RankedLabel:
    """A sentence and the cosine between it and the clip."""

    rank: int
    label: str
    score: float

    def as_dict(self) -> dict[str, Any]:
        """One of the ``results`` in the JSON of ``c2v describe``."""
        return {"rank": self.rank, "label": self.label, "score": round(self.score, 6)}


def labels_meant(text: str, *, on_notice: Callable[[str], None]) -> list[str]:
    """What a user means by ``--labels``: the lines of a file, or the labels themselves.

    A file of that name is read, whatever characters the name has; ``-`` is stdin. Of what is no
    file, a text with commas is the labels between them.

    Raises:
        DataError: neither of them, or there are no labels in it.
    """
    if not text.strip():
        raise DataError("--labels is empty", hint='--labels "a dog, a cat"')
    path = Path(text)
    looks_like_file = text.lower().endswith(_FILE_ENDINGS)
    if "," not in text or looks_like_file or _exists(path):
        if not _exists(path) and text != STDIN_NAME:
            raise DataError(
                f"--labels {text}: there is no such file",
                hint='labels themselves take commas: --labels "a dog, a cat", or "a dog," for one',
            )
        if "," in text:
            on_notice(f"--labels {text} is a file: its lines are the labels")
        return read_labels(path)
    labels = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not labels:
        raise DataError(f"--labels {text}: no labels in it", hint='--labels "a dog, a cat"')
    return labels


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name, or a NUL in it: it is none
        return False


def read_labels(path: Path) -> list[str]:
    """The sentences of a file: one a line, or a ``caption`` column of a CSV; ``-`` is stdin.

    Each sentence once, in the order of the file.

    Raises:
        DataError: there are none, or the file cannot be read as text.
    """
    try:
        text = read_input(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise DataError(
            f"--labels {path}: {reason or error}", hint="give a text file, a label a line"
        ) from error
    lines = _caption_column(text) if path.suffix.lower() == ".csv" else text.splitlines()
    labels = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not labels:
        raise DataError(f"--labels {path}: no labels in it", hint="one label a line")
    return labels


def _caption_column(text: str) -> list[str]:
    rows = csv.DictReader(text.splitlines())
    for name in rows.fieldnames or ():
        if name.strip().lower() in LABEL_COLUMNS:
            return [row[name] or "" for row in rows]
    raise DataError(
        f"the labels file has the columns {', '.join(rows.fieldnames or ())}",
        hint=f"name one of them {' or '.join(LABEL_COLUMNS)}",
    )


def rank_labels(
    bundle: Bundle, vectors: NDArray[np.float32], labels: Sequence[str]
) -> list[list[RankedLabel]]:
    """For each of the clips' vectors [N, V] the labels by descending cosine with it."""
    scores = vectors @ bundle.embed_text(labels).T  # [N, L]
    return [
        [
            RankedLabel(rank, labels[column], float(row[column]))
            for rank, column in enumerate(np.argsort(-row, kind="stable"), start=1)
        ]
        for row in scores
    ]

"""What the encoder reaches, measured once and written into the model card and the README.

Both have a table between two marks; a test compares them, so they cannot differ.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.encoder import load_bundle
from c2v.encoder.bundle import Bundle
from c2v.errors import DataError
from tests.mini.evaluate import evaluate
from tests.mini.short_queries import short_queries

BEGIN, END = "<!-- figures of mini -->", "<!-- end of the figures -->"
_SETS = (("21 real clips of many sources", 0, 21), ("22 clips of MSR-VTT", 21, 43),
         ("both sets in one gallery", 0, 43))  # fmt: skip
_HEAD = "| R@1 / R@5 / R@10 | from text | to text |\n|---|---|---|\n"


def measured_table(directory: Path, data: Path) -> str:
    """The table in Markdown, of the bundle in ``directory``.

    Args:
        directory: the bundle.
        data: the folder that holds ``flickr8k``, ``clips`` and ``msrvtt/clips``.
    """
    bundle = load_bundle(directory, device="cpu")
    photos = evaluate(bundle, data / "flickr8k")
    rows = [
        f"| Flickr8k, 1,000 test photos, five captions each | {_shown(photos.text_to_image)} "
        f"| {_shown(photos.image_to_text)} |\n"
    ]
    names, captions, vectors = _clips(bundle, [data / "clips", data / "msrvtt" / "clips"])
    scores = _asked(bundle, captions) @ vectors.T  # [43, 43]
    for title, first, last in _SETS:
        part = scores[first:last, first:last]
        own = np.arange(len(part))
        rows.append(
            f"| {title}, a caption each | {_shown(_recalls(part, own))} "
            f"| {_shown(_recalls(part.T, own))} |\n"
        )
    questions = short_queries(names)
    short = _asked(bundle, [question for question, _ in questions]) @ vectors.T
    best = np.array([row[shown].max() for row, (_, shown) in zip(short, questions, strict=True)])
    ranks = (short >= best[:, None]).sum(1)
    rows.append(
        f"| {len(questions)} questions of one or two words, the same gallery "
        f"| {_shown(_shares(ranks))} | |\n"
    )
    return _HEAD + "".join(rows)


def write_table(file: Path, table: str) -> None:
    """Put the table between the marks of a document.

    Raises:
        DataError: it has none.
    """
    text = file.read_text(encoding="utf-8")
    old = table_of(text, file)
    file.write_text(text.replace(f"{BEGIN}{old}{END}", f"{BEGIN}\n{table}{END}"), encoding="utf-8")


def table_of(text: str, file: Path) -> str:
    """What stands between the marks.

    Raises:
        DataError: there are none.
    """
    begin, end = text.find(BEGIN), text.find(END)
    if not 0 <= begin < end:
        raise DataError(f"{file} has no marks {BEGIN} ... {END}")
    return text[begin + len(BEGIN) : end]


def _clips(bundle: Bundle, folders: list[Path]) -> tuple[list[str], list[str], NDArray[np.float32]]:
    """File names, captions and vectors [N, V] as a library keeps them."""
    from c2v.indexing.query_clip import embed_clip

    names, captions, vectors = [], [], []
    for folder in folders:
        with (folder / "captions.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                names.append(row["video"])
                captions.append(row["caption"])
                vectors.append(embed_clip(folder / row["video"], bundle).vector)
    return names, captions, bundle.for_library(np.stack(vectors))


def _asked(bundle: Bundle, texts: list[str]) -> NDArray[np.float32]:
    """Questions [N, V] as a search asks them."""
    from c2v.search.ranking import text_queries

    return bundle.as_questions(np.stack([query.vector for query in text_queries(bundle, texts)]))


def _recalls(scores: NDArray[np.float32], own: NDArray[np.int64]) -> tuple[float, ...]:
    return _shares((scores >= scores[np.arange(len(scores)), own][:, None]).sum(1))


def _shares(ranks: NDArray[np.int64]) -> tuple[float, ...]:
    return tuple(100 * float((ranks <= cut).mean()) for cut in (1, 5, 10))


def _shown(recalls: tuple[float, ...]) -> str:
    return " / ".join(f"{value:.1f}".removesuffix(".0") if value == 100 else f"{value:.1f}"
                      for value in recalls)  # fmt: skip

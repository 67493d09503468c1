"""What the README and the card of ``mini`` say it reaches is what ``evaluate`` says today."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import c2v
from c2v.evaluation.retrieval import Evaluation

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CARD = ROOT / "c2v" / "encoder" / "weights" / "mini" / "README.md"
SHARED = ROOT.parent / "shared"
SETS = {"21": SHARED / "data" / "clips", "22": SHARED / "data" / "msrvtt" / "clips"}
"""Folders of real clips with captions, by how their rows begin in both texts."""


@pytest.fixture(scope="module", params=SETS)
def measured(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Evaluation]:
    """``evaluate`` over a new library of each of the sets, filled by ``mini``."""
    folder = SETS[request.param]
    if not (folder / "captions.csv").exists():
        pytest.skip(f"no {folder.relative_to(SHARED.parent)} beside the project: nothing measured")
    with c2v.open(tmp_path_factory.mktemp("figures") / "library", model="mini") as videos:
        videos.index([folder])
        (evaluation,) = videos.evaluate(str(folder / "captions.csv"))
    return request.param, evaluation


def rows(document: Path, begin: str) -> list[list[str]]:
    """Cells of the table rows that begin so, but for the first."""
    lines = re.findall(rf"^\| ({begin} [^\n]*) \|$", document.read_text("utf-8"), re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")][1:] for line in lines]


def recalls(direction: dict[str, Any]) -> list[float]:
    return [round(direction[name], 1) for name in ("R@1", "R@5", "R@10")]


def test_the_recalls_of_mini(measured: tuple[str, Evaluation]) -> None:
    name, told = measured[0], measured[1].as_dict()
    assert (told["texts"], told["videos"]) == (int(name), int(name))
    both = [recalls(told["text_to_video"]), recalls(told["video_to_text"])]
    for document in (CARD, README):
        (row,) = rows(document, name)
        assert [[float(figure) for figure in cell.split(" / ")] for cell in row] == both


@pytest.mark.parametrize("measured", ["21"], indirect=True)
def test_the_scores_of_mini(measured: tuple[str, Evaluation]) -> None:
    scores = measured[1].scores
    assert scores is not None
    own = np.arange(len(scores.paths))[None, :] == scores.owner[:, None]
    right, wrong = scores.text_to_video[own], scores.text_to_video[~own]
    words = " ".join(CARD.read_text("utf-8").split())
    sentence = re.search(
        r"the right caption scores (\S+) to (\S+), half of them (\S+) to (\S+); a wrong one up to "
        r"(\S+), 1 in 100 above (\S+)\. ",
        words,
    )
    assert sentence is not None
    said = [float(figure) for figure in sentence.groups()]
    seen = [
        right.min(),
        right.max(),
        *np.percentile(right, [25, 75]),
        wrong.max(),
        np.percentile(wrong, 99),
    ]
    assert said == pytest.approx(seen, abs=0.006)

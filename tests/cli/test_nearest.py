"""Whoever mistypes a name is told the nearest that there is, whatever kind of name it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from c2v.cli.app import run
from c2v.library import open_store


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    file = tmp_path / "captions.csv"
    file.write_text("video,caption\n" + "".join(f"{n}.mp4,{n}\n" for n in range(4)))
    return file


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("serach x", "search"),
        ("model lits", "list"),
        ("config rest", "reset"),
        ("search x --momnets", "--moments"),
        ("search x --format jsno", "json"),
        ("index . --sampling fats", "fast"),
        ("search x --strategy exat", "exact"),
        ("index . --device cdua", "cuda"),
        ("config get devise", "device"),
        ("config set devise cpu", "device"),
        ("config set precision fp23", "fp32"),
        ("search x --library flims", "films"),
        ("library delete flims --yes", "films"),
        ("model info mni", "mini"),
        ("model remove mni --yes", "mini"),
        ("model use mni", "mini"),
        ("index . --model mni", "mini"),
        ("finetune --data msrvt-9k", "msrvtt-9k"),
        ("evaluate --data CAPTIONS --protocol clip4clp", "clip4clip"),
        ("evaluate --data CAPTIONS --split tets", "test"),
    ],
)
def test_the_nearest_is_named(
    line: str, meant: str, captions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_store("films", create=True).close()
    words = [str(captions) if word == "CAPTIONS" else word for word in line.split()]
    assert run(words) != 0
    said = capsys.readouterr().err.lower()
    assert "did you mean" in said
    assert meant in said.partition("did you mean")[2]

"""What ``c2v evaluate`` prints, from scores that are made."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from c2v.cli.console import PlainConsole
from c2v.cli.evaluate_report import print_report
from c2v.cli.render import FigureFormat
from c2v.cli.session import Session
from c2v.evaluation.failures import write_page
from c2v.evaluation.intervals import recall_intervals
from c2v.evaluation.metrics import retrieval_metrics
from c2v.evaluation.published import published_rows
from c2v.evaluation.published_videos import ProtocolName
from c2v.evaluation.retrieval import Evaluation, Scores
from c2v.evaluation.stored import Missing
from c2v.services.reports import Comparison


def evaluation(
    model: str, *, captions: int = 1, good: bool = True, protocol: ProtocolName = "library"
) -> Evaluation:
    owner = np.repeat(np.arange(6), captions)
    matrix = np.eye(6)[owner] if good else np.random.default_rng(0).random((6 * captions, 6))
    texts = tuple(f"text {n}" for n in range(len(owner)))
    scores = Scores(matrix, matrix, owner, texts, tuple(f"/v/{n}.mp4" for n in range(6)))
    bounds = recall_intervals(scores.ranks(), owner)
    return Evaluation(
        model=model, metrics=retrieval_metrics(matrix, owner), texts=len(owner), videos=6,
        missing=(Missing("/v/[gone].mp4", "no such file"),), normalize="none",
        protocol=protocol, ties="optimistic",
        intervals=dict.fromkeys(("text_to_video", "video_to_text"), bounds), scores=scores,
    )  # fmt: skip


def printed(results: list[Evaluation], *, width: int, benchmark: str = "") -> tuple[str, str]:
    session = Session()
    session.__dict__["out"] = PlainConsole(file=io.StringIO(), width=width)
    session.__dict__["err"] = PlainConsole(file=io.StringIO(), width=width)
    print_report(session, Comparison(tuple(results), published_rows(benchmark)), FigureFormat.TABLE)
    return session.out.file.getvalue(), session.err.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [60, 120])
def test_models_side_by_side_with_intervals(width: int) -> None:
    results = [evaluation("mini"), evaluation("a-model-of-mine", good=False)]
    out, err = printed(results, width=width)
    lines = out.splitlines()
    assert all(len(line) <= width for line in lines)
    assert "…" not in out, "no figure is cut"
    for word in ("text to video", "video to text", "R@50", "MdR", "100.0", "100-100"):
        assert word in out
    assert "all captions" not in out, "one caption a video: both conventions are one"
    assert "skipped, no such file: /v/[gone].mp4" in err


def test_both_conventions_are_labelled_and_published_rows_named() -> None:
    out, err = printed([evaluation("mini", captions=3)], width=160, benchmark="msvd")
    assert "published rows rank all 7 videos; with 1 missing the others are easier" in err
    assert "best caption of each video" in out
    assert "all captions as candidates" in out
    assert "README of CryhanFang/CLIP2Video" in out


@pytest.mark.parametrize("protocol", ["library", "clip4clip", "clip2video"])
def test_published_rows_stand_beside_a_result_only_if_measured_like_it(
    protocol: ProtocolName, capsys: pytest.CaptureFixture[str]
) -> None:
    result = evaluation("mini", captions=3, protocol=protocol)
    out, err = printed([result], width=160, benchmark="msvd")
    first = out.split("video to text")[0].splitlines()
    print_report(
        Session(quiet=True), Comparison((result,), published_rows("msvd")), FigureFormat.JSON
    )
    content = json.loads(capsys.readouterr().out)
    assert content["protocol"] == protocol
    for row in content["published"]:
        alike = row["protocol"] == protocol
        assert row["measured_another_way"] is not alike
        label = f"{row['model']} ("
        (line,) = [line for line in first if label in line]
        assert line.startswith("measured another way: ") is not alike
    for other in {"clip4clip", "clip2video"} - {protocol}:
        assert other in err
    assert (f"--protocol {protocol}" in err) is False


def test_csv_and_json_lines_have_a_row_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    results = [evaluation("mini", captions=2), evaluation("mine", captions=2, good=False)]
    print_report(Session(quiet=True), Comparison(tuple(results), ()), FigureFormat.CSV)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["model"], row["direction"]) for row in rows] == [
        (model, direction)
        for model in ("mini", "mine")
        for direction in ("text_to_video", "video_to_text", "video_to_text_by_caption")
    ]
    assert float(rows[0]["R@1_low"]) <= float(rows[0]["R@1"]) == 100
    print_report(Session(quiet=True), Comparison(tuple(results), ()), FigureFormat.JSONL)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["model"] for line in lines] == ["mini", "mine"]


def test_a_page_without_failures_says_so(tmp_path: Path) -> None:
    write_page(evaluation("mini"), tmp_path / "page.html")
    assert "no failures" in (tmp_path / "page.html").read_text()

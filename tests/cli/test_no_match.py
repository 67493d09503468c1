"""What the command line says and does when nothing matches, and about questions that are odd."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from c2v.errors import EXIT_NO_MATCH

Run = Any
NONE = "a lion chasing a zebra"


@pytest.fixture(scope="module")
def ask(c2v: Run, demo_library: Path) -> Run:
    """Search the library of the demo's videos: ``ask(CODE, ARGUMENTS)``."""
    return lambda code, *words: c2v("search", *words, "-L", demo_library, code=code)


def test_nothing_matches_is_said_in_words_and_by_the_exit_code(ask: Run) -> None:
    done = ask(EXIT_NO_MATCH, NONE)
    assert done.stdout == ""
    assert f'nothing here matches "{NONE}"; closest: ' in done.stderr
    assert "--all shows 10 weak rows" in done.stderr


@pytest.mark.parametrize("style", ["csv", "paths", "paths0"])
def test_formats_for_programs_leave_weak_rows_out(ask: Run, style: str) -> None:
    rows = ask(EXIT_NO_MATCH, NONE, "-f", style).stdout
    assert rows == ("" if style != "csv" else CSV_HEAD)
    assert len(ask(EXIT_NO_MATCH, NONE, "-f", style, "--all").stdout) > len(rows)


CSV_HEAD = "rank,path,score,confidence,start,end,best,duration\n"


def test_json_holds_all_rows_with_confidence(ask: Run) -> None:
    content = json.loads(ask(EXIT_NO_MATCH, NONE, "-f", "json").stdout)
    assert list(content)[-2:] == ["matched", "results"]
    assert content["matched"] is False
    assert len(content["results"]) == 10
    assert list(content["results"][0])[:4] == ["rank", "path", "score", "confidence"]
    lines = ask(EXIT_NO_MATCH, NONE, "-f", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == content["results"]


def test_all_marks_weak_rows_by_a_word(ask: Run) -> None:
    done = ask(EXIT_NO_MATCH, NONE, "--all")
    assert sum(line.rstrip().endswith("weak") for line in done.stdout.splitlines()) == 10


def test_a_match_ends_with_0_and_shows_what_matches(ask: Run) -> None:
    done = ask(0, "a motorcycle", "-f", "csv")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert rows[0]["path"].endswith("garage.mp4")
    assert all(float(row["confidence"]) >= 0.5 for row in rows)
    assert len(rows) < 10
    assert "weak row" in ask(0, "a motorcycle").stderr


def test_a_score_that_nothing_reaches_is_no_match(ask: Run) -> None:
    assert (
        "nothing here matches" in ask(EXIT_NO_MATCH, "a motorcycle", "--min-score", "0.99").stderr
    )


def test_a_batch_ends_with_0(ask: Run, tmp_path: Path) -> None:
    (tmp_path / "questions").write_text(f"a motorcycle\n{NONE}\n")
    done = ask(0, "--batch", tmp_path / "questions", "-f", "jsonl")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["matched"] for answer in answers] == [True, False]
    assert all(len(answer["results"]) == 10 for answer in answers)


def test_words_that_mini_does_not_know_are_named(ask: Run) -> None:
    assert "mini does not know: собака" in ask(None, "a собака").stderr
    for known in ("Zoë and Łukasz in a café", "José’s naïve façade", "a dog"):
        assert "does not know" not in ask(None, known).stderr


def test_a_text_that_was_cut_is_said(ask: Run) -> None:
    assert "the end of it was not read" in ask(None, "a dog " * 100).stderr
    assert "was not read" not in ask(None, "a dog " * 50).stderr


def test_a_question_that_is_a_file_gets_a_hint(ask: Run, demo_videos: Path) -> None:
    clip = str(demo_videos / "garage.mp4")
    assert f"c2v search --video {clip}" in ask(None, clip).stderr


def test_explained_confidence_is_that_of_the_rows(ask: Run) -> None:
    words = ("a motorcycle", "--not", "a garage", "--explain", "-f", "json")
    done = ask(0, *words)
    assert "question: a motorcycle x 1, a garage x -0.4" in done.stderr
    assert f"compared with {len(json.loads(ask(0, *words, '-n', '99').stdout)['results'])} " in (
        done.stderr
    )  # each video is one segment here
    slope, offset = re.search(r"-\((\S+) x score (\S+)\)\)\)", done.stderr).groups()  # type: ignore[union-attr]
    for row in json.loads(done.stdout)["results"]:
        logit = float(slope) * row["score"] + float(offset)
        assert row["confidence"] == pytest.approx(1 / (1 + math.exp(-logit)), abs=5e-3)


def test_words_that_are_said_are_explained_too(ask: Run) -> None:
    assert "BM25" in ask(EXIT_NO_MATCH, "--said", "engine", "--explain").stderr

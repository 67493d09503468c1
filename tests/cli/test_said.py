"""``c2v search --said`` as a user meets it: lines alone, near what is seen, in every format."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import c2v as package
from c2v.errors import UsageError

Run = Callable[..., subprocess.CompletedProcess[str]]
KEYS = ["rank", "path", "score", "start", "end", "best", "duration", "said"]


@pytest.fixture(scope="module")
def place(c2v: Run, videos: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a long video and two short ones, all with subtitles, and their library."""
    folder = tmp_path_factory.mktemp("said")
    (folder / "videos").mkdir()
    long = [(n, n + 1.5, f"number {n}") for n in range(2, 58, 4)]
    long[3] = (14.0, 15.5, "a very happy <i>birthday</i> to you")
    long[10] = (42.0, 43.5, "Happy birthday!")
    videos.make_subtitled(folder / "videos" / "long.mkv", long, seconds=60)
    videos.make_subtitled(
        folder / "videos" / "short.mp4",
        ((1.0, 2.0, "Cr\u00e8me br\u00fbl\u00e9e"),), codecs=["mov_text"], group=3,
    )  # fmt: skip
    videos.make_video(folder / "videos" / "third.mp4", count=30, rate=5, size=(80, 80))
    (folder / "videos" / "third.srt").write_bytes(
        "1\n00:00:02,000 --> 00:00:03,000\nbirthday \u00e0 la carte\n".encode("cp1252")
    )
    done = c2v("index", folder / "videos", "-L", folder / "library", "--model", "mini")
    assert "16 lines of subtitles" in done.stdout
    assert "third.srt: is not UTF-8, read as cp1252" in done.stderr
    return folder


def rows(c2v: Run, place: Path, *words: str) -> list[dict[str, Any]]:
    out = c2v("search", *words, "-L", place / "library", "-f", "json").stdout
    found: list[dict[str, Any]] = json.loads(out)["results"]
    return found


def test_lines_alone(c2v: Run, place: Path) -> None:
    out = c2v("search", "--said", "happy birthday", "-L", place / "library", "-f", "json").stdout
    answer = json.loads(out)
    assert (answer["query"], answer["strategy"], answer["model"]) == (
        "happy birthday", "said", "mini",
    )  # fmt: skip
    (row,) = answer["results"]
    assert list(row) == KEYS
    assert row["said"] == {"text": "Happy birthday!", "start": 42.0, "end": 43.5}
    assert (row["start"], row["end"], row["best"]) == (41.0, 44.5, 42.0)
    every = rows(c2v, place, "--said", "happy birthday", "--moments")
    assert [row["said"]["start"] for row in every] == [42.0, 14.0]
    (row,) = rows(c2v, place, "--said", "creme BRULEE")
    assert Path(row["path"]).name == "short.mp4"


def test_every_format_has_the_line(c2v: Run, place: Path) -> None:
    def shown(style: str, *words: str) -> str:
        words = words or ("--said", "birth*", "--moments")
        return c2v("search", *words, "-L", place / "library", "-f", style).stdout

    lines = [json.loads(line) for line in shown("jsonl").splitlines()]
    assert {line["said"]["text"] for line in lines} == {
        "Happy birthday!", "a very happy birthday to you", "birthday \u00e0 la carte",
    }  # fmt: skip
    cells = list(csv.DictReader(shown("csv").splitlines()))
    assert list(cells[0]) == KEYS
    assert [cell["said"] for cell in cells] == [line["said"]["text"] for line in lines]
    table = shown("table")
    assert "00:42 Happy birthday!" in table
    assert len(shown("paths").splitlines()) == 2
    assert "#EXTM3U" in shown("m3u")
    plain = list(csv.DictReader(shown("csv", "numbers").splitlines()))
    assert list(plain[0]) == KEYS[:-1]
    assert "said" not in json.loads(shown("jsonl", "numbers").splitlines()[0])


def test_what_is_seen_is_found_near_the_line(c2v: Run, place: Path) -> None:
    """The question ranks; what was not said is not there, however alike it looks."""
    found = rows(c2v, place, "a red square", "--said", '"happy birthday"', "--moments")
    assert {Path(row["path"]).name for row in found} == {"long.mkv"}
    for row in found:
        line = row["said"]
        assert line["text"] in ("Happy birthday!", "a very happy birthday to you")
        assert max(line["start"] - row["end"], row["start"] - line["end"]) <= 5.0
    assert len(rows(c2v, place, "a red square", "--said", "birthday")) == 2
    assert [row["score"] for row in found] == sorted((r["score"] for r in found), reverse=True)
    assert all(row["score"] < 0.9 for row in found), "the score is the question's"
    picture = rows(c2v, place, "--like", "1", "--said", "creme")
    assert [row["said"]["text"] for row in picture] == ["Cr\u00e8me br\u00fbl\u00e9e"]


def test_filters_count(c2v: Run, place: Path) -> None:
    words = ("--said", "birthday")
    assert len(rows(c2v, place, *words)) == 2
    assert [Path(row["path"]).name for row in rows(c2v, place, *words, "--ext", "mp4")] == [
        "third.mp4"
    ]
    assert rows(c2v, place, *words, "--min-duration", "1:30") == []
    done = c2v("search", *words, "--in", "*.mkv", "-L", place / "library")
    assert "1 of 3 videos passed the filters" in done.stderr
    done = c2v("search", *words, "--in", "nowhere", "-L", place / "library")
    assert "--in nowhere: no video of the library is there" in done.stderr


@pytest.mark.parametrize(
    "text", ['"', "*", "NEAR(", "words:x", "\U0001f382", "-x", "a OR", "^", "%"]
)
def test_no_question_is_an_error(c2v: Run, place: Path, text: str) -> None:
    done = c2v("search", "--said", text, "-L", place / "library")
    assert "nothing found" in done.stderr


def test_an_empty_question_is_one_of_usage(c2v: Run, place: Path) -> None:
    done = c2v("search", "--said", " ", "-L", place / "library", code=2)
    assert done.stderr.splitlines()[0] == "error: --said is empty"
    with package.open(place / "library") as library, pytest.raises(UsageError, match="--said"):
        library.search("a dog", said="")


def test_a_batch_is_asked_near_the_line(c2v: Run, place: Path) -> None:
    questions = place / "questions.txt"
    questions.write_text("a red square\nnumbers\n")
    words = ("search", "--batch", questions, "--said", "creme", "-L", place / "library", "-f")
    answers = [json.loads(line) for line in c2v(*words, "jsonl").stdout.splitlines()]
    assert [[row["said"]["start"] for row in one["results"]] for one in answers] == [[1.0], [1.0]]
    cells = list(csv.DictReader(c2v(*words, "csv").stdout.splitlines()))
    assert [(cell["query"], cell["said"][:2]) for cell in cells] == [
        ("a red square", "Cr"), ("numbers", "Cr"),
    ]  # fmt: skip


def test_no_encoder_is_loaded_for_words(run_python: Run, place: Path) -> None:
    script = (
        "import sys; from c2v.cli.app import run; code = run(sys.argv[1:]); "
        "print(code, *sorted({'av', 'onnxruntime', 'torch', 'c2v.encoder.towers'} "
        "& set(sys.modules)), file=sys.stderr)"
    )
    done = run_python("-c", script, "search", "--said", "birthday", "-L", place / "library")
    assert done.stderr.splitlines()[-1] == "0"


def test_status_counts_lines(c2v: Run, place: Path) -> None:
    found = json.loads(c2v("status", "-L", place / "library", "-f", "json").stdout)
    assert (found["lines"], found["subtitles_without_text"]) == (16, 0)
    assert "16 lines" in c2v("status", "-L", place / "library").stdout


def test_a_library_without_subtitles_says_so(c2v: Run, videos: ModuleType, tmp_path: Path) -> None:
    videos.make_subtitled(tmp_path / "a.mkv", ((1.0, 2.0, "words"),))
    library = tmp_path / "library"
    c2v("index", tmp_path / "a.mkv", "-L", library, "--model", "mini", "--no-subtitles")
    done = c2v("search", "--said", "words", "-L", library)
    assert "no subtitles are in this library" in done.stderr
    c2v("index", tmp_path / "a.mkv", "-L", library)
    assert "words" in c2v("search", "--said", "words", "-L", library).stdout


def test_in_python(place: Path) -> None:
    with package.open(place / "library") as library:
        (moment,) = library.search(said="happy birthday")
        assert moment.said is not None
        assert (moment.said.text, moment.best) == ("Happy birthday!", 42.0)
        (near,) = library.search("a red square", said="happy birthday")
        assert near.said is not None
        assert near.score < 0.9

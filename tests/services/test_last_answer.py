"""What is kept of the last answer of a library: ids and times, never the question."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import c2v
from c2v.cli.app import run
from c2v.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("C2V_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def library(filled: Path, tmp_path: Path) -> Path:
    """A library that the test may change."""
    return Path(shutil.copytree(filled, tmp_path / "library"))


def test_results_of_the_last_search_are_told_by_their_rank(library: Path) -> None:
    assert run(["search", "a rocket", "-L", str(library), "-f", "paths"]) in (0, 5)
    assert run(["search", "a motorcycle", "-L", str(library), "-f", "paths"]) == 0
    with c2v.open(library) as videos:
        answer = videos.search("a motorcycle")
        for moment in answer:
            kept = videos.last(moment.rank)
            assert (kept.path, kept.video_id) == (moment.path, moment.video_id)
            assert kept.start == pytest.approx(moment.start, abs=1e-3)
            assert kept.end == pytest.approx(moment.end, abs=1e-3)
            assert kept.best == pytest.approx(moment.best, abs=1e-3)
            assert kept.duration == moment.duration


def test_a_clip_as_the_question_is_kept_too_and_a_batch_is_not(
    library: Path, clips: Path, tmp_path: Path
) -> None:
    garage = str(clips / "garage.mp4")
    assert run(["search", "--video", garage, "-n", "1", "-L", str(library), "-f", "json"]) == 0
    lines = tmp_path / "lines.txt"
    lines.write_text("a rocket\n")
    assert run(["search", "--batch", str(lines), "-L", str(library), "-f", "paths"]) == 0
    with c2v.open(library) as videos:
        assert videos.last(1).path == garage
        with pytest.raises(DataError, match=r"^the last search had 1 result$"):
            videos.last(2)


def test_neither_the_sentence_nor_a_path_is_on_disk(library: Path, home: Path, clips: Path) -> None:
    assert run(["search", "a secret motorcycle", "-L", str(library), "-f", "paths"]) in (0, 5)
    (kept,) = (home / "cache" / "last").iterdir()
    rows = json.loads(kept.read_text())
    assert len(rows) == 3
    assert all(len(row) == 4 and all(isinstance(one, (int, float)) for one in row) for row in rows)
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"secret" not in content
            assert str(clips).encode() not in content


def test_what_is_not_there_is_said_in_a_sentence(library: Path) -> None:
    with c2v.open(library) as videos:
        with pytest.raises(DataError, match=r"^there is no last search in this library$"):
            videos.last(1)
        answer = videos.search("a rocket")
        videos.keep(answer)
        with pytest.raises(DataError, match=r"^the last search had 3 results$"):
            videos.last(4)
        with pytest.raises(UsageError, match="counted from 1"):
            videos.last(0)
        videos.remove(answer[1].path)
        with pytest.raises(DataError, match=r"^result 2 is no longer in the library$"):
            videos.last(2)
        assert videos.last(3).path == answer[2].path


def test_a_library_made_anew_has_no_last_answer(library: Path, clips: Path) -> None:
    with c2v.open(library) as videos:
        videos.keep(videos.search("a rocket"))
    shutil.rmtree(library)
    with c2v.open(library, model="mini") as videos:
        videos.index(clips / "garage.mp4")
        with pytest.raises(DataError, match="no last search"):
            videos.last(1)


@pytest.mark.parametrize("damage", [b"", b"[[1]]", b"{", b"[[null, 0, 1, 0]]", b"\xff", b"7"])
def test_a_damaged_file_is_no_answer(library: Path, home: Path, damage: bytes) -> None:
    with c2v.open(library) as videos:
        videos.keep(videos.search("a rocket"))
        (kept,) = (home / "cache" / "last").iterdir()
        kept.write_bytes(damage)
        with pytest.raises(DataError, match="no last search"):
            videos.last(1)


def test_a_cache_that_cannot_be_written_is_one_notice(
    library: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "last").write_text("a file where the folder has to be")
    assert run(["search", "a rocket", "-L", str(library), "-f", "jsonl"]) in (0, 5)
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 3
    assert len(shown.err.splitlines()) == 1
    assert "not kept for play" in shown.err


def test_a_moved_video_is_found_where_it_is(
    library: Path, clips: Path, tmp_path: Path, make_copy: Callable[[Path], Path]
) -> None:
    folder = make_copy(clips)
    with c2v.open(tmp_path / "other", model="mini") as videos:
        videos.index(folder)
        answer = videos.search("a rocket")
        videos.keep(answer)
        first = Path(answer[0].path)
        first.rename(folder / "another name.mp4")
        videos.index(folder)
        assert videos.last(1).path == str(folder / "another name.mp4")


@pytest.fixture
def make_copy(tmp_path: Path) -> Callable[[Path], Path]:
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "copy"))

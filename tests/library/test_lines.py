"""The index of words in SQLite: where there is none, where it is behind, how much it costs."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from c2v.errors import C2VError, LibraryError
from c2v.library import Filter, Line, SaidWords, SubtitleData, SubtitleState
from c2v.library.sqlite.line_table import LineTable
from c2v.library.sqlite.store import SqliteStore

from .conftest import MODEL, segments, unit_rows, video

WHERE = Filter(said=(SaidWords("birthday"),))
SPOKEN = SubtitleData(SubtitleState(""), (Line(0.0, 1.0, "Happy birthday"),))


@pytest.fixture
def without_fts5(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a build of SQLite without it: every build that tests run with has it."""
    monkeypatch.setattr(LineTable, "can_index", property(lambda _self: False))


def found(library: SqliteStore) -> list[str]:
    return [one.path for one in library.said(WHERE, limit=9)]


@pytest.mark.usefixtures("without_fts5")
def test_without_fts5_everything_else_goes_on(folder: Path) -> None:
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        key = library.put_video(video("/a.mp4"), segments(unit_rows(2)))
        assert not library.keeps_lines
        with pytest.raises(LibraryError, match="without FTS5"):
            library.write_subtitles(key, [SPOKEN])
        assert library.subtitles() == {}
        assert found(library) == []
        assert library.nearest(unit_rows(1), 1).segment_ids.shape == (1, 1)
        assert library.remove_videos([key]) == 1


def test_a_library_with_lines_is_of_use_without_fts5(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        keys = [library.put_video(video(f"/{n}.mp4"), segments(unit_rows(2))) for n in range(3)]
        for key in keys:
            library.write_subtitles(key, [SPOKEN])
    with monkeypatch.context() as missing, SqliteStore.open(folder) as library:
        missing.setattr(LineTable, "can_index", property(lambda _self: False))
        with pytest.raises(LibraryError, match="without FTS5") as caught:
            found(library)
        assert "another Python" in caught.value.hint
        with pytest.raises(LibraryError, match="without FTS5"):
            library.nearest(unit_rows(1), 1, where=WHERE)
        library.remove_videos(keys[:1])
        library.copy_video(keys[1], path="/3.mp4", size_bytes=1, mtime_ns=1)
        assert library.counts().lines == 2
    with SqliteStore.open(folder) as library:
        assert found(library) == ["/1.mp4", "/2.mp4"], "a line that is gone was found"
        key = library.put_video(video("/4.mp4"), segments(unit_rows(2)))
        library.write_subtitles(key, [SubtitleData(SubtitleState(""), (Line(0, 1, "no cake"),))])
        assert found(library) == ["/1.mp4", "/2.mp4"], "words of a line that is gone became another"
        library.write_subtitles(key, [SPOKEN])
        assert found(library) == ["/1.mp4", "/2.mp4", "/4.mp4"]
        assert library.problems() == []


def test_the_index_is_made_with_the_first_line(folder: Path) -> None:
    def tables() -> set[str]:
        connection = sqlite3.connect(folder / "library.db")
        rows = connection.execute("SELECT name FROM sqlite_master").fetchall()
        connection.close()
        return {name for (name,) in rows}

    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        key = library.put_video(video("/a.mp4"), segments(unit_rows(2)))
        library.write_subtitles(key, [SubtitleData(SubtitleState(""))])
        assert "line_word" not in tables()
        library.write_subtitles(key, [SPOKEN])
        assert "line_word" in tables()


def test_a_write_that_fails_leaves_lines_and_words_as_they_were(folder: Path) -> None:
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        key = library.put_video(video("/a.mp4"), segments(unit_rows(2)))
        library.write_subtitles(key, [SPOKEN])
        lines = SubtitleData(SubtitleState("a.srt"), (Line(0, 1, "new birthday"),))
        with pytest.raises(LibraryError, match="no video"):
            library.write_subtitles(key + 1, [lines])
        assert found(library) == ["/a.mp4"]
        nothing: Any = None
        wrong = SubtitleData(SubtitleState("b.srt"), (Line(0, 1, nothing),))
        with pytest.raises(C2VError, match=r"line\.text"):
            library.write_subtitles(key, [lines, wrong])
        assert [one.line.text for one in library.said(WHERE, limit=9)] == ["Happy birthday"]
        assert library.counts().lines == 1
        assert library.problems() == []

"""Lines of subtitles in the database, and the index of their words (SQLite's FTS5).

The index holds no text of its own and is told of every line that comes and goes. It is made with
the first line. In a build of SQLite without FTS5 no line is kept, and a question is answered with a
sentence; nothing else depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from c2v.errors import LibraryError
from c2v.library.lines import Line, SaidLine, SaidWords, SubtitleData, SubtitleState
from c2v.library.sqlite.database import Database, Row
from c2v.library.sqlite.paths import decode_path, encode_path

_MAKE_INDEX = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS line_word USING fts5(words, content = '', "
    "tokenize = \"unicode61 remove_diacritics 2 categories 'L* N* Co M*'\")"
)
_SOME = 500
_Ids = NDArray[np.int64]


class LineTable:
    """Reads and writes of ``subtitle`` and ``line``; the caller opens the transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self) -> dict[int, list[SubtitleState]]:
        """What was read of each video, by its id."""
        states: dict[int, list[SubtitleState]] = {}
        for video_id, path, size_bytes, mtime_ns in self._database.all(
            "SELECT video_id, path, size_bytes, mtime_ns FROM subtitle ORDER BY video_id, path"
        ):
            state = SubtitleState(decode_path(path), size_bytes, mtime_ns)
            states.setdefault(video_id, []).append(state)
        return states

    def write(self, video_id: int, subtitle: SubtitleData) -> None:
        """Store lines in place of those that were read of the same file before."""
        state = subtitle.state
        self.forget(video_id, [state.path])
        if subtitle.lines:
            if not self.can_index:
                raise _no_fts5()
            self._database.execute(_MAKE_INDEX)
        cursor = self._database.execute(
            "INSERT INTO subtitle (video_id, path, size_bytes, mtime_ns, without_text) "
            "VALUES (?, ?, ?, ?, ?)",
            video_id,
            encode_path(state.path),
            state.size_bytes,
            state.mtime_ns,
            subtitle.without_text,
        )
        self._add(int(cursor.lastrowid or 0), subtitle.lines)

    def _add(self, subtitle_id: int, lines: Sequence[Line]) -> None:
        if not lines:
            return
        from c2v.library.sqlite.words import words_of  # nothing of it in a search for pictures

        last = self._database.all("SELECT seq FROM sqlite_sequence WHERE name = 'line'")
        first = (int(last[0][0]) if last else 0) + 1
        self._database.execute_many(
            "INSERT INTO line VALUES (?, ?, ?, ?, ?)",
            (
                (key, subtitle_id, line.start_seconds, line.end_seconds, line.text)
                for key, line in enumerate(lines, start=first)
            ),
        )
        self._database.execute_many(
            "INSERT INTO line_word (rowid, words) VALUES (?, ?)",
            ((key, words_of(line.text)) for key, line in enumerate(lines, start=first)),
        )

    def copy(self, from_video: int, to_video: int) -> None:
        """Give a video the subtitles of another one."""
        if not self.can_index:
            return  # they are read when it can
        for key, path, size_bytes, mtime_ns, without_text in self._database.all(
            "SELECT id, path, size_bytes, mtime_ns, without_text FROM subtitle WHERE video_id = ?",
            from_video,
        ):
            lines = self._database.all(
                "SELECT start_seconds, end_seconds, text FROM line WHERE subtitle_id = ? "
                "ORDER BY id",
                key,
            )
            state = SubtitleState(decode_path(path), size_bytes, mtime_ns)
            data = SubtitleData(state, tuple(Line(*row) for row in lines), without_text)
            self.write(to_video, data)

    def forget(self, video_id: int, paths: Iterable[str] | None = None) -> None:
        """Forget what was read of these files of a video, or of all: lines and their words."""
        rows = self._database.all("SELECT id, path FROM subtitle WHERE video_id = ?", video_id)
        wanted = None if paths is None else {encode_path(path) for path in paths}
        is_indexed = bool(rows) and self._has_index() and self.can_index
        for key, path in rows:
            if wanted is None or path in wanted:
                if is_indexed:
                    from c2v.library.sqlite.words import words_of

                    lines = self._database.all(
                        "SELECT id, text FROM line WHERE subtitle_id = ?", key
                    )
                    self._database.execute_many(
                        "INSERT INTO line_word (line_word, rowid, words) VALUES ('delete', ?, ?)",
                        ((line, words_of(text)) for line, text in lines),
                    )
                self._database.execute("DELETE FROM subtitle WHERE id = ?", key)

    def forget_all(self) -> None:
        """Forget all subtitles of all videos."""
        if self._has_index() and self.can_index:
            self._database.execute("INSERT INTO line_word (line_word) VALUES ('delete-all')")
        self._database.execute("DELETE FROM subtitle")

    def counts(self) -> tuple[int, int]:
        """How many lines there are, and how many subtitles without text."""
        (lines,) = self._database.all("SELECT count(*) FROM line")[0]
        (without,) = self._database.all("SELECT coalesce(sum(without_text), 0) FROM subtitle")[0]
        return lines, without

    # -- asking ---------------------------------------------------------------------------------

    def said(self, words: Sequence[SaidWords], passing: set[int] | None) -> Iterator[SaidLine]:
        """Lines with all of these words, the best first, of videos that pass (None: of all).

        Raises:
            LibraryError: this SQLite cannot look for words.
        """
        for some in self._matches(words):
            # SQLite says nothing of the order in which rows of a join come.
            rows = {row[0]: row[1:] for row in self._joined([key for (key,) in some])}
            for (key,) in some:
                # What is left of a line that was taken away without the index is no line.
                if key in rows and (passing is None or rows[key][0] in passing):
                    video_id, path, seconds, *line = rows[key]
                    yield SaidLine(video_id, decode_path(path), seconds, Line(*line))

    def near(self, words: Sequence[SaidWords], *, seconds: float) -> tuple[_Ids, _Ids]:
        """Ids, ascending, of the videos with such a line, and of their segments that are no further
        than ``seconds`` from one.

        Raises:
            LibraryError: this SQLite cannot look for words.
        """
        times: dict[int, list[tuple[float, float]]] = {}
        for one in self.said(words, None):
            line = one.line
            times.setdefault(one.video_id, []).append((line.start_seconds, line.end_seconds))
        lines = {key: np.array(sorted(some)) for key, some in times.items()}
        # Until when one of the first n lines goes on.
        until = {key: np.maximum.accumulate(some[:, 1]) for key, some in lines.items()}
        rows = self._database.all_in(
            "SELECT video_id, id, start_seconds, end_seconds FROM segment WHERE video_id IN",
            sorted(lines),
        )
        found = []
        for video_id, key, start, end in rows:
            begun = int(np.searchsorted(lines[video_id][:, 0], end + seconds))
            if begun and until[video_id][begun - 1] > start - seconds:
                found.append(key)
        return np.array(sorted(lines), np.int64), np.array(sorted(found), np.int64)

    def _joined(self, line_ids: Sequence[int]) -> Iterator[Row]:
        return self._database.all_in(
            "SELECT line.id, video.id, video.path, video.duration_seconds, line.start_seconds, "
            "line.end_seconds, line.text FROM line "
            "JOIN subtitle ON subtitle.id = line.subtitle_id "
            "JOIN video ON video.id = subtitle.video_id WHERE line.id IN",
            line_ids,
        )

    def _matches(self, words: Sequence[SaidWords]) -> Iterator[list[Row]]:
        """Ids of lines, a few hundred at a time."""
        from c2v.library.sqlite.words import match_of

        match = match_of(words)
        if not match or not self._has_index():
            return
        if not self.can_index:
            raise _no_fts5()
        yield from self._database.each(
            "SELECT rowid FROM line_word WHERE line_word MATCH ? ORDER BY rank, rowid",
            match,
            rows=_SOME,
        )

    def _has_index(self) -> bool:
        return bool(self._database.all("SELECT 1 FROM sqlite_master WHERE name = 'line_word'"))

    @property
    def can_index(self) -> bool:
        """Whether this SQLite can look for words."""
        return bool(self._database.all("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'"))


def _no_fts5() -> LibraryError:
    return LibraryError(
        "this Python's SQLite was built without FTS5, which looks for words in subtitles",
        hint="run c2v with another Python; what is seen can be searched as ever",
    )

"""What a user or a measurement says of videos: tags, pairs told apart, calibrations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from c2v.library.records import Tag
from c2v.library.sqlite.database import Database

_TAGS = "SELECT video_id, name, confidence, by_hand FROM tag"


class NoteTable:
    """Reads and writes of ``tag``, ``not_duplicate``, ``calibration``; the caller transacts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tags(self, video_ids: Sequence[int] | None = None) -> list[Tag]:
        """The tags of these videos, or of all, by video and name."""
        if video_ids is None:
            rows = self._database.all(_TAGS)
        else:
            rows = list(self._database.all_in(f"{_TAGS} WHERE video_id IN", video_ids))
        found = [
            Tag(key, name, confidence, bool(by_hand)) for key, name, confidence, by_hand in rows
        ]
        return sorted(found, key=lambda tag: (tag.video_id, tag.name.lower()))

    def write_tags(self, tags: Iterable[Tag]) -> None:
        """Add or change tags; those by hand are changed by those by hand alone."""
        self._database.execute_many(
            "INSERT INTO tag VALUES (?, ?, ?, ?) ON CONFLICT (video_id, name) DO UPDATE SET "
            "name = excluded.name, confidence = excluded.confidence, by_hand = excluded.by_hand "
            "WHERE excluded.by_hand OR NOT tag.by_hand",
            [(int(tag.video_id), tag.name, float(tag.confidence), tag.by_hand) for tag in tags],
        )

    def remove_tags(
        self, names: Sequence[str] | None, video_ids: Sequence[int] | None, *, by_hand: bool
    ) -> int:
        """Take tags away; returns how many."""
        wanted = None if names is None else {name.lower() for name in names}
        doomed = [
            (tag.video_id, tag.name)
            for tag in self.tags(video_ids)
            if (by_hand or not tag.by_hand) and (wanted is None or tag.name.lower() in wanted)
        ]
        self._database.execute_many("DELETE FROM tag WHERE video_id = ? AND name = ?", doomed)
        return len(doomed)

    def copy_tags(self, from_video: int, to_video: int) -> None:
        """Give a video the tags of another one."""
        self.write_tags(
            Tag(to_video, tag.name, tag.confidence, tag.by_hand) for tag in self.tags([from_video])
        )

    def told_apart(self) -> set[tuple[str, str]]:
        """Pairs that are no duplicates, the smaller id first."""
        return {(a, b) for a, b in self._database.all("SELECT * FROM not_duplicate")}

    def tell_apart(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Remember pairs; of one content with itself there is nothing to remember."""
        self._database.execute_many(
            "INSERT OR IGNORE INTO not_duplicate VALUES (?, ?)",
            [tuple(sorted(pair)) for pair in pairs if pair[0] != pair[1]],
        )

    def forget_told_apart(self, pairs: Iterable[tuple[str, str]]) -> int:
        """Forget pairs; returns how many there were."""
        return sum(
            self._database.execute(
                "DELETE FROM not_duplicate WHERE content_a = ? AND content_b = ?", *sorted(pair)
            ).rowcount
            for pair in pairs
        )

    def calibration(self, name: str) -> object | None:
        """What was kept under a name; None as well where the row is damaged."""
        rows = self._database.all("SELECT value FROM calibration WHERE name = ?", name)
        try:
            value: object = json.loads(rows[0][0]) if rows else None
        except (ValueError, TypeError):
            return None  # it can be measured again
        return value

    def write_calibration(self, name: str, value: object) -> None:
        """Keep a value in place of the one before."""
        self._database.execute(
            "INSERT OR REPLACE INTO calibration VALUES (?, ?)", name, json.dumps(value)
        )

    def forget_calibrations(self) -> None:
        """Those of another model say nothing of this one."""
        self._database.execute("DELETE FROM calibration")

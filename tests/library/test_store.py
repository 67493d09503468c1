"""What of a SQLite store no other store has: its tables, its paths as bytes, its caches."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from c2v.errors import LibraryError
from c2v.library import SegmentData
from c2v.library.sqlite.paths import decode_path, encode_path, folder_range
from c2v.library.sqlite.store import SqliteStore

from .conftest import DIM, segments, unit_rows, video

Fill = Callable[..., NDArray[np.float32]]


def rows_in(folder: Path, table: str) -> int:
    """Rows of a table, counted by another connection."""
    connection = sqlite3.connect(folder / "library.db")
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_any_file_name_survives(name: bytes) -> None:
    path = os.fsdecode(b"/folder/" + name)
    assert decode_path(encode_path(path)) == path
    low, high = folder_range("/folder")
    assert low <= encode_path(path) < high


def test_no_table_keeps_rows_of_what_is_gone(library: SqliteStore, folder: Path) -> None:
    tables = ("video", "segment", "vector", "feature", "checksum")
    keys = [library.put_video(video(f"/{i}.mp4"), segments(unit_rows(3))) for i in range(4)]
    library.put_video(video("/3.mp4"), segments(unit_rows(2)))
    assert [rows_in(folder, table) for table in tables] == [4, 11, 11, 11, 11]
    library.remove_videos(keys[:3])
    assert [rows_in(folder, table) for table in tables] == [1, 2, 2, 2, 2]


def test_a_write_that_fails_inside_a_batch_takes_only_itself_back(
    library: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = segments(unit_rows(2))
    torn = [good[0], good[1]]
    with library.batch():
        library.put_video(video("/a"), good)
        write = library._segments.write
        calls: list[int] = []

        def fail_at_second(video_id: int, position: int, segment: SegmentData) -> int:
            calls.append(position)
            if len(calls) == 2:
                raise OSError("unplugged")
            return write(video_id, position, segment)

        monkeypatch.setattr(library._segments, "write", fail_at_second)
        with pytest.raises(OSError, match="unplugged"):
            library.put_video(video("/b"), torn)
        monkeypatch.undo()
        library.put_video(video("/c"), good)
    assert [v.path for v in library.videos()] == ["/a", "/c"]
    assert library.counts().segments == 4
    assert library.problems() == []


def test_no_cache_is_made_of_uncommitted_rows(library: SqliteStore) -> None:
    with library.batch():
        library.put_video(video("/a"), segments(unit_rows(1)))
        with pytest.raises(RuntimeError, match="inside a batch"):
            library.nearest(unit_rows(1), 1)
        with pytest.raises(RuntimeError, match="inside a batch"):
            library.refresh()
    with pytest.raises(RuntimeError, match="snapshot"), library.snapshot():
        library.put_video(video("/b"), [])


@pytest.mark.parametrize(
    "change",
    [
        {"features": np.ones((2, 8), np.float16)},
        {"features": np.ones(8, np.float16)},
        {"times": np.ones((3, 1), np.float32)},
        {"vector": np.ones((1, DIM), np.float32)},
    ],
)
def test_a_segment_whose_parts_do_not_fit_cannot_be_made(
    change: dict[str, NDArray[np.float32]],
) -> None:
    with pytest.raises(ValueError, match=r"not \(\("):
        dataclasses.replace(segments(unit_rows(1))[0], **change)


def test_a_library_without_a_model_is_empty(folder: Path) -> None:
    with SqliteStore.create(folder) as library:
        assert library.model is None
        assert library.nearest(np.ones((2, 5), np.float32), 3).segment_ids.shape == (2, 0)
        with pytest.raises(LibraryError, match="is empty"):
            library.put_video(video("/a"), [])
        library.refresh()
        library.warm()
        assert library.problems() == []

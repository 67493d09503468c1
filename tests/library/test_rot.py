"""Bit rot in rows: nothing of it becomes an answer, it is said, and the next index mends it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.errors import C2VError, DamagedRowsError, LibraryError
from c2v.library import ModelRecord
from c2v.library.sqlite.store import SqliteStore

from .conftest import MODEL, segments, unit_rows, video

Fill = Callable[..., NDArray[np.float32]]
KINDS = ("exponent", "nan", "sign", "short", "long", "gone", "text")


def rot(folder: Path, table: str, segment_id: int, kind: str) -> None:
    """Change a row as a disk might, behind SQLite's back."""
    column = {"vector": "vector", "feature": "features", "segment": "times"}[table]
    key = "id" if table == "segment" else "segment_id"
    connection = sqlite3.connect(folder / "library.db")
    where = f"WHERE {key} = {segment_id}"
    (blob,) = connection.execute(f"SELECT {column} FROM {table} {where}").fetchone()
    changed: bytes | str = blob
    width = 2 if table == "feature" else 4
    if kind == "gone":
        connection.execute(f"DELETE FROM {table} {where}")
    else:
        if kind == "exponent":
            changed = blob[: width - 1] + bytes([blob[width - 1] ^ 0x40]) + blob[width:]
        elif kind == "nan":
            changed = b"\xff" * width + blob[width:]
        elif kind == "sign":
            changed = blob[: width - 1] + bytes([blob[width - 1] ^ 0x80]) + blob[width:]
        elif kind == "short":
            changed = blob[:-width]
        elif kind == "long":
            changed = blob + blob[:1]
        elif kind == "text":
            changed = "eight by eight is sixty-four"
        connection.execute(f"UPDATE {table} SET {column} = ? {where}", (changed,))
    connection.commit()
    connection.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("caches", ["none", "on disk", "in memory"])
def test_a_damaged_vector_is_left_out(
    library: SqliteStore, folder: Path, fill: Fill, kind: str, caches: str
) -> None:
    vectors = fill(10)
    if caches == "on disk":
        library.refresh()
    elif caches == "in memory":
        library.nearest(vectors[:1], 3)
    rot(folder, "vector", 7, kind)
    other = library if caches == "in memory" else SqliteStore.open(folder)
    for _ in range(2):  # and again, from what is kept of the first time
        found = other.nearest(vectors[6:7], 100)
        ids = found.segment_ids[0].tolist()
        assert sorted(ids) == [key for key in range(1, 41) if key != 7]
        right = vectors[[key - 1 for key in ids]] @ vectors[6]
        np.testing.assert_allclose(found.scores[0], right, atol=1e-6)
        assert other.left_out() == ["/films/0-00001.mp4"]
    assert other.damaged_videos([1, 2, 3]) == {2}
    assert any("/films/0-00001.mp4" in line for line in other.problems())
    other.put_video(video("/films/0-00001.mp4"), segments(vectors[4:8]))
    assert other.left_out() == []
    assert other.nearest(vectors[6:7], 1).scores[0, 0] == pytest.approx(1)
    assert other.problems() == []
    if other is not library:
        other.close()


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_frames_are_named(
    library: SqliteStore, folder: Path, fill: Fill, kind: str
) -> None:
    fill(3)
    rot(folder, "feature", 7, kind)
    with pytest.raises(DamagedRowsError, match=r"/films/0-00001.mp4 is damaged") as caught:
        library.features([1, 7, 99])
    assert caught.value.segment_ids == (7,)
    assert "c2v index /films/0-00001.mp4" in caught.value.hint
    assert set(library.features([1, 2])) == {1, 2}
    assert library.damaged_videos([1, 2, 3]) == {2}


def test_times_and_bounds_are_checked_as_well(
    library: SqliteStore, folder: Path, fill: Fill
) -> None:
    fill(3)
    rot(folder, "segment", 2, "exponent")
    with pytest.raises(DamagedRowsError):
        library.features([2])
    connection = sqlite3.connect(folder / "library.db")
    connection.execute("UPDATE segment SET start_seconds = 1e300 WHERE id = 3")
    connection.commit()
    connection.close()
    with pytest.raises(DamagedRowsError):
        library.features([3])


def test_the_graph_leaves_it_out(library: SqliteStore, folder: Path, fill: Fill) -> None:
    vectors = fill(100)
    library.nearest(vectors[:1], 3, strategy="hnsw")
    library.refresh()
    rot(folder, "vector", 7, "exponent")
    with SqliteStore.open(folder) as other:
        for _ in range(2):
            found = other.nearest(vectors[6:7], 5, strategy="hnsw")
            assert found.strategy == "hnsw"
            assert 7 not in found.segment_ids[0]
            assert (found.scores[0] <= 1.001).all()
        assert other.left_out() == ["/films/0-00001.mp4"]


def test_a_row_that_was_put_back_is_found_again(
    library: SqliteStore, folder: Path, fill: Fill
) -> None:
    vectors = fill(10)
    library.refresh()
    rot(folder, "vector", 7, "sign")
    with SqliteStore.open(folder) as other:
        assert 7 not in other.nearest(vectors[6:7], 100).segment_ids[0]
    rot(folder, "vector", 7, "sign")
    with SqliteStore.open(folder) as other:
        assert other.nearest(vectors[6:7], 1).segment_ids[0, 0] == 7
        assert other.left_out() == []


def test_a_row_without_a_checksum_is_taken_if_it_can_be_right(
    library: SqliteStore, folder: Path, fill: Fill
) -> None:
    """An older c2v that was running during the upgrade writes such rows."""
    vectors = fill(3)
    connection = sqlite3.connect(folder / "library.db")
    connection.execute("DELETE FROM checksum WHERE segment_id IN (6, 7)")
    connection.commit()
    connection.close()
    rot(folder, "vector", 7, "exponent")
    found = library.nearest(vectors[5:6], 100)
    assert sorted(found.segment_ids[0].tolist()) == [k for k in range(1, 13) if k != 7]


def test_a_new_head_leaves_damaged_features_out(
    library: SqliteStore, folder: Path, fill: Fill
) -> None:
    fill(3)
    rot(folder, "feature", 7, "exponent")
    head = ModelRecord("other", "head-2", MODEL.towers_fingerprint, 8, 4)
    batches = ((batch.segment_ids, unit_rows(len(batch.segment_ids), 4)) for batch in
               library.all_features(batch_size=5))  # fmt: skip
    assert library.replace_vectors(head, batches) == 11
    assert library.paths_without_vector() == ["/films/0-00001.mp4"]
    found = library.nearest(unit_rows(1, 4), 100)
    assert sorted(found.segment_ids[0].tolist()) == [k for k in range(1, 13) if k != 7]
    assert library.left_out() == ["/films/0-00001.mp4"]
    assert library.damaged_videos([1, 2, 3]) == {2}
    with pytest.raises(C2VError, match="0 vectors for 12 segments"):
        library.replace_vectors(MODEL, [])  # sound ones must not be missing


@pytest.mark.parametrize("text", ["[", "7", "", "{"])
def test_what_was_said_of_a_video_is_damaged(
    library: SqliteStore, folder: Path, fill: Fill, text: str
) -> None:
    fill(1)
    connection = sqlite3.connect(folder / "library.db")
    connection.execute("UPDATE video SET problems = ?", (text,))
    connection.commit()
    connection.close()
    assert library.videos()[0].problems == ("what was said of it in the library is damaged",)


def test_a_copy_has_its_checksums(library: SqliteStore, fill: Fill) -> None:
    fill(2)
    copy = library.copy_video(1, path="/copy.mp4", size_bytes=1, mtime_ns=2)
    rows = library._database.all("SELECT count(*) FROM checksum")
    assert rows == [(12,)]
    assert library.damaged_videos([copy]) == set()
    library.remove_videos([copy])
    assert library._database.all("SELECT count(*) FROM checksum") == [(8,)]


@pytest.mark.parametrize(
    "change",
    ["name = 'another'", "fingerprint = x'80ff'", "vector_dim = 17", "feature_dim = -1",
     "vector_dim = 'many'", "towers_fingerprint = 'towers-2'"],
)  # fmt: skip
def test_a_damaged_row_of_the_model_is_said(
    library: SqliteStore, folder: Path, fill: Fill, change: str
) -> None:
    fill(1)
    connection = sqlite3.connect(folder / "library.db")
    connection.execute(f"UPDATE model SET {change}")
    connection.commit()
    connection.close()
    with pytest.raises(LibraryError, match="damaged .the row that names its model") as caught:
        library.nearest(unit_rows(1), 3)
    assert "put back a copy" in caught.value.hint

"""Caches can be deleted, damaged, old or of something else: answers stay right."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.errors import C2VError
from c2v.library import HnswSettings, ModelRecord
from c2v.library.records import Identity
from c2v.library.sqlite import caches, hnsw, parts
from c2v.library.sqlite.cachefile import UntrustedCacheError, read_cache_file, write_cache_file
from c2v.library.sqlite.hnsw import load_graph
from c2v.library.sqlite.matrix import load_matrix
from c2v.library.sqlite.parts import block_sum
from c2v.library.sqlite.store import SqliteStore

from .conftest import DIM, MODEL, segment_ids, segments, unit_rows, video

Fill = Callable[..., NDArray[np.float32]]
SMALL = HnswSettings(from_rows=200)
QUERIES = unit_rows(8, seed=99)


def answers(folder: Path, strategy: str) -> list[list[int]]:
    """What a fresh process would find."""
    with SqliteStore.open(folder, hnsw=SMALL) as library:
        found = library.nearest(QUERIES, 10, strategy=strategy)
        assert found.strategy == strategy
        return [list(map(int, line)) for line in found.segment_ids]


def identity_of(library: SqliteStore) -> Identity:
    identity = library._database.identity()
    assert identity is not None
    return identity


@pytest.fixture
def indexed(library: SqliteStore, fill: Fill, folder: Path) -> list[list[int]]:
    """A library with matrix and graph on disk; gives the right answers."""
    fill(100)
    library.refresh()
    names = sorted(path.name.split("-")[0] for path in (folder / "cache").iterdir())
    assert names == ["hnsw", "hnsw.index", "matrix", "matrix.index"]
    return answers(folder, "exact")


def file_named(folder: Path, kind: str) -> Path:
    (path,) = (folder / "cache").glob({"part": "matrix-*", "graph": "hnsw-*"}.get(kind, kind))
    return path


KINDS = ["matrix.index", "part", "hnsw.index", "graph"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "longer", "zeroed", "text"])
def test_a_damaged_cache_is_made_again(
    folder: Path, indexed: list[list[int]], kind: str, damage: str
) -> None:
    path = file_named(folder, kind)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(
        {
            "gone": b"",
            "empty": b"",
            "cut": content[:half],
            "longer": content + b"\0",
            "zeroed": content[:half] + bytes(512) + content[half + 512 :],
            "text": b"<html>" * 1000,
        }[damage]
    )
    if damage == "gone":
        path.unlink()
    assert answers(folder, "exact") == indexed
    assert answers(folder, "hnsw") == indexed
    with SqliteStore.open(folder, hnsw=SMALL) as library:
        library.refresh()
        assert library.problems() == []


@pytest.mark.parametrize("kind", KINDS)
def test_one_flipped_bit_anywhere_is_noticed(
    folder: Path, indexed: list[list[int]], kind: str
) -> None:
    path = file_named(folder, kind)
    content = path.read_bytes()
    random = np.random.default_rng(0)
    # Between the header and the first page of a part lie zeros that nobody reads.
    places = random.integers(4096 if kind == "part" else 0, len(content), 15).tolist()
    places += list(range(0, 40, 3))
    for place in places:
        place = min(place, len(content) - 1)
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(random.integers(8))
        path.write_bytes(flipped)
        assert answers(folder, "exact") == indexed, place
        assert answers(folder, "hnsw") == indexed, place
        with SqliteStore.open(folder, hnsw=SMALL) as library:
            library.refresh()
            assert library.problems() == []
        # Noticed, not only survived: what was damaged is not what is on disk any more.
        path = file_named(folder, kind)
        assert path.read_bytes() != bytes(flipped), place
        content = path.read_bytes()


def test_all_caches_can_be_deleted(folder: Path, indexed: list[list[int]]) -> None:
    shutil.rmtree(folder / "cache")
    assert answers(folder, "exact") == indexed
    assert answers(folder, "hnsw") == indexed


def test_leftovers_of_a_crash_are_swept(
    folder: Path, indexed: list[list[int]], library: SqliteStore
) -> None:
    cache = folder / "cache"
    strays = ["matrix-00ff.f32", "matrix-00ff.f32.77.tmp", "hnsw-00ff.bin", "hnsw-00ff.bin.77.tmp"]
    for name in strays:
        (cache / name).write_bytes(b"half a file")
    assert answers(folder, "exact") == indexed
    library.put_video(video("/new"), segments(unit_rows(1300, seed=4)))
    library.refresh()
    assert not any((cache / name).exists() for name in strays)


def test_a_database_put_back_from_a_backup(
    folder: Path, tmp_path: Path, indexed: list[list[int]], library: SqliteStore
) -> None:
    """The generation numbers and segment ids run a second time, with other contents."""
    library.close()
    backup = tmp_path / "backup.db"
    shutil.copy(folder / "library.db", backup)
    for seed in (21, 22):
        with SqliteStore.open(folder, hnsw=SMALL) as library:
            library.put_video(video("/later"), segments(unit_rows(50, seed=seed)))
            vectors = library.vectors(segment_ids(library))
            library.refresh()
            assert library.problems() == []
        ids = np.array(sorted(vectors))
        rows = np.stack([vectors[key] for key in ids.tolist()])
        right = [ids[np.argsort(-(rows @ query))[:10]].tolist() for query in QUERIES]
        assert answers(folder, "exact") == right
        assert answers(folder, "hnsw") == right
        if seed == 21:
            shutil.copy(backup, folder / "library.db")


def test_caches_of_another_library_or_model_are_not_used(
    folder: Path, tmp_path: Path, indexed: list[list[int]], library: SqliteStore
) -> None:
    other = tmp_path / "other"
    with SqliteStore.create(other, hnsw=SMALL) as second:
        second.set_model(MODEL)
        with second.batch():
            for i in range(100):
                second.put_video(video(f"/{i}"), segments(unit_rows(4, seed=1000 + i)))
        second.refresh()
    shutil.rmtree(folder / "cache")
    shutil.copytree(other / "cache", folder / "cache")
    assert answers(folder, "exact") == indexed
    assert answers(folder, "hnsw") == indexed
    identity = identity_of(library)
    wrong = Identity(identity.library, "another head", DIM, identity.generation, identity.stamp)
    library.refresh()
    for load in (load_matrix, lambda f, i: load_graph(f, i, SMALL)):
        load(folder / "cache", identity)
        with pytest.raises(UntrustedCacheError, match="another library or model"):
            load(folder / "cache", wrong)


def test_a_new_head_of_another_size_renews_the_caches(
    folder: Path, indexed: list[list[int]], library: SqliteStore
) -> None:
    narrow = ModelRecord("narrow", "head-2", "towers-1", feature_dim=8, vector_dim=6)
    vectors = unit_rows(400, 6, seed=8)
    library.replace_vectors(narrow, [(np.arange(1, 401), vectors)])
    queries = unit_rows(3, 6, seed=9)
    for _ in range(2):
        for strategy in ("exact", "hnsw"):
            found = library.nearest(queries, 400, strategy=strategy).segment_ids
            np.testing.assert_array_equal(found, np.argsort(-(queries @ vectors.T)) + 1)
        library.refresh()


def test_other_graph_parameters_build_another_graph(folder: Path, indexed: list[list[int]]) -> None:
    before = file_named(folder, "graph")
    with SqliteStore.open(folder, hnsw=HnswSettings(m=8, from_rows=200)) as library:
        library.nearest(QUERIES, 3, strategy="hnsw")
    assert file_named(folder, "graph") != before


def test_small_changes_write_small_files(
    library: SqliteStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adding to a large library must not rewrite it; parts stay few."""
    written: list[int] = []
    write_part = parts.write_part

    def counted(*args: object, rows: int, **more: object) -> object:
        written.append(rows)
        return write_part(*args, rows=rows, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("c2v.library.sqlite.matrix.write_part", counted)
    library.put_video(video("/big"), segments(unit_rows(2000)))
    library.refresh()
    for i in range(64):
        library.put_video(video(f"/{i}"), segments(unit_rows(2, seed=i)))
        library.refresh()
    assert written[0] == 2000
    assert sum(written[1:]) < 64 * 2 * 7  # each row a logarithmic number of times
    assert len(list((folder / "cache").glob("matrix-*"))) < 8
    assert library.problems() == []


def test_removed_rows_are_swept_out_in_time(library: SqliteStore, fill: Fill) -> None:
    fill(100)
    library.refresh()
    for first in range(1, 60, 3):
        library.remove_videos([first, first + 1])
        library.refresh()
        with library.snapshot():
            matrix = library._searcher.caches.matrix(identity_of(library))
        assert np.count_nonzero(~matrix.alive) <= 0.25 * len(matrix.ids)
        assert library.problems() == []


def test_history_no_cache_needs_is_forgotten(library: SqliteStore, fill: Fill) -> None:
    for seed in range(5):
        fill(1, seed=seed)
    assert len(library._database.all("SELECT * FROM generation")) > 5
    library.refresh()
    assert len(library._database.all("SELECT * FROM generation")) == 1


def test_a_search_writes_no_cache_for_a_few_rows(
    library: SqliteStore, fill: Fill, folder: Path
) -> None:
    fill(10)
    library.nearest(QUERIES, 3)
    assert not (folder / "cache").exists()


def test_a_search_writes_caches_that_spare_later_ones(
    library: SqliteStore, fill: Fill, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "_WORTH_WRITING", 100)
    fill(100)
    library.nearest(QUERIES, 3)
    assert (folder / "cache" / "matrix.index").exists()


def test_a_cache_that_cannot_be_written_is_done_without(
    library: SqliteStore, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = fill(100)

    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caches, "_WORTH_WRITING", 100)
    monkeypatch.setattr("c2v.library.sqlite.matrix.write_part", full)
    found = library.nearest(QUERIES, 5).segment_ids
    np.testing.assert_array_equal(found, np.argsort(-(QUERIES @ vectors.T))[:, :5] + 1)


def test_a_matrix_too_large_for_memory_is_scanned_in_sqlite(
    library: SqliteStore, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2v.library.sqlite.matrix._MEMORY_BYTES", 1000)
    vectors = fill(100)
    for strategy in ("exact", "hnsw"):
        found = library.nearest(QUERIES, 5, strategy=strategy).segment_ids
        np.testing.assert_array_equal(found, np.argsort(-(QUERIES @ vectors.T))[:, :5] + 1)
    library.remove_videos([1, 100])
    gone = np.r_[0:4, 396:400]
    scores = QUERIES @ vectors.T
    scores[:, gone] = -2
    found = library.nearest(QUERIES, 5).segment_ids
    np.testing.assert_array_equal(found, np.argsort(-scores)[:, :5] + 1)


def test_a_record_is_whole_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "record"
    arrays = {"a": np.arange(5, dtype=np.int64), "b": np.zeros((0, 3), np.bool_)}
    write_cache_file(path, b"magic-01", {"x": [1, "é"]}, arrays)
    header, back = read_cache_file(path, b"magic-01")
    assert header == {"x": [1, "é"]}
    assert back["b"].shape == (0, 3)
    np.testing.assert_array_equal(back["a"], arrays["a"])
    content = path.read_bytes()
    for place in range(len(content)):
        for damaged in (
            content[:place],
            content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :],
        ):
            path.write_bytes(damaged)
            with pytest.raises(UntrustedCacheError):
                read_cache_file(path, b"magic-01")
    assert [p.name for p in tmp_path.iterdir()] == ["record"]


def test_block_sums_see_every_bit() -> None:
    block = unit_rows(3, 5)
    words = block.view(np.uint32)
    right = block_sum(block)
    for row, column, bit in np.ndindex(3, 5, 32):
        words[row, column] ^= np.uint32(1 << bit)
        assert block_sum(block) != right
        words[row, column] ^= np.uint32(1 << bit)
    assert block_sum(block) == right


@pytest.mark.parametrize("what", ["cache", "cache/matrix.index", "cache/hnsw.index", "cache.lock"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_something_in_the_way_of_a_cache(
    library: SqliteStore, folder: Path, fill: Fill, what: str, kind: str
) -> None:
    vectors = fill(100)
    library.refresh()
    path = folder / what
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == "folder":
        (path / "inside").mkdir(parents=True)
    else:
        path.write_text("in the way")
    with SqliteStore.open(folder, hnsw=HnswSettings(from_rows=200)) as other:
        for strategy in ("exact", "hnsw"):
            assert other.nearest(vectors[:1], 1, strategy=strategy).segment_ids[0, 0] == 1
        assert other.storage_sizes().database_bytes > 0
        other.put_video(video("/late.mp4"), segments(unit_rows(2, seed=9)))
        if (what, kind) in (("cache/matrix.index", "file"), ("cache/hnsw.index", "file"),
                            ("cache", "folder"), ("cache.lock", "file")):  # fmt: skip
            other.refresh()  # these can be written over
        else:
            with pytest.raises(C2VError, match="searches will be slower") as caught:
                other.refresh()
            assert caught.value.hint
        assert other.nearest(vectors[:1], 1).segment_ids[0, 0] == 1


def test_a_graph_that_is_lost_on_the_way_to_the_disk(
    library: SqliteStore, folder: Path, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = fill(30)  # below from_rows: no graph yet
    library.refresh()
    whole = hnsw.file_crc

    def then_it_is_cut(path: Path) -> int:
        crc = whole(path)
        os.truncate(path, path.stat().st_size // 2)
        return crc

    monkeypatch.setattr(hnsw, "file_crc", then_it_is_cut)
    found = library.nearest(vectors[:3], 1, strategy="hnsw")
    assert found.strategy == "hnsw"
    assert found.segment_ids[:, 0].tolist() == [1, 2, 3]
    assert str(folder / "cache") in library.graph_not_kept()
    assert list((folder / "cache").glob("hnsw*")) == []
    fill(60, seed=1)  # above
    with pytest.raises(C2VError, match="the library itself is whole"):
        library.refresh()
    assert library.nearest(vectors[:1], 1, strategy="hnsw").segment_ids[0, 0] == 1
    monkeypatch.undo()
    library.refresh()
    assert len(list((folder / "cache").glob("hnsw*"))) == 2

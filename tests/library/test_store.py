"""What goes into a library comes out again; what is replaced or removed is gone everywhere."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from c2v.errors import C2VError, LibraryError
from c2v.library import Library, ModelRecord, SegmentData
from c2v.library.sqlite.paths import decode_path, encode_path, folder_range

from .conftest import DIM, MODEL, segments, unit_rows, video

Fill = Callable[..., NDArray[np.float32]]


def rows_in(folder: Path, table: str) -> int:
    """Rows of a table, counted by another connection."""
    connection = sqlite3.connect(folder / "library.db")
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


def test_a_video_comes_back_as_it_went_in(library: Library) -> None:
    vectors = unit_rows(3)
    stored = segments(vectors)
    key = library.put_video(video("/films/a.mp4"), stored)
    record = library.video_by_path("/films/a.mp4")
    assert record is not None
    assert record.id == key
    for name in video("/films/a.mp4").__dataclass_fields__:
        assert getattr(record, name) == getattr(video("/films/a.mp4"), name)
    rows = library.segments_of([key])[key]
    assert [(r.path, r.start_seconds, r.end_seconds, r.duration_seconds) for r in rows] == [
        ("/films/a.mp4", float(i), float(i + 1), 2.5) for i in range(3)
    ]
    ids = [row.segment_id for row in rows]
    assert ids == library.segment_ids_of([key]).tolist()
    assert library.segment_rows(ids) == {row.segment_id: row for row in rows}
    frames = library.features(ids)
    for segment, key_, vector in zip(stored, ids, vectors, strict=True):
        times, features = frames[key_]
        assert times.dtype == np.float32
        assert features.dtype == np.float16
        np.testing.assert_array_equal(times, segment.times)
        np.testing.assert_array_equal(features, segment.features)
        np.testing.assert_array_equal(library.vectors([key_])[key_], vector)


def test_the_same_path_is_replaced_with_all_that_belonged_to_it(
    library: Library, folder: Path
) -> None:
    library.record_failure("/films/a.mp4", size_bytes=1, mtime_ns=1, reason="no picture")
    library.put_video(video("/films/a.mp4"), segments(unit_rows(5)))
    library.put_video(video("/films/a.mp4", size_bytes=7), segments(unit_rows(2, seed=1)))
    assert [v.size_bytes for v in library.videos()] == [7]
    counts = library.counts()
    assert (counts.videos, counts.segments, counts.frames, counts.failures) == (1, 2, 6, 0)
    assert [rows_in(folder, t) for t in ("segment", "vector", "feature")] == [2, 2, 2]
    assert library.problems() == []


def test_moving_keeps_vectors_and_two_files_may_trade_names(library: Library) -> None:
    a = library.put_video(video("/films/a.mp4"), segments(unit_rows(2)))
    b = library.put_video(video("/films/b.mp4"), segments(unit_rows(2, seed=1)))
    before = library.segment_ids_of([a]).tolist(), library.segment_ids_of([b]).tolist()
    moved = library.move_videos([(a, "/films/b.mp4", 11, 12), (b, "/films/a.mp4", 21, 22)])
    assert moved == 2
    assert (library.segment_ids_of([a]).tolist(), library.segment_ids_of([b]).tolist()) == before
    assert [(v.id, v.path, v.size_bytes, v.mtime_ns) for v in library.videos()] == [
        (b, "/films/a.mp4", 21, 22),
        (a, "/films/b.mp4", 11, 12),
    ]


def test_moving_onto_another_video_forgets_that_one(library: Library) -> None:
    a = library.put_video(video("/films/a.mp4"), segments(unit_rows(2)))
    library.put_video(video("/films/b.mp4"), segments(unit_rows(2, seed=1)))
    assert library.move_videos([(a, "/films/b.mp4", 1, 1), (999, "/films/c.mp4", 1, 1)]) == 1
    assert [v.id for v in library.videos()] == [a]
    assert library.segment_count == 2


def test_a_copy_has_its_own_segments(library: Library) -> None:
    vectors = unit_rows(2)
    a = library.put_video(video("/films/a.mp4"), segments(vectors))
    b = library.copy_video(a, path="/films/b.mp4", size_bytes=3, mtime_ns=4)
    copied = library.video_by_path("/films/b.mp4")
    assert copied is not None
    assert copied.id == b
    assert (copied.path, copied.size_bytes, copied.mtime_ns) == ("/films/b.mp4", 3, 4)
    assert copied.content_id == "content of /films/a.mp4"
    library.remove_videos([a])
    ids = library.segment_ids_of([b])
    np.testing.assert_array_equal(np.stack(list(library.vectors(ids).values())), vectors)
    assert set(library.features(ids)) == set(ids.tolist())
    with pytest.raises(LibraryError, match="no video number 77"):
        library.copy_video(77, path="/x", size_bytes=0, mtime_ns=0)


def test_removing_cascades(library: Library, folder: Path) -> None:
    keys = [library.put_video(video(f"/{i}.mp4"), segments(unit_rows(3))) for i in range(4)]
    assert library.remove_videos([*keys[:3], 12345]) == 3
    assert [rows_in(folder, t) for t in ("video", "segment", "vector", "feature")] == [1, 3, 3, 3]


def test_listing_a_folder(library: Library) -> None:
    paths = ["/a/x.mp4", "/a/y/z.mp4", "/a.mp4", "/ab/x.mp4", "/a0.mp4", "/a-b/x.mp4"]
    for path in paths:
        library.put_video(video(path), [])
    assert [v.path for v in library.videos(under="/a")] == ["/a/x.mp4", "/a/y/z.mp4"]
    assert [v.path for v in library.videos(under=Path("/a/y"))] == ["/a/y/z.mp4"]
    assert len(library.videos(under="/")) == len(paths)


def test_a_name_that_is_not_utf8_survives(library: Library) -> None:
    path = os.fsdecode(b"/films/caf\xe9 \xff.mp4")
    key = library.put_video(video(path), segments(unit_rows(1)))
    found = library.video_by_path(path)
    assert found is not None
    assert found.path == path
    assert [v.id for v in library.videos(under="/films")] == [key]
    library.record_failure(path + "2", size_bytes=1, mtime_ns=2, reason="broken")
    assert [f.path for f in library.failures()] == [path + "2"]
    library.record_failure(path, size_bytes=1, mtime_ns=2, reason=f"{path} is broken")
    assert library.failures()[0].reason == "/films/caf\\udce9 \\udcff.mp4 is broken"
    partly = video(path, problems=(f"{path}: 3 frames lost",))
    library.put_video(partly, [])
    assert library.videos()[0].problems == partly.problems


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_any_file_name_survives(name: bytes) -> None:
    path = os.fsdecode(b"/folder/" + name)
    assert decode_path(encode_path(path)) == path
    low, high = folder_range("/folder")
    assert low <= encode_path(path) < high


def test_failures_are_kept_until_cleared_or_indexed(library: Library) -> None:
    for name in ("a", "b", "c"):
        library.record_failure(f"/{name}", size_bytes=1, mtime_ns=2, reason="no video stream")
    library.record_failure("/a", size_bytes=9, mtime_ns=8, reason="cut short")
    library.put_video(video("/b"), [])
    library.clear_failures(["/c"])
    (left,) = library.failures()
    assert (left.path, left.size_bytes, left.mtime_ns, left.reason) == ("/a", 9, 8, "cut short")


def test_a_batch_is_one_commit_and_keeps_what_was_finished(library: Library, folder: Path) -> None:
    def interrupted() -> None:
        with library.batch():
            library.put_video(video("/a"), segments(unit_rows(1)))
            assert rows_in(folder, "video") == 0  # not yet committed
            library.put_video(video("/b"), segments(unit_rows(1)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert rows_in(folder, "video") == 2
    assert library.nearest(unit_rows(1), 5).segment_ids.shape == (1, 2)


def test_a_write_that_fails_inside_a_batch_takes_only_itself_back(
    library: Library, monkeypatch: pytest.MonkeyPatch
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
    assert library.segment_count == 4
    assert library.problems() == []


def test_no_cache_is_made_of_uncommitted_rows(library: Library) -> None:
    with library.batch():
        library.put_video(video("/a"), segments(unit_rows(1)))
        with pytest.raises(RuntimeError, match="inside a batch"):
            library.nearest(unit_rows(1), 1)
        with pytest.raises(RuntimeError, match="inside a batch"):
            library.refresh()
    with pytest.raises(RuntimeError, match="snapshot"), library.snapshot():
        library.put_video(video("/b"), [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vector": np.ones(DIM + 1, np.float32)}, "shapes"),
        ({"times": np.ones(0, np.float32), "features": np.ones((0, 8), np.float16)}, "shapes"),
        ({"vector": np.full(DIM, np.nan, np.float32)}, "not finite"),
        ({"features": np.full((3, 8), np.inf, np.float16)}, "not finite"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(
    library: Library, change: dict[str, NDArray[np.float32]], message: str
) -> None:
    good = segments(unit_rows(1))[0]
    fields = {name: getattr(good, name) for name in good.__dataclass_fields__}
    with pytest.raises(C2VError, match=f"/a.mp4.*{message}"):
        library.put_video(video("/a.mp4"), [SegmentData(**{**fields, **change})])
    assert library.counts().videos == 0


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


def test_one_model_at_a_time(library: Library, fill: Fill) -> None:
    other = ModelRecord("other", "head-2", "towers-2", feature_dim=8, vector_dim=DIM)
    library.set_model(other)  # nothing stored yet: free to change
    library.set_model(MODEL)
    fill(2)
    with pytest.raises(LibraryError, match="filled by model toy, not other") as caught:
        library.set_model(other)
    assert caught.value.exit_code == 3
    assert "--model other" in caught.value.hint
    with pytest.raises(LibraryError, match="other towers"):
        library.replace_vectors(other, iter(()))
    library.record_failure("/broken", size_bytes=1, mtime_ns=1, reason="broken")
    library.reset(other)
    assert library.model == other
    assert (library.counts().videos, library.counts().failures) == (0, 1)
    assert library.problems() == []


def test_a_library_without_a_model_is_empty(folder: Path) -> None:
    with Library.create(folder) as library:
        assert library.model is None
        assert library.nearest(np.ones((2, 5), np.float32), 3).segment_ids.shape == (2, 0)
        with pytest.raises(LibraryError, match="is empty"):
            library.put_video(video("/a"), [])
        library.refresh()
        library.warm()
        assert library.problems() == []


def test_new_head_over_old_features(library: Library, fill: Fill) -> None:
    fill(10)
    library.refresh()
    wide = ModelRecord("wide", "head-9", "towers-1", feature_dim=8, vector_dim=3 * DIM)
    fresh = unit_rows(40, 3 * DIM, seed=5)
    sizes = []

    def embed() -> object:
        for batch in library.all_features(batch_size=7):
            sizes.append(len(batch.segment_ids))
            assert len(batch.features) == len(batch.segment_ids)
            yield batch.segment_ids, fresh[batch.segment_ids - 1]

    assert library.replace_vectors(wide, embed()) == 40  # type: ignore[arg-type]
    assert sizes == [7, 7, 7, 7, 7, 5]
    assert library.model == wide
    query = unit_rows(1, 3 * DIM, seed=6)
    found = library.nearest(query, 40)
    np.testing.assert_array_equal(found.segment_ids[0], np.argsort(-(fresh @ query[0])) + 1)
    library.refresh()
    assert library.problems() == []


@pytest.mark.parametrize("fault", ["missing", "twice", "unknown", "shape", "interrupt"])
def test_a_failed_re_embedding_changes_nothing(library: Library, fill: Fill, fault: str) -> None:
    vectors = fill(5)
    wide = ModelRecord("wide", "head-9", "towers-1", feature_dim=8, vector_dim=DIM)

    def embed() -> object:
        ids = np.arange(1, 21)
        yield ids[:10], vectors[:10]
        if fault == "twice":
            yield ids[:10], vectors[:10]
        if fault == "unknown":
            yield ids[:10] + 100, vectors[:10]
        if fault == "shape":
            yield ids[10:], vectors[10:, :-1]
        if fault == "interrupt":
            raise KeyboardInterrupt

    with pytest.raises((C2VError, KeyboardInterrupt)):
        library.replace_vectors(wide, embed())  # type: ignore[arg-type]
    assert library.model == MODEL
    np.testing.assert_array_equal(
        np.stack([library.vectors([key])[key] for key in range(1, 21)]), vectors
    )
    assert library.problems() == []


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    times=st.lists(st.floats(0, 86400, width=32), min_size=1, max_size=20),
    halves=st.integers(0, 2**32 - 1),
)
def test_times_and_features_are_stored_to_the_bit(
    library: Library, times: list[float], halves: int
) -> None:
    numbers = np.random.default_rng(halves).standard_normal((len(times), 8)).astype(np.float16)
    segment = SegmentData(0.0, 9.0, np.array(times, np.float32), numbers, unit_rows(1)[0])
    key = library.put_video(video("/films/a.mp4"), [segment])
    (stored,) = library.features(library.segment_ids_of([key])).values()
    np.testing.assert_array_equal(stored[0], np.array(times, np.float32))
    np.testing.assert_array_equal(stored[1], numbers)

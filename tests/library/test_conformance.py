"""What every store has to do, whatever keeps its rows: each test runs over all of ``STORES``.

A store more is an entry more. What only SQLite has (its file, its caches, its locks) is tested
beside this file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from c2v.errors import C2VError, LibraryError, UsageError
from c2v.library import (
    IN_THE_VIDEO,
    Filter,
    Line,
    ModelRecord,
    SaidWords,
    SegmentData,
    Store,
    SubtitleData,
    SubtitleState,
    Tag,
    open_store,
    store_exists,
)
from c2v.paths.globs import PatternError

from .conftest import DIM, MODEL, fill_store, segments, unit_rows, video

STORES: dict[str, Callable[[Path], str]] = {"sqlite": lambda folder: str(folder / "library")}
"""Kinds of stores, and how an address is made of a folder of the test's own."""


@pytest.fixture(params=sorted(STORES))
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where there is no library yet."""
    return STORES[request.param](tmp_path)


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    """An empty library of the toy model."""
    with open_store(address, create=True) as made:
        made.set_model(MODEL)
        yield made


def ids_of(store: Store, video_id: int) -> list[int]:
    """The segments of a video."""
    return [row.segment_id for row in store.segments_of([video_id])[video_id]]


def test_an_address_is_kept_and_shown(address: str) -> None:
    assert not store_exists(address)
    with pytest.raises(LibraryError, match="no library"):
        open_store(address)
    with open_store(address, create=True) as made:
        assert made.model is None
        assert store_exists(made.address)
    with open_store(address) as opened, open_store(address, create=True) as again:
        assert (opened.address, again.address) == (made.address, made.address)


def test_a_video_keeps_its_id_when_it_is_indexed_again(store: Store) -> None:
    a = store.put_video(video("/films/a.mp4"), segments(unit_rows(3)))
    b = store.put_video(video("/films/b.mp4"), segments(unit_rows(2, seed=1)))
    before = ids_of(store, a) + ids_of(store, b)
    with store.writer():
        pass
    changed = unit_rows(2, seed=2)
    assert store.put_video(video("/films/a.mp4", codec="vp9"), segments(changed)) == a
    assert [(v.id, v.codec) for v in store.videos()] == [(a, "vp9"), (b, "h264")]
    assert not set(ids_of(store, a)) & set(before), "an id of a segment was used twice"
    found = store.nearest(changed[:1], 1)
    assert found.segment_ids[0].tolist() == ids_of(store, a)[:1]
    assert store.copy_video(a, path="/films/b.mp4", size_bytes=1, mtime_ns=1) == b
    assert store.videos()[1].codec == "vp9"
    np.testing.assert_array_equal(
        np.stack([store.vectors([key])[key] for key in ids_of(store, b)]), changed
    )
    assert store.copy_video(a, path="/films/a.mp4", size_bytes=8, mtime_ns=9) == a
    assert (store.videos()[0].size_bytes, len(ids_of(store, a))) == (8, 2)
    store.move_videos([(a, "/films/c.mp4", 1, 1)])
    assert [(v.id, v.path) for v in store.videos()] == [(b, "/films/b.mp4"), (a, "/films/c.mp4")]
    store.remove_videos([a])
    assert store.put_video(video("/films/c.mp4"), []) not in (a, b), "an id was used twice"
    assert store.problems() == []


def test_a_snapshot_sees_one_state(store: Store) -> None:
    every = Filter(paths=("*.mp4",))
    fill_store(store, 2)
    with open_store(store.address) as other, store.snapshot():
        assert store.nearest(unit_rows(1), 99, where=every).segment_ids.shape == (1, 8)
        other.put_video(video("/new.mp4"), segments(unit_rows(1)))
        assert len(store.videos()) == 2
        assert store.nearest(unit_rows(1), 99, where=every).segment_ids.shape == (1, 8)
        assert store.unmatched(Filter(paths=("/new.mp4",))) == ["/new.mp4"]
        assert other.nearest(unit_rows(1), 99, where=every).segment_ids.shape == (1, 9)
    assert store.nearest(unit_rows(1), 99, where=every).segment_ids.shape == (1, 9)
    assert store.unmatched(Filter(paths=("/new.mp4",))) == []


def test_one_writer_at_a_time(store: Store) -> None:
    with open_store(store.address) as second, store.writer():
        with pytest.raises(LibraryError, match="another c2v"):
            second.put_video(video("/a"), [])
        assert second.videos() == []


def test_a_filter_says_nothing_or_something(store: Store) -> None:
    fill_store(store, 2)
    assert store.nearest(unit_rows(1), 99, where=Filter()).segment_ids.shape == (1, 8)
    assert store.unmatched(Filter()) == []
    for ask in (store.unmatched, lambda where: store.nearest(unit_rows(1), 1, where=where)):
        with pytest.raises(PatternError, match="it is empty"):
            ask(Filter(paths=("",)))


def test_a_video_comes_back_as_it_went_in(store: Store) -> None:
    vectors = unit_rows(3)
    stored = segments(vectors)
    key = store.put_video(video("/films/a.mp4"), stored)
    record = store.video_by_path("/films/a.mp4")
    assert record is not None
    assert record.id == key
    for name in video("/films/a.mp4").__dataclass_fields__:
        assert getattr(record, name) == getattr(video("/films/a.mp4"), name)
    rows = store.segments_of([key])[key]
    assert [(r.path, r.start_seconds, r.end_seconds, r.duration_seconds) for r in rows] == [
        ("/films/a.mp4", float(i), float(i + 1), 2.5) for i in range(3)
    ]
    ids = [row.segment_id for row in rows]
    assert ids == ids_of(store, key)
    assert store.segment_rows(ids) == {row.segment_id: row for row in rows}
    frames = store.features(ids)
    for segment, key_, vector in zip(stored, ids, vectors, strict=True):
        times, features = frames[key_]
        assert times.dtype == np.float32
        assert features.dtype == np.float16
        np.testing.assert_array_equal(times, segment.times)
        np.testing.assert_array_equal(features, segment.features)
        np.testing.assert_array_equal(store.vectors([key_])[key_], vector)


def test_the_same_path_is_replaced_with_all_that_belonged_to_it(store: Store) -> None:
    store.record_failure("/films/a.mp4", size_bytes=1, mtime_ns=1, reason="no picture")
    store.put_video(video("/films/a.mp4"), segments(unit_rows(5)))
    store.put_video(video("/films/a.mp4", size_bytes=7), segments(unit_rows(2, seed=1)))
    assert [v.size_bytes for v in store.videos()] == [7]
    counts = store.counts()
    assert (counts.videos, counts.segments, counts.frames, counts.failures) == (1, 2, 6, 0)
    assert store.problems() == []


def test_moving_keeps_vectors_and_two_files_may_trade_names(store: Store) -> None:
    a = store.put_video(video("/films/a.mp4"), segments(unit_rows(2)))
    b = store.put_video(video("/films/b.mp4"), segments(unit_rows(2, seed=1)))
    before = ids_of(store, a), ids_of(store, b)
    moved = store.move_videos([(a, "/films/b.mp4", 11, 12), (b, "/films/a.mp4", 21, 22)])
    assert moved == 2
    assert (ids_of(store, a), ids_of(store, b)) == before
    assert [(v.id, v.path, v.size_bytes, v.mtime_ns) for v in store.videos()] == [
        (b, "/films/a.mp4", 21, 22),
        (a, "/films/b.mp4", 11, 12),
    ]


def test_moving_onto_another_video_forgets_that_one(store: Store) -> None:
    a = store.put_video(video("/films/a.mp4"), segments(unit_rows(2)))
    store.put_video(video("/films/b.mp4"), segments(unit_rows(2, seed=1)))
    assert store.move_videos([(a, "/films/b.mp4", 1, 1), (999, "/films/c.mp4", 1, 1)]) == 1
    assert [v.id for v in store.videos()] == [a]
    assert store.counts().segments == 2


def test_a_copy_has_its_own_segments(store: Store) -> None:
    vectors = unit_rows(2)
    a = store.put_video(video("/films/a.mp4"), segments(vectors))
    b = store.copy_video(a, path="/films/b.mp4", size_bytes=3, mtime_ns=4)
    copied = store.video_by_path("/films/b.mp4")
    assert copied is not None
    assert copied.id == b
    assert (copied.path, copied.size_bytes, copied.mtime_ns) == ("/films/b.mp4", 3, 4)
    assert copied.content_id == "content of /films/a.mp4"
    store.remove_videos([a])
    ids = ids_of(store, b)
    np.testing.assert_array_equal(np.stack(list(store.vectors(ids).values())), vectors)
    assert set(store.features(ids)) == set(ids)
    with pytest.raises(LibraryError, match="no video number 77"):
        store.copy_video(77, path="/x", size_bytes=0, mtime_ns=0)


def test_removing_cascades(store: Store) -> None:
    keys = [store.put_video(video(f"/{i}.mp4"), segments(unit_rows(3))) for i in range(4)]
    assert store.remove_videos([*keys[:3], 12345]) == 3
    counts = store.counts()
    assert (counts.videos, counts.segments, counts.frames) == (1, 3, 9)
    assert [len(batch.segment_ids) for batch in store.all_features()] == [3]
    assert store.nearest(unit_rows(1), 99).segment_ids.tolist() == [ids_of(store, keys[3])]


def test_listing_a_folder(store: Store) -> None:
    paths = ["/a/x.mp4", "/a/y/z.mp4", "/a.mp4", "/ab/x.mp4", "/a0.mp4", "/a-b/x.mp4"]
    for path in paths:
        store.put_video(video(path), [])
    assert [v.path for v in store.videos(under="/a")] == ["/a/x.mp4", "/a/y/z.mp4"]
    assert [v.path for v in store.videos(under=Path("/a/y"))] == ["/a/y/z.mp4"]
    assert len(store.videos(under="/")) == len(paths)


def test_a_name_that_is_not_utf8_survives(store: Store) -> None:
    path = os.fsdecode(b"/films/caf\xe9 \xff.mp4")
    key = store.put_video(video(path), segments(unit_rows(1)))
    found = store.video_by_path(path)
    assert found is not None
    assert found.path == path
    assert [v.id for v in store.videos(under="/films")] == [key]
    store.record_failure(path + "2", size_bytes=1, mtime_ns=2, reason="broken")
    assert [f.path for f in store.failures()] == [path + "2"]
    store.record_failure(path, size_bytes=1, mtime_ns=2, reason=f"{path} is broken")
    assert store.failures()[0].reason == "/films/caf\\udce9 \\udcff.mp4 is broken"
    partly = video(path, problems=(f"{path}: 3 frames lost",))
    store.put_video(partly, [])
    assert store.videos()[0].problems == partly.problems


def test_what_was_read_in_part_is_listed(store: Store) -> None:
    store.put_video(video("/whole", problems=()), segments(unit_rows(1)))
    for name in ("/b", "/a"):
        store.put_video(video(name, problems=("3 frames lost", "cut short")), [])
    assert [(v.path, v.problems) for v in store.partly_read()] == [
        ("/a", ("3 frames lost", "cut short")),
        ("/b", ("3 frames lost", "cut short")),
    ]
    store.put_video(video("/b", problems=()), [])  # read again, and well
    assert [v.path for v in store.partly_read()] == ["/a"]


def test_failures_are_kept_until_cleared_or_indexed(store: Store) -> None:
    for name in ("a", "b", "c"):
        store.record_failure(f"/{name}", size_bytes=1, mtime_ns=2, reason="no video stream")
    store.record_failure("/a", size_bytes=9, mtime_ns=8, reason="cut short")
    store.put_video(video("/b"), [])
    store.clear_failures(["/c"])
    (left,) = store.failures()
    assert (left.path, left.size_bytes, left.mtime_ns, left.reason) == ("/a", 9, 8, "cut short")


def test_a_batch_is_one_commit_and_keeps_what_was_finished(store: Store) -> None:
    def interrupted() -> None:
        with store.batch():
            store.put_video(video("/a"), segments(unit_rows(1)))
            assert other.counts().videos == 0  # not yet committed
            store.put_video(video("/b"), segments(unit_rows(1)))
            raise KeyboardInterrupt

    with open_store(store.address) as other:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert other.counts().videos == 2
    assert store.nearest(unit_rows(1), 5).segment_ids.shape == (1, 2)


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
    store: Store, change: dict[str, NDArray[np.float32]], message: str
) -> None:
    good = segments(unit_rows(1))[0]
    fields = {name: getattr(good, name) for name in good.__dataclass_fields__}
    with pytest.raises(C2VError, match=f"/a.mp4.*{message}"):
        store.put_video(video("/a.mp4"), [SegmentData(**{**fields, **change})])
    assert store.counts().videos == 0


def test_one_model_at_a_time(store: Store) -> None:
    other = ModelRecord("other", "head-2", "towers-2", feature_dim=8, vector_dim=DIM)
    store.set_model(other)  # nothing stored yet: free to change
    store.set_model(MODEL)
    fill_store(store, 2)
    with pytest.raises(LibraryError, match="filled by model toy, not other") as caught:
        store.set_model(other)
    assert caught.value.exit_code == 3
    assert "--model other" in caught.value.hint
    with pytest.raises(
        LibraryError, match="holds frames as toy saw them, of no use to other"
    ) as no:
        store.replace_vectors(other, iter(()))
    assert "2 videos" in no.value.hint
    assert "c2v index --model other" in no.value.hint
    store.record_failure("/broken", size_bytes=1, mtime_ns=1, reason="broken")
    store.reset(other)
    assert store.model == other
    assert (store.counts().videos, store.counts().failures) == (0, 1)
    assert store.problems() == []


def test_new_head_over_old_features(store: Store) -> None:
    fill_store(store, 10)
    with store.writer():
        pass
    wide = ModelRecord("wide", "head-9", "towers-1", feature_dim=8, vector_dim=3 * DIM)
    fresh = unit_rows(40, 3 * DIM, seed=5)
    sizes = []

    def embed() -> object:
        for batch in store.all_features(batch_size=7):
            sizes.append(len(batch.segment_ids))
            assert len(batch.features) == len(batch.segment_ids)
            yield batch.segment_ids, fresh[batch.segment_ids - 1]

    assert store.replace_vectors(wide, embed()) == 40  # type: ignore[arg-type]
    assert sizes == [7, 7, 7, 7, 7, 5]
    assert store.model == wide
    query = unit_rows(1, 3 * DIM, seed=6)
    found = store.nearest(query, 40)
    np.testing.assert_array_equal(found.segment_ids[0], np.argsort(-(fresh @ query[0])) + 1)
    with store.writer():
        pass
    assert store.problems() == []


@pytest.mark.parametrize("fault", ["missing", "twice", "unknown", "shape", "interrupt"])
def test_a_failed_re_embedding_changes_nothing(store: Store, fault: str) -> None:
    vectors = fill_store(store, 5)
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
        store.replace_vectors(wide, embed())  # type: ignore[arg-type]
    assert store.model == MODEL
    np.testing.assert_array_equal(
        np.stack([store.vectors([key])[key] for key in range(1, 21)]), vectors
    )
    assert store.problems() == []


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    times=st.lists(st.floats(0, 86400, width=32), min_size=1, max_size=20),
    halves=st.integers(0, 2**32 - 1),
)
def test_times_and_features_are_stored_to_the_bit(
    store: Store, times: list[float], halves: int
) -> None:
    numbers = np.random.default_rng(halves).standard_normal((len(times), 8)).astype(np.float16)
    segment = SegmentData(0.0, 9.0, np.array(times, np.float32), numbers, unit_rows(1)[0])
    key = store.put_video(video("/films/a.mp4"), [segment])
    (stored,) = store.features(ids_of(store, key)).values()
    np.testing.assert_array_equal(stored[0], np.array(times, np.float32))
    np.testing.assert_array_equal(stored[1], numbers)


def test_ties_are_ordered_by_segment_id(store: Store) -> None:
    same = np.tile(unit_rows(1), (4, 1))
    for name in ("a", "b", "c"):
        store.put_video(video(f"/{name}"), segments(same))
    for strategy in ("exact", "hnsw"):
        found = store.nearest(unit_rows(1), 7, strategy=strategy)
        assert found.segment_ids[0].tolist() == [1, 2, 3, 4, 5, 6, 7]
        assert len(set(found.scores[0].tolist())) == 1


@pytest.mark.parametrize("strategy", ["exact", "hnsw"])
def test_filter(store: Store, strategy: str) -> None:
    vectors = fill_store(store, 100)
    query = unit_rows(3, seed=9)
    allowed = Filter(paths=("/films/0-0000[12].mp4", "/films/0-00099.mp4", "/films/0-00100.mp4"))
    found = store.nearest(query, 20, strategy=strategy, where=allowed)
    assert found.segment_ids.shape == (3, 12)
    inside = np.array([5, 6, 7, 8, 9, 10, 11, 12, 397, 398, 399, 400])
    for line in range(3):
        order = np.argsort(-(vectors[inside - 1] @ query[line]))
        assert found.segment_ids[line].tolist() == inside[order].tolist()
    assert store.unmatched(allowed) == ["/films/0-00100.mp4"]
    none = store.nearest(query, 10, strategy=strategy, where=Filter(paths=("/nowhere",)))
    assert none.segment_ids.shape == (3, 0)
    removed = store.remove_videos([2])
    assert removed == 1
    found = store.nearest(query, 20, strategy=strategy, where=allowed)
    assert set(found.segment_ids[0].tolist()) == {9, 10, 11, 12, 397, 398, 399, 400}


def test_questions_that_make_no_sense(store: Store) -> None:
    fill_store(store, 2)
    with pytest.raises(UsageError, match="no search strategy 'ivf'"):
        store.nearest(unit_rows(1), 1, strategy="ivf")
    with pytest.raises(UsageError):
        store.nearest(unit_rows(1), -1)
    with pytest.raises(LibraryError, match="vectors of 16 numbers, by model toy") as caught:
        store.nearest(unit_rows(1, DIM + 1), 1)
    assert "--model toy" in caught.value.hint
    with pytest.raises(C2VError, match="not finite"):
        store.nearest(np.full((1, DIM), np.nan, np.float32), 1)
    assert store.nearest(np.empty((0, DIM), np.float32), 5).segment_ids.shape == (0, 5)
    assert store.nearest(unit_rows(2), 0).segment_ids.shape == (2, 0)


def test_tags_survive_indexing_again_and_go_with_their_video(store: Store) -> None:
    a = store.put_video(video("/a.mp4"), segments(unit_rows(1)))
    b = store.put_video(video("/b.mp4"), segments(unit_rows(1)))
    dog, beach = Tag(a, "Dog", 0.7), Tag(a, "beach", 1.0, by_hand=True)
    store.write_tags([dog, beach, Tag(b, "dog", 0.4)])
    store.write_tags([Tag(a, "beach", 0.2)])  # a measurement does not touch what a person said
    assert store.tags([a]) == [beach, dog]
    assert len(store.tags()) == 3
    store.put_video(video("/a.mp4", codec="vp9"), segments(unit_rows(1)))
    assert store.tags([a]) == [beach, dog]
    c = store.copy_video(a, path="/c.mp4", size_bytes=1, mtime_ns=1)
    assert [tag.name for tag in store.tags([c])] == ["beach", "Dog"]
    store.put_video(video("/a.mp4", content_id="another film"), segments(unit_rows(1)))
    assert store.tags([a]) == [beach]
    assert store.remove_tags(["DOG"], video_ids=[b]) == 1
    assert store.remove_tags(video_ids=[a], by_hand=False) == 0
    store.remove_videos([a, c])
    assert store.tags() == []
    with pytest.raises(LibraryError, match="no video number 77"):
        store.write_tags([Tag(77, "dog", 0.5)])
    with pytest.raises(C2VError, match=r"0 to 1"):
        Tag(b, "dog", 1.5)


def test_contents_told_apart_are_remembered_without_their_files(store: Store) -> None:
    store.tell_apart([("b", "a"), ("a", "b"), ("a", "a"), ("c", "d")])
    store.reset(MODEL)
    assert store.told_apart() == {("a", "b"), ("c", "d")}
    assert store.forget_told_apart([("b", "a"), ("x", "y")]) == 1
    assert store.told_apart() == {("c", "d")}


def test_a_calibration_lasts_as_long_as_its_model(store: Store) -> None:
    assert store.calibration("confidence") is None
    store.write_calibration("confidence", {"slope": 12.5, "bank": [0.25, 0.5]})
    store.put_video(video("/a.mp4"), segments(unit_rows(1)))
    with open_store(store.address) as other:
        assert other.calibration("confidence") == {"slope": 12.5, "bank": [0.25, 0.5]}
    store.write_calibration("confidence", 3)
    assert store.calibration("confidence") == 3
    store.reset(MODEL)
    assert store.calibration("confidence") is None


def test_the_time_of_recording_is_kept(store: Store) -> None:
    store.put_video(video("/a.mp4", recorded_at=1682942400.5), [])
    key = store.put_video(video("/b.mp4"), [])
    store.copy_video(key, path="/c.mp4", size_bytes=1, mtime_ns=1)
    assert [record.recorded_at for record in store.videos()] == [1682942400.5, None, None]


def test_filters_by_what_is_stored_of_a_video(store: Store) -> None:
    year = 365 * 86400.0
    films = {
        "a.mp4": {"mtime_ns": int(10 * year * 1e9), "duration_seconds": 10.0, "height": 480},
        "b.MKV": {"mtime_ns": int(10 * year * 1e9), "recorded_at": 20 * year, "height": 1080},
        "mp4.avi": {"mtime_ns": int(30 * year * 1e9), "duration_seconds": 90.0, "height": 720},
    }
    keys = {
        name: store.put_video(video(f"/films/{name}", **changes), segments(unit_rows(2)))
        for name, changes in films.items()
    }
    store.write_tags([Tag(keys["a.mp4"], "Dog", 0.6), Tag(keys["mp4.avi"], "cat", 0.6)])
    every = set(films)
    for where, expected in (
        (Filter(extensions=("mp4",)), {"a.mp4"}),
        (Filter(extensions=("mkv", "avi")), {"b.MKV", "mp4.avi"}),
        (Filter(since=20 * year), {"b.MKV", "mp4.avi"}),
        (Filter(until=20 * year), {"a.mp4"}),
        (Filter(since=0.0, until=99 * year), every),
        (Filter(min_duration=10.0, max_duration=89.9), {"a.mp4"}),
        (Filter(min_height=720), {"b.MKV", "mp4.avi"}),
        (Filter(tags=("dog", "horse")), {"a.mp4"}),
        (Filter(tags=("horse",)), set()),
        (Filter(paths=("/films",), extensions=("mp4",), tags=("DOG",)), {"a.mp4"}),
        (Filter(paths=("/films/b.MKV", "*.avi"), min_height=1000), {"b.MKV"}),
        (Filter(paths=("/films/b.MKV",), extensions=("mp4",)), set()),
    ):
        assert store.passing(where) == (len(expected), 3), where
        found = store.nearest(unit_rows(1), 99, where=where).segment_ids[0].tolist()
        rows = store.segment_rows(found)
        assert {os.path.basename(rows[key].path) for key in found} == expected, where  # noqa: PTH119
        assert len(found) == 2 * len(expected)


def test_a_filter_sees_what_was_written_meanwhile(store: Store) -> None:
    fill_store(store, 3)
    where, key = Filter(tags=("dog",)), store.videos()[1].id
    assert store.passing(where) == (0, 3)
    with open_store(store.address) as other:
        other.write_tags([Tag(key, "dog", 0.5)])
    assert store.passing(where) == (1, 3)
    store.remove_tags(["dog"])
    assert store.passing(where) == (0, 3)


def test_a_filter_that_many_videos_pass(store: Store) -> None:
    vectors = fill_store(store, 700, each=2)
    half = [record.id for record in store.videos()[::2]]
    store.remove_videos([half[3]])
    again = store.copy_video(half[5], path="/films/copy.mp4", size_bytes=1, mtime_ns=1)
    store.write_tags(Tag(key, "half", 0.5) for key in store_ids(store)[: 2 * len(half)])
    where = Filter(tags=("half",))
    passed, _ = store.passing(where)
    assert passed > 500
    tagged = sorted({tag.video_id for tag in store.tags()})
    expected = sorted(key for video_id in tagged for key in ids_of(store, video_id))
    found = store.nearest(vectors[:1], 9999, where=where).segment_ids[0].tolist()
    assert sorted(found) == expected
    assert ids_of(store, again)
    inside = set(expected)
    every = store.nearest(vectors[:3], 9999).segment_ids
    few = store.nearest(
        vectors[:3], 7, where=where
    ).segment_ids  # most pass: out of the best of all
    for line in range(3):
        assert few[line].tolist() == [key for key in every[line].tolist() if key in inside][:7]


def store_ids(store: Store) -> list[int]:
    """Ids of all videos but the last few."""
    return sorted(record.id for record in store.videos())[:-5]


# -- lines of subtitles ---------------------------------------------------------------------------


def spoken(*texts: str, path: str = IN_THE_VIDEO, mtime_ns: int = 1, **of: int) -> SubtitleData:
    """Lines of a second each, every ten seconds."""
    lines = tuple(Line(10.0 * n, 10.0 * n + 1, text) for n, text in enumerate(texts))
    return SubtitleData(SubtitleState(path, 9, mtime_ns), lines, **of)


def said(store: Store, *words: str, limit: int = 99, **where: object) -> list[tuple[int, str]]:
    """Videos and lines with all of these words; one that ends with a star may go on."""
    wanted = tuple(SaidWords(word.rstrip("*"), word.endswith("*")) for word in words)
    found = store.said(Filter(said=wanted, **where), limit=limit)  # type: ignore[arg-type]
    return [(one.video_id, one.line.text) for one in found]


def two_films(store: Store) -> tuple[int, int]:
    a = store.put_video(video("/films/a.mp4", duration_seconds=99.0), segments(unit_rows(3)))
    b = store.put_video(video("/films/b.mkv"), segments(unit_rows(3, seed=1)))
    return a, b


def test_lines_are_found_by_their_words(store: Store) -> None:
    assert store.keeps_lines
    assert said(store, "anything") == []
    a, b = two_films(store)
    cake = "Happy birthday! Here is a long line about a Crème brûlée"
    store.write_subtitles(a, [spoken("Happy birthday", cake)])
    store.write_subtitles(b, [spoken("happier than ever", path="b.srt", without_text=1)])
    assert said(store, "happy") == [(a, "Happy birthday"), (a, cake)]
    assert said(store, "BIRTHDAY", "happy", limit=1) == [(a, "Happy birthday")]
    assert said(store, "creme brulee") == said(store, "CRÈME", "brûlée") == [(a, cake)]
    assert said(store, "birthday happy") == [], "words that were written together are in a row"
    assert said(store, "happ*", limit=1) == [(a, "Happy birthday")]
    assert len(said(store, "happ*")) == 3
    assert said(store, "happ") == []
    (found,) = store.said(Filter(said=(SaidWords("ever"),)), limit=9)
    assert (found.path, found.line) == ("/films/b.mkv", Line(0.0, 1.0, "happier than ever"))
    assert found.duration_seconds == 2.5
    counts = store.counts()
    assert (counts.lines, counts.without_text) == (3, 1)
    assert store.problems() == []


@pytest.mark.parametrize(
    ("text", "found", "lost"),
    [
        ("祝你生日快乐", ("生日", "快", "祝你生日快乐", "日快"), ("日生", "快日")),
        ("お誕生日おめでとう", ("誕生日", "おめで", "めでとう"), ("めで誕",)),
        ("생일 축하합니다", ("생일", "축하"), ("하축",)),
        ("สุขสันต์วันเกิด", ("วัน",), ()),
        ("С днём рождения", ("днем", "РОЖДЕНИЯ"), ("дня",)),
        ("जन्मदिन मुबारक", ("मुबारक", "जन्मदिन"), ("मबारक",)),
        ("weiße Straße", ("strasse", "WEISSE"), ()),
        ("ﬁne １２３", ("fine", "123"), ()),
        ("party \U0001f973\U0001f382!", ("\U0001f382", "party"), ("\U0001f383",)),
        ("don't you dare", ("don't", "don’t"), ("dont't",)),
    ],
)
def test_lines_of_any_language(
    store: Store, text: str, found: tuple[str, ...], lost: tuple[str, ...]
) -> None:
    a, _ = two_films(store)
    store.write_subtitles(a, [spoken(text)])
    assert {word: said(store, word) for word in found} == {word: [(a, text)] for word in found}
    assert {word: said(store, word) for word in lost} == {word: [] for word in lost}


HOSTILE = (
    '"', '""', "*", "**", "NEAR(", "NEAR(a b, 3)", "words:x", "col : y", "a OR b", "NOT x",
    "AND AND", "^a", "-a", "+", "{a b}: c", "(", ")", "'", ";", "a\0b", "\ud800", "%",
    "\U0001f382", " ", "\\",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_words_are_an_error(store: Store, text: str) -> None:
    a, _ = two_films(store)
    store.write_subtitles(a, [spoken("nothing of the kind")])
    for one in (text, f"{text}*", f'"{text}"'):
        assert said(store, one) == []
        assert said(store, one, "nothing") in ([], [(a, "nothing of the kind")])


def test_a_filter_counts_for_lines(store: Store) -> None:
    a, b = two_films(store)
    for key in (a, b):
        store.write_subtitles(key, [spoken("the same")])
    assert said(store, "same") == [(a, "the same"), (b, "the same")]
    assert said(store, "same", paths=("*.mkv",)) == [(b, "the same")]
    assert said(store, "same", min_duration=50.0) == [(a, "the same")]
    where = Filter(said=(SaidWords("same"),))
    assert [one.video_id for one in store.said(where, limit=9, video_ids=[b])] == [b]
    assert store.passing(where) == (2, 2)
    assert store.passing(Filter(said=(SaidWords("other"),))) == (0, 2)


def test_what_is_seen_is_found_near_what_is_said(store: Store) -> None:
    """Segments of other times of the same video are left out; so are other videos."""
    vectors = unit_rows(60)
    a = store.put_video(video("/a.mp4", duration_seconds=60.0), segments(vectors))
    store.put_video(video("/b.mp4"), segments(unit_rows(60, seed=1)))
    store.write_subtitles(a, [spoken("once", "now", "later", "now and then")])
    where = Filter(said=(SaidWords("now"),))
    found = store.nearest(vectors[:1], 99, where=where)
    rows = store.segment_rows(found.segment_ids[0])
    assert {row.video_id for row in rows.values()} == {a}
    starts = sorted(row.start_seconds for row in rows.values())
    assert starts == [float(n) for n in (*range(5, 16), *range(25, 36))]
    for strategy in ("exact", "hnsw"):
        assert store.nearest(vectors[12:13], 1, strategy=strategy, where=where).scores[0, 0] > 0.99
    nowhere = Filter(said=(SaidWords("never"),))
    assert store.nearest(vectors[:1], 9, where=nowhere).segment_ids.shape == (1, 0)


def test_lines_live_and_die_with_their_file_and_their_video(store: Store) -> None:
    a, b = two_films(store)
    store.write_subtitles(a, [spoken("inside"), spoken("beside", path="a.srt")])
    store.write_subtitles(b, [spoken("elsewhere")])
    assert {key: [s.path for s in some] for key, some in store.subtitles().items()} == {
        a: ["", "a.srt"], b: [""],
    }  # fmt: skip
    store.write_subtitles(a, [spoken("anew", path="a.srt", mtime_ns=2)])
    assert (said(store, "beside"), said(store, "anew")) == ([], [(a, "anew")])
    assert SubtitleState("a.srt", 9, 2) in store.subtitles()[a]
    store.forget_subtitles(a, ["a.srt"])
    assert (said(store, "anew"), said(store, "inside")) == ([], [(a, "inside")])
    c = store.copy_video(a, path="/films/c.mp4", size_bytes=1, mtime_ns=1)
    assert said(store, "inside") == [(a, "inside"), (c, "inside")]
    store.move_videos([(a, "/films/b.mkv", 1, 1)])  # in place of b
    assert (said(store, "elsewhere"), said(store, "inside")[0]) == ([], (a, "inside"))
    store.put_video(video("/films/b.mkv"), segments(unit_rows(1)))
    assert said(store, "inside") == [(c, "inside")]
    assert a not in store.subtitles()
    store.remove_videos([c])
    assert said(store, "inside") == []
    assert store.counts().lines == 0
    store.write_subtitles(a, [spoken("last")])
    store.reset(ModelRecord("other", "head-2", "towers-2", feature_dim=8, vector_dim=DIM))
    assert (said(store, "last"), store.counts().lines) == ([], 0)
    assert store.problems() == []
    with pytest.raises(LibraryError, match="no video number 999"):
        store.write_subtitles(999, [spoken("nobody")])

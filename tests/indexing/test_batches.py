"""Pictures in batches: across videos, each encoded once, and no trace of it in the features."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.indexing import decoding
from c2v.indexing.assembly import BatchSize
from c2v.indexing.decoding import DecodePool, split
from c2v.indexing.events import Closed, Decoded
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.plan import Job
from c2v.indexing.reembedding import model_record
from c2v.library import open_store
from c2v.media import frames
from c2v.media.picture import FrameShape
from c2v.media.sampling import Sampling
from c2v.media.scan import scan


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("mini", device="cpu")


@pytest.fixture(scope="module")
def folder(videos: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip, a longer video of several segments, and one with a single keyframe."""
    folder = tmp_path_factory.mktemp("videos")
    videos.make_video(folder / "clip.mp4", count=60, rate=5)
    videos.make_video(folder / "long.mp4", count=270, rate=3, group=40)
    videos.make_video(folder / "one-key.mp4", count=50, rate=5, group=250)
    return folder


def features_of(
    place: Path, folder: Path, bundle: Bundle, options: IndexOptions
) -> dict[tuple[str, float], tuple[NDArray[Any], ...]]:
    """By file and start: times, features and vector of every segment."""
    with open_store(place, create=True) as library:
        library.set_model(model_record(bundle))
        report = index_paths(library, bundle, [folder], options=options)
        assert (report.failed, report.partly) == ((), ())
        rows = library.segments_of([video.id for video in library.videos()])
        segments = [row for one in rows.values() for row in one]
        ids = [row.segment_id for row in segments]
        features, vectors = library.features(ids), library.vectors(ids)
    return {
        (row.path, row.start_seconds): (*features[row.segment_id], vectors[row.segment_id])
        for row in segments
    }


@pytest.mark.parametrize("sampling", ["exact", "fast"])
def test_features_do_not_depend_on_workers_and_batches(
    tmp_path: Path, folder: Path, bundle: Bundle, sampling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = IndexOptions(exactness=sampling, workers=1, batch_size=64)
    expected = features_of(tmp_path / "one", folder, bundle, plain)
    assert len(expected) > 1 + 5 + 1  # the longer one is cut where what is seen changes
    monkeypatch.setattr(decoding, "SHORTEST_PART_FRAMES", 5)
    monkeypatch.setattr(decoding, "PART_FRAMES", 17)
    monkeypatch.setattr(frames, "PICTURES_A_CHUNK", 3)
    others = IndexOptions(exactness=sampling, workers=3, batch_size=7)
    found = features_of(tmp_path / "three", folder, bundle, others)
    assert found.keys() == expected.keys()
    for key, parts in expected.items():
        for one, other in zip(parts, found[key], strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_picture_that_is_shown_twice_is_encoded_once(
    tmp_path: Path, folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    encode = bundle.encode_frames

    def counting(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        encoded.append(len(images))
        return encode(images)

    monkeypatch.setattr(bundle, "encode_frames", counting)
    options = IndexOptions(exactness="fast")
    found = features_of(tmp_path / "library", folder / "one-key.mp4", bundle, options)
    ((times, features, _),) = found.values()
    near = times == 0  # five seconds is as far as it goes for a keyframe
    assert near.sum() == 6
    assert len(np.unique(times)) == 7
    assert len(times) == 12
    assert sum(encoded) == 7
    assert len(np.unique(features[near], axis=0)) == 1
    assert len(np.unique(features, axis=0)) == 7


def test_one_file_alone_is_shared_between_the_workers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both must be in it at the same time: a barrier lets neither through alone."""
    together = threading.Barrier(2)
    decode = decoding.decode_range

    def meeting(*arguments: Any, **options: Any) -> Iterator[Any]:
        together.wait(timeout=20)
        return decode(*arguments, **options)

    monkeypatch.setattr(decoding, "decode_range", meeting)
    (file,) = scan([folder / "long.mp4"], on_problem=print)
    job = Job(file, "id", Sampling(), updates=False)
    pool = DecodePool([job], shape=FrameShape(32), options=IndexOptions(), workers=2)
    pool.start()
    events = []
    while not events or not isinstance(events[-1], Closed):
        events.append(pool.events.get(timeout=30))
    pool.stop()
    indices = np.concatenate(
        [event.frames.indices for event in events if isinstance(event, Decoded)]
    )
    assert sorted(indices) == list(range(90))


@pytest.mark.parametrize("count", [0, 1, 23, 60, 240, 241, 7200])
@pytest.mark.parametrize("shares", [1, 2, 16])
def test_split_covers_all(count: int, shares: int) -> None:
    ranges = split(count, shares=shares)
    assert [n for first, last in ranges for n in range(first, last)] == list(range(count))
    assert all(last - first <= 240 for first, last in ranges)
    if count >= 24 * shares:
        assert len(ranges) >= shares


def test_batch_size_grows_only_where_that_pays() -> None:
    def settled(seconds_a_call: float, seconds_a_picture: float) -> int:
        size = BatchSize(32)
        for _ in range(20):
            size.encoded(size.limit - 1, 1e-9)  # not full: says nothing
            size.encoded(size.limit, seconds_a_call + seconds_a_picture * size.limit)
        return size.limit

    assert settled(0.0, 0.02) == 32
    assert settled(0.1, 0.0001) == 512
    assert settled(0.02, 0.001) == 128

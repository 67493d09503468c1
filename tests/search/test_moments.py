"""Moments out of frames: where in a segment, over its edges, each place once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.errors import DamagedRowsError
from c2v.library import ModelRecord, NewVideo, SegmentData, Store, open_store
from c2v.search.moments import Place, places

DOG, CAT, NIGHT = np.eye(8, dtype=np.float32)[:3]


def film(*scenes: tuple[NDArray[np.float32], int]) -> list[SegmentData]:
    """A film of one frame a second, in segments of 6 s, whose scenes are of so many seconds."""
    random = np.random.default_rng(1)
    frames = np.concatenate([np.repeat(what[None], count, axis=0) for what, count in scenes])
    frames += 0.02 * random.standard_normal(frames.shape).astype(np.float32)
    segments = []
    for start in range(0, len(frames), 6):
        part = frames[start : start + 6]
        mean = part.mean(axis=0)
        times = np.arange(start, start + len(part), dtype=np.float32) + 0.5
        vector = (mean / np.linalg.norm(mean)).astype(np.float32)
        end = float(start + len(part))
        segments.append(SegmentData(float(start), end, times, part.astype(np.float16), vector))
    return segments


def filled(place: Path, *films: Sequence[SegmentData]) -> Store:
    store = open_store(str(place / "library"), create=True)
    store.set_model(ModelRecord("m", "f", "t", 8, 8))
    for number, segments in enumerate(films):
        video = NewVideo(
            path=f"/films/{number}.mp4", size_bytes=1, mtime_ns=1, content_id=str(number),
            duration_seconds=segments[-1].end_seconds, width=8, height=8, codec="h264",
            sampling="6", problems=(),
        )  # fmt: skip
        store.put_video(video, segments)
    return store


def found(store: Store, what: NDArray[np.float32], *, top: int = 10, join: bool) -> list[Place]:
    nearest = store.nearest(what[None], 100)
    rows = store.segment_rows(nearest.segment_ids[0])
    ids = nearest.segment_ids[0].tolist()
    ranked = [(s, rows[i]) for s, i in zip(nearest.scores[0].tolist(), ids, strict=True)]
    return places(store, what, [one for one in ranked if one[0] > 0.3], top=top, join=join)


def test_a_moment_is_the_part_that_shows_it(tmp_path: Path) -> None:
    with filled(tmp_path, film((NIGHT, 2), (DOG, 3), (CAT, 7))) as store:
        (place,) = found(store, DOG, join=True)
    assert (place.start, place.end) == (2.0, 5.0)
    assert 2.0 < place.best < 5.0


def test_a_moment_goes_on_over_the_edge_of_a_segment_and_is_one(tmp_path: Path) -> None:
    with filled(tmp_path, film((NIGHT, 4), (DOG, 5), (CAT, 9))) as store:
        (place,) = found(store, DOG, join=True)
    assert (place.start, place.end) == (4.0, 9.0)


def test_every_good_place_once(tmp_path: Path) -> None:
    twice = film((DOG, 9), (CAT, 12), (DOG, 15))
    with filled(tmp_path, twice, film((NIGHT, 6), (DOG, 6))) as store:
        every = found(store, DOG, join=True)
        spans = sorted((one.row.path, one.start, one.end) for one in every)
        first = found(store, DOG, top=2, join=True)
    assert spans == [
        ("/films/0.mp4", 0.0, 9.0),
        ("/films/0.mp4", 21.0, 36.0),
        ("/films/1.mp4", 6.0, 12.0),
    ]
    assert len(first) == 2


@pytest.mark.parametrize("join", [True, False])
def test_a_question_without_direction_is_answered(tmp_path: Path, join: bool) -> None:
    with filled(tmp_path, film((DOG, 12))) as store:
        rows = store.segments_of([1])[1]
        ranked = [(0.5, row) for row in rows]
        assert places(store, np.zeros(8, np.float32), ranked, top=3, join=join)


def test_damage_beside_a_hit_is_no_harm(tmp_path: Path) -> None:
    with filled(tmp_path, film((NIGHT, 4), (DOG, 5), (CAT, 9))):
        pass
    database = sqlite3.connect(tmp_path / "library" / "library.db")
    database.execute(
        "UPDATE feature SET features = zeroblob(length(features)) WHERE segment_id = 2"
    )
    database.commit()
    database.close()
    with open_store(str(tmp_path / "library")) as store:
        rows = store.segments_of([1])[1]
        (place,) = places(store, DOG, [(0.5, rows[0])], top=3, join=True)
        assert (place.start, place.end) == (4.0, 6.0)  # nothing is known of what comes after
        assert store.left_out() == ["/films/0.mp4"]
        with pytest.raises(DamagedRowsError):
            places(store, DOG, [(0.5, rows[1])], top=3, join=True)

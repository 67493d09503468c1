"""What counts as the same: sketches made of numbers, so that every case is exact."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.media.sketches import PICTURES_A_SECOND, SIDE, Sketch
from c2v.search.duplicates import Shared, components, without_recurring
from c2v.search.lookalikes import ALL_UP_TO, Rows, joined, lookalikes, rows_of
from c2v.search.overlaps import Overlap, overlap

RATE = int(PICTURES_A_SECOND)


def scene(seconds: float, *, seed: int) -> NDArray[np.float64]:
    """Pictures [T, SIDE, SIDE] of a smooth random scene in which everything drifts."""
    chance = np.random.default_rng(seed)
    count = int(seconds * RATE)
    knots = chance.uniform(20, 230, (count // RATE + 3, SIDE, SIDE))
    times = np.arange(count) / RATE
    first = times.astype(int)
    share = (times - first)[:, None, None]
    return knots[first] * (1 - share) + knots[first + 1] * share


def sketched(pictures: NDArray[np.float64], *, noise: float = 0.0, seed: int = 0) -> Sketch:
    grain = np.random.default_rng(seed).standard_normal(pictures.shape) * noise
    times = np.arange(len(pictures), dtype=np.float32) / RATE
    return Sketch(times, (pictures + grain).astype(np.float16))


def test_a_cut_copy_is_found_where_it_was_cut() -> None:
    whole = scene(12, seed=1)
    found = overlap(sketched(whole), sketched(whole[3 * RATE : 8 * RATE] * 0.8 + 10, noise=1.0))
    assert found is not None
    assert found.whole
    assert (found.offset, found.confidence > 0.95) == (-3.0, True)
    assert found.seconds == pytest.approx(5.0, abs=0.3)
    assert found.spans[0][0] == pytest.approx(3.0, abs=0.3)


def test_strangers_and_another_take_of_the_scene_share_nothing() -> None:
    assert overlap(sketched(scene(10, seed=1)), sketched(scene(10, seed=2))) is None
    background = scene(1, seed=3)[0]
    takes = [background + (scene(10, seed=seed) - 128) * 0.2 for seed in (4, 5)]
    near = np.corrcoef(takes[0].reshape(len(takes[0]), -1)[5], takes[1].reshape(160, -1)[5])[0, 1]
    assert near > 0.9  # the pictures alone would tell nothing
    assert overlap(sketched(takes[0]), sketched(takes[1])) is None
    assert overlap(sketched(takes[0]), sketched(takes[0], noise=1.0)) is not None


def test_black_and_even_pictures_are_no_evidence() -> None:
    black = np.zeros((4 * RATE, SIDE, SIDE))
    films = [np.concatenate([black, scene(5, seed=seed)]) for seed in (1, 2)]
    assert overlap(sketched(black), sketched(black)) is None
    assert overlap(sketched(films[0]), sketched(films[1])) is None
    fades = [
        np.concatenate([film[4 * RATE :][: 2 * RATE] * np.linspace(0, 1, 2 * RATE)[:, None, None],
                        film[6 * RATE :]]) for film in films
    ]  # fmt: skip
    assert overlap(sketched(fades[0]), sketched(fades[1])) is None
    again = overlap(sketched(films[0]), sketched(films[0], noise=1.0))
    assert again is not None
    assert again.seconds == pytest.approx(5.0, abs=0.5)  # the black does not count


def test_less_than_two_seconds_are_enough_only_for_all_of_a_video() -> None:
    shared = scene(1.5, seed=1)
    one = np.concatenate([shared, scene(6, seed=2)])
    other = np.concatenate([shared, scene(6, seed=3)])
    assert overlap(sketched(one), sketched(other)) is None
    alone = overlap(sketched(one), sketched(shared, noise=0.5))
    assert alone is not None
    assert alone.whole


def test_of_a_film_that_repeats_itself_the_nearest_turn_is_meant() -> None:
    turn = scene(4, seed=1)
    found = overlap(sketched(np.concatenate([turn] * 3)), sketched(turn, noise=0.5))
    assert found is not None
    assert found.offset == 0.0


def test_still_pictures_are_the_same_or_not() -> None:
    one, other = (np.repeat(scene(1, seed=seed)[:1], 5 * RATE, axis=0) for seed in (1, 2))
    same = overlap(sketched(one), sketched(one * 0.95))
    assert same is not None
    assert same.confidence == 0.5
    assert overlap(sketched(one), sketched(other)) is None
    assert overlap(sketched(one), sketched(one[: 3 * RATE])) is None  # of another length


def shared(one: int, other: int, start: float, end: float, *, whole: bool = False) -> Shared:
    return Shared(one, other, Overlap(0.0, ((start, end),), end - start, 0.0, 1.0, 1.0, 1.0, whole))


def test_what_three_strangers_share_is_no_evidence() -> None:
    durations = dict.fromkeys(range(1, 6), 60.0)
    intro = [shared(a, b, 0, 8) for a, b in ((1, 2), (1, 3), (2, 3))]
    assert without_recurring(intro, durations) == []
    assert without_recurring(intro[:1], durations) == intro[:1]  # two may be copies
    more = [*intro[1:], shared(1, 2, 0, 14)]
    (kept,) = without_recurring(more, durations)
    assert (kept.one, kept.other) == (1, 2)
    assert kept.overlap.spans == ((8.0, 14.0),)


def test_copies_of_copies_are_no_strangers() -> None:
    durations = dict.fromkeys(range(1, 5), 60.0)
    copies = [shared(a, b, 0, 58) for a in range(1, 5) for b in range(a + 1, 5)]
    assert without_recurring(copies, durations) == copies
    durations |= {5: 6.0}
    part = shared(1, 5, 0, 6, whole=True)
    assert part in without_recurring([*copies, part], durations)


def test_pairs_make_groups() -> None:
    assert components([(3, 4), (1, 2), (2, 9), (7, 8), (4, 7)]) == [[1, 2, 9], [3, 4, 7, 8]]
    assert components([]) == []


def unit(rows: NDArray[np.float64]) -> NDArray[np.float16]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float16)


@pytest.mark.parametrize("videos", [ALL_UP_TO, 400, 2500])
def test_copies_are_proposed_among_many(videos: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tenth video has a copy whose rows are as near as copies are; the rest are strangers.

    With 2,500 videos there are more rows than are compared each with each.
    """
    monkeypatch.setattr("c2v.search.lookalikes._CELLS_FROM", 2_000)
    chance = np.random.default_rng(0)
    rows = chance.standard_normal((videos, 2, 64))
    copies = rows[: videos // 10] + 0.5 * chance.standard_normal((videos // 10, 2, 64))
    every = np.concatenate([rows, copies])
    owners = np.repeat(np.arange(len(every)), 2)
    made = Rows(owners, np.zeros(len(owners), np.float32), unit(every.reshape(-1, 64)))
    found = {(pair.one, pair.other) for pair in lookalikes(made)}
    wanted = {(n, videos + n) for n in range(videos // 10)}
    assert len(wanted & found) >= 0.97 * len(wanted)
    if videos > ALL_UP_TO:
        assert len(found) < 0.05 * videos**2 / 2


def test_rows_are_the_stretches_of_a_video() -> None:
    features = np.repeat(np.eye(4)[[0, 2]], 6, axis=0).astype(np.float16) * 3
    rows = joined([rows_of(7, np.arange(12, dtype=np.float32), features)])
    assert rows.owners.tolist() == [7, 7]
    assert rows.seconds.tolist() == [2.5, 8.5]
    np.testing.assert_array_equal(rows.vectors, np.eye(4)[[0, 2]])

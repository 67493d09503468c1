"""``cluster``: like videos together, with a name; the kinds of real clips are recovered."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import c2v
from c2v.cli.app import run
from c2v.errors import DataError, UsageError

KINDS = {
    "music": ["aa_playing_guitar", "vl_22", "video1820"],
    "sport and dance": ["aa_yoga", "anyv2v_Ballet", "mma_struct", "tav_man-skiing", "video7202"],
    "animals": ["cve_1", "imageio_cockatoo", "sam2_dog"],
    "vehicles": ["bikes", "intel_car", "md_woman-riding-bike", "dvl_boat", "carphone_pristine"],
    "food": ["sam2_coffee", "UXs3eq68ZjE", "dvl_birthday", "intel_bottle"],
    "a class": ["video1882", "video2262", "video231", "video2752", "video4434", "video6415",
                "video8331", "video9880", "video5311"],
    "something else": ["intel_person", "tc_nasa", "video6188"],
}  # fmt: skip
"""By what their captions say; all other clips show somebody talking."""


def kind_of(path: Path) -> str:
    for kind, stems in KINDS.items():
        for stem in stems:
            if path.stem == stem or (not stem.startswith("video") and path.stem.startswith(stem)):
                return kind
    return "somebody talking"


def adjusted_rand_index(one: NDArray, other: NDArray) -> float:
    """How alike two groupings are: 1 for the same, 0 on average for unrelated ones."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)

    def pairs(counts: NDArray) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / (len(one) * (len(one) - 1) / 2)
    return (both - expected) / ((rows + columns) / 2 - expected)


def test_the_index_itself() -> None:
    a = np.array([0, 0, 1, 1, 2])
    assert adjusted_rand_index(a, np.array([2, 2, 0, 0, 1])) == 1
    assert adjusted_rand_index(a, np.array([0, 1, 0, 1, 0])) < 0


def test_kinds_of_real_clips_are_recovered(real_clips: Path) -> None:
    """Seen: 13 groups, adjusted Rand index 0.38. Of 1000 shuffles of them the mean was 0.00, the
    tenth best 0.12, the best 0.20."""
    with c2v.open(real_clips) as videos:
        found = videos.cluster()
    rows = [(one.rank - 1, kind_of(Path(video.path))) for one in found for video in one]
    assert len(rows) == 43
    groups = np.array([number for number, _ in rows])
    kinds = np.unique([kind for _, kind in rows], return_inverse=True)[1]
    random = np.random.default_rng(0)
    chance = [adjusted_rand_index(random.permutation(groups), kinds) for _ in range(1000)]
    assert abs(np.mean(chance)) < 0.02
    assert adjusted_rand_index(groups, kinds) > 0.25 > max(chance)
    names = {one.name: [Path(video.path).stem for video in one] for one in found}
    assert names["a boat"] == ["dvl_boat"]
    assert names["skiing"] == ["tav_man-skiing"]


def test_groups_of_a_library(filled: Path) -> None:
    with c2v.open(filled) as videos:
        found = videos.cluster(count=3, labels=["a motorcycle", "a man with a camera", "a rocket"])
        assert {one.name: Path(one[0].path).name for one in found} == {
            "a motorcycle": "garage.mp4",
            "a man with a camera": "photographer.mp4",
            "a rocket": "departure.mp4",
        }
        (whole,) = videos.cluster(count=1)
        assert len(whole) == found.videos == 3
        assert [video.score for video in whole] == sorted(
            (video.score for video in whole), reverse=True
        )
        (alone,) = videos.cluster(["garage.mp4"])
        assert (len(alone), alone[0].score) == (1, pytest.approx(1))
        same = videos.cluster(count=3, labels=["a motorcycle", "a rocket"])
        assert len({one.name for one in same}) == 3  # a name that is taken gets another beside it
        with pytest.raises(UsageError, match="1 group"):
            videos.cluster(count=0)
        with pytest.raises(TypeError, match="list of labels"):
            videos.cluster(labels="a dog")
        with pytest.raises(DataError, match=r"nowhere.mp4 is not in the library"):
            videos.cluster(["nowhere.mp4"])


def test_on_the_command_line(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["cluster", "-L", str(filled), "-k", "2"]
    assert run([*words, "-f", "json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert list(whole) == ["library", "model", "videos", "groups"]
    assert [one["size"] for one in whole["groups"]] == [2, 1]
    assert all(
        Path(video["path"]).is_absolute() for one in whole["groups"] for video in one["videos"]
    )
    assert run([*words, "-f", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["group"] for row in rows] == ["1", "1", "2"]
    assert run(["cluster", "-L", str(filled), "--count", "9"]) == 0
    assert "there are only 3 videos for 9 groups" in capsys.readouterr().err


def test_an_empty_library_and_damage(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with c2v.open(tmp_path / "library", model="mini") as videos:
        videos.index(clips)
        row = videos.store.video_by_path(clips / "garage.mp4")
        assert row is not None
    with closing(sqlite3.connect(tmp_path / "library" / "library.db")) as connection, connection:
        segments = f"(SELECT id FROM segment WHERE video_id = {row.id})"
        connection.execute(f"UPDATE vector SET vector = zeroblob(4) WHERE segment_id IN {segments}")
    words = ["cluster", "-L", str(tmp_path / "library")]
    assert run([*words, "-f", "csv"]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 3
    assert "garage.mp4 are damaged in the library and left out; read again: c2v index" in shown.err
    with c2v.open(tmp_path / "library") as videos:
        videos.remove(clips)
    assert run(words) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "there is nothing to be grouped\n")

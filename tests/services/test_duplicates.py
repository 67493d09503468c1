"""What is there more than once, and what only looks so: real clips, real decoder, real encoder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import c2v
from c2v.cli.app import run
from c2v.demo.panning import View, write_panned_clip
from c2v.media.thumbnails import thumbnail
from c2v.search.duplicates import DuplicatePair, Duplicates

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def copies(load_helper: Callable[[str], ModuleType]) -> ModuleType:
    return load_helper("media/make_copies.py")


@pytest.fixture(scope="module")
def folder(demo_videos: Path, copies: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of every kind, and what is near to one without being one."""
    made = tmp_path_factory.mktemp("duplicates") / "videos"
    made.mkdir()
    change = copies.Change
    street, bunny, phone = (demo_videos / f"{n}.mp4" for n in ("crossing", "cartoon", "call"))
    street = copies.encode_again(street, made / "street.mp4", change(end=6, scale=0.5, crf=20))
    shutil.copy(street, made / "street copy.mp4")
    copies.encode_again(street, made / "street small.avi", change(codec="mpeg4", scale=0.5))
    copies.encode_again(street, made / "street cut.mkv", change(start=1.3, end=4.6, crf=32))
    copies.rewrap(street, made / "street.mkv")
    copies.encode_again(street, made / "street bars.mp4", change(scale=0.7, picture=with_bars))
    copies.encode_again(phone, made / "phone.mp4", change())
    copies.encode_again(bunny, made / "bunny.mp4", change(scale=0.5))
    parts = [(bunny, change(start=1, end=4.5, scale=0.5)), (phone, change())]
    copies.join(parts, made / "montage.mp4")
    strangers(made, demo_videos, copies)
    return made


def strangers(made: Path, demo_videos: Path, copies: ModuleType) -> None:
    """Black and still ones, two takes of one scene, and three films with one intro."""
    change = copies.Change
    black = np.zeros((90, 160, 3), np.uint8)
    for number, count in enumerate((60, 90)):
        copies.pictures_to_video([black] * count, made / f"black {number}.mp4")
    garage = demo_videos / "garage.mp4"
    shutil.copy(garage, made / "take 1.mp4")
    picture = thumbnail(garage, None, 360)
    start, end = View(0.7, 0.5, 0.8), View(0.2, 0.6, 0.6)
    write_panned_clip(picture, made / "take 2.mp4", start=start, end=end)
    intro = (demo_videos / "downtown.mpg", change(end=2.2, scale=0.5))
    for name in ("portrait", "breakfast", "departure"):
        copies.join([intro, (demo_videos / f"{name}.mp4", change())], made / f"intro {name}.mp4")


def with_bars(picture: np.ndarray) -> np.ndarray:
    bar = np.zeros((picture.shape[0] // 6, *picture.shape[1:]), np.uint8)
    return np.concatenate([bar, picture, bar])


@pytest.fixture(scope="module")
def library(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("duplicates-library") / "library"
    with c2v.open(made, model="mini") as videos:
        assert videos.index(folder).failed == ()
    return made


@pytest.fixture(scope="module")
def found(library: Path) -> Duplicates:
    with c2v.open(library) as videos:
        return videos.duplicates()


def groups_of(found: Duplicates) -> list[set[str]]:
    return [{Path(video.path).name for video in group.videos} for group in found]


def pair_of(found: Duplicates, one: str, other: str) -> DuplicatePair:
    """The pair of two names; where it lies the other way round, turned."""
    for group in found:
        for pair in group.pairs:
            names = Path(pair.a).name, Path(pair.b).name
            if names == (one, other):
                return pair
            if names == (other, one):
                return DuplicatePair(
                    pair.b, pair.a, pair.shared_seconds, -pair.offset_seconds, pair.confidence
                )
    raise AssertionError(f"no pair {one}, {other} in {groups_of(found)}")


def test_copies_of_every_kind_are_one_group_and_strangers_are_in_none(found: Duplicates) -> None:
    streets = {"street.mp4", "street copy.mp4", "street small.avi", "street cut.mkv", "street.mkv"}
    streets.add("street bars.mp4")
    assert streets in groups_of(found)
    assert {"phone.mp4", "bunny.mp4", "montage.mp4"} in groups_of(found)
    assert len(found) == 2


def test_a_pair_says_what_is_shared_and_where(found: Duplicates) -> None:
    exact = pair_of(found, "street.mp4", "street copy.mp4")
    assert (exact.offset_seconds, exact.confidence) == (0.0, 1.0)
    assert exact.shared_seconds == pytest.approx(6.0, abs=0.1)
    cut = pair_of(found, "street.mp4", "street cut.mkv")
    assert cut.offset_seconds == pytest.approx(-1.3, abs=0.13)
    assert cut.shared_seconds == pytest.approx(3.3, abs=0.4)
    assert 0.5 <= cut.confidence < 1.0
    also = pair_of(found, "street copy.mp4", "street cut.mkv")
    assert (also.shared_seconds, also.offset_seconds) == (cut.shared_seconds, cut.offset_seconds)
    bars = pair_of(found, "street bars.mp4", "street small.avi")
    assert bars.shared_seconds > 5.5


def test_a_montage_makes_no_pair_of_what_it_is_made_of(found: Duplicates) -> None:
    assert pair_of(found, "montage.mp4", "bunny.mp4").shared_seconds == pytest.approx(3.5, abs=0.6)
    assert pair_of(found, "montage.mp4", "phone.mp4").offset_seconds == pytest.approx(-3.5, abs=0.2)
    with pytest.raises(AssertionError, match="no pair"):
        pair_of(found, "bunny.mp4", "phone.mp4")


def test_the_best_to_keep_is_first(found: Duplicates) -> None:
    (streets,) = (group for group in found if len(group.videos) == 6)
    pixels = [video.width * video.height for video in streets.videos]
    assert pixels == sorted(pixels, reverse=True)
    assert Path(streets.videos[-1].path).name == "street small.avi"


def test_told_apart_is_remembered_and_undone(library: Path, folder: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(library, tmp_path / "library"))
    two = [folder / "phone.mp4", folder / "montage.mp4"]
    with c2v.open(place) as videos:
        assert videos.tell_apart(two) == 1
    with c2v.open(place) as videos:
        assert {"bunny.mp4", "montage.mp4"} in groups_of(videos.duplicates())
        assert groups_of(videos.duplicates(two)) == []
        assert videos.tell_apart(two, undo=True) == 1
        assert groups_of(videos.duplicates(two)) == [{"phone.mp4", "montage.mp4"}]


def test_files_that_are_gone(library: Path, folder: Path, tmp_path: Path) -> None:
    """A copy that is there stands for the original; what is gone is not in the JSON."""
    moved = tmp_path / "videos"
    shutil.copytree(folder, moved)
    told: list[str] = []
    with c2v.open(tmp_path / "library", model="mini", on_notice=told.append) as videos:
        videos.index([moved / name for name in ("street.mp4", "street copy.mp4", "street.mkv")])
        videos.index([moved / "bunny.mp4", moved / "montage.mp4"])
        (moved / "street.mp4").unlink()
        (moved / "bunny.mp4").unlink()
        found = videos.duplicates()
        assert groups_of(found) == [{"street.mp4", "street copy.mp4", "street.mkv"}]
        (group,) = found.as_dict()["groups"]
        assert {Path(one["path"]).name for one in group["videos"]} == {
            "street copy.mp4", "street.mkv"
        }  # fmt: skip
        assert len(group["pairs"]) == 1
    assert any("not compared, for the file is missing" in line for line in told)


def test_little_libraries(folder: Path, tmp_path: Path) -> None:
    with c2v.open(tmp_path / "library", model="mini") as videos:
        videos.index(folder / "phone.mp4")
        assert videos.duplicates().as_dict() == {"groups": []}


def test_the_json_is_what_was_promised(
    library: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(folder / name) for name in ("street.mp4", "street copy.mp4", "phone.mp4")]
    assert run(["duplicates", *paths, "-L", str(library), "-f", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer) == ["groups"]
    (group,) = answer["groups"]
    assert list(group) == ["videos", "pairs"]
    assert [list(video) for video in group["videos"]] == [
        ["path", "duration", "width", "height", "size_bytes"]
    ] * 2
    (pair,) = group["pairs"]
    assert list(pair) == ["a", "b", "shared_seconds", "offset_seconds", "confidence"]
    assert {pair["a"], pair["b"]} == set(paths[:2])
    assert pair["confidence"] == 1.0


def test_the_command_remembers_and_refuses(
    library: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(shutil.copytree(library, tmp_path / "library"))
    two = [str(folder / name) for name in ("phone.mp4", "montage.mp4")]
    assert run(["duplicates", *two, "-L", place]) == 0
    assert "phone.mp4" in capsys.readouterr().out
    assert run(["duplicates", "--not-duplicates", *two, "-L", place]) == 0
    assert "1 pair is no duplicate" in capsys.readouterr().err
    assert run(["duplicates", *two, "-L", place]) == 0
    shown = capsys.readouterr()
    assert (shown.out, "no duplicates" in shown.err) == ("", True)
    assert run(["duplicates", "--not-duplicates", "--undo", *two, "-L", place]) == 0
    capsys.readouterr()
    assert run(["duplicates", *two, "-L", place, "-f", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["groups"]) == 1
    same = [str(folder / name) for name in ("street.mp4", "street copy.mp4")]
    for words, code, sentence in (
        (["--undo"], 2, "--undo is about --not-duplicates"),
        (["--not-duplicates"], 2, "needs two PATHs"),
        (["--not-duplicates", *same], 2, "files of the same content"),
        (["--not-duplicates", two[0]], 2, "one video"),
        (["nowhere.mp4"], 1, "nowhere.mp4 is not in the library"),
    ):
        assert run(["duplicates", *words, "-L", place]) == code
        assert sentence in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_copies_of_twenty_real_clips_are_found(tmp_path: Path) -> None:
    if not SHARED.is_dir():
        pytest.skip("the real clips are not beside the checkout")
    from tests.benchmarks.duplicates import copies_found

    table = copies_found(SHARED, tmp_path)
    assert table.strangers == []
    assert all(found >= 18 for found, _ in table.by_kind.values()), table.by_kind

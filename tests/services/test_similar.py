"""What looks like a video: the others, never itself, whichever way it is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import c2v
from c2v.cli.app import run
from c2v.errors import MediaError, UsageError


@pytest.fixture(scope="module")
def copies(load_helper: object) -> ModuleType:
    return load_helper("media/make_copies.py")  # type: ignore[operator, no-any-return]


@pytest.fixture(scope="module")
def folder(clips: Path, copies: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips, an exact copy of one, and a film of two of them one after the other."""
    made = tmp_path_factory.mktemp("similar") / "videos"
    shutil.copytree(clips, made)
    shutil.copy(made / "garage.mp4", made / "copy.mp4")
    parts = [(made / name, copies.Change(scale=0.5)) for name in ("garage.mp4", "departure.mp4")]
    copies.join(parts, made / "film.mp4")
    return made


@pytest.fixture(scope="module")
def library(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("similar-library") / "library"
    with c2v.open(made, model="mini") as videos:
        assert videos.index(folder).failed == ()
    return made


@pytest.fixture
def videos(library: Path) -> Iterator[c2v.VideoLibrary]:
    with c2v.open(library) as opened:
        yield opened


def names(answer: c2v.Answer) -> list[str]:
    return [Path(moment.path).name for moment in answer]


def test_itself_and_exact_copies_are_left_out_before_the_top_is_cut(
    videos: c2v.VideoLibrary, folder: Path
) -> None:
    answer = videos.similar(folder / "garage.mp4", top=3)
    assert names(answer)[0] == "film.mp4"
    assert sorted(names(answer)) == ["departure.mp4", "film.mp4", "photographer.mp4"]
    assert sorted(names(videos.similar(folder / "copy.mp4", top=9))) == sorted(names(answer))
    moments = videos.similar(folder / "garage.mp4", top=9, moments=True)
    assert not {"garage.mp4", "copy.mp4"} & set(names(moments))


def test_a_file_outside_the_library_leaves_its_copies_out(
    videos: c2v.VideoLibrary, folder: Path, tmp_path: Path
) -> None:
    outside = Path(shutil.copy(folder / "garage.mp4", tmp_path / "outside.mp4"))
    assert names(videos.similar(outside, top=1)) == ["film.mp4"]
    changed = Path(shutil.copy(folder / "film.mp4", tmp_path / "changed.mp4"))
    changed.write_bytes(changed.read_bytes() + bytes(1))
    assert names(videos.similar(changed, top=1)) == ["film.mp4"]  # another content


def test_the_shot_at_a_time_is_meant(
    videos: c2v.VideoLibrary, folder: Path, tmp_path: Path
) -> None:
    film = folder / "film.mp4"
    ends = c2v.open(videos.settings.library).store.video_by_path(film)
    assert ends is not None
    last = ends.duration_seconds - 0.5
    assert names(videos.similar(f"{film}@0:01"))[0] in ("garage.mp4", "copy.mp4")
    assert names(videos.similar(f"{film}@{last}"))[0] == "departure.mp4"
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(film.read_bytes() + bytes(1))
    assert names(videos.similar(f"{outside}@1s"))[0] in ("garage.mp4", "copy.mp4", "film.mp4")
    decoded, stored = (videos.search(video=f"{file}@{last}") for file in (outside, film))
    assert names(decoded)[0] == names(stored)[0] == "departure.mp4"
    np.testing.assert_allclose(decoded[0].score, stored[0].score, atol=0.05)


def test_times_that_there_are_not(videos: c2v.VideoLibrary, folder: Path, tmp_path: Path) -> None:
    for file in (folder / "film.mp4", Path(shutil.copy(folder / "film.mp4", tmp_path))):
        with pytest.raises(MediaError, match=r"film.mp4: ends at \d+\.\d s, before 100\.0 s"):
            videos.similar(f"{file}@1:40")
    with pytest.raises(UsageError, match=r"film.mp4@soon: soon: not a length of time"):
        videos.similar(f"{folder / 'film.mp4'}@soon")
    with pytest.raises(MediaError, match=r"nowhere.mp4: there is no such file"):
        videos.similar(f"{folder / 'nowhere.mp4'}@1")


def test_a_library_of_one_video_has_nothing_similar(clips: Path, tmp_path: Path) -> None:
    with c2v.open(tmp_path / "library", model="mini") as videos:
        videos.index(clips / "garage.mp4")
        assert list(videos.similar(clips / "garage.mp4")) == []


def test_filters_and_formats_are_those_of_search(
    library: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["similar", str(folder / "garage.mp4"), "-L", str(library)]
    assert run([*asked, "--in", str(folder / "photographer.mp4"), "-f", "json"]) == 5
    answer = json.loads(capsys.readouterr().out)
    assert answer["query"] == str(folder / "garage.mp4")
    assert [Path(one["path"]).name for one in answer["results"]] == ["photographer.mp4"]
    assert run([*asked, "-f", "paths", "--top", "1", "--all"]) == 0
    assert capsys.readouterr().out == f"{folder / 'film.mp4'}\n"
    with c2v.open(library) as videos:  # `c2v play 1` plays it
        assert videos.last(1).path == str(folder / "film.mp4")
    assert run([*asked, "-f", "m3u", "--top", "1", "--all"]) == 0
    assert str(folder / "film.mp4") in capsys.readouterr().out
    assert run(["similar", " ", "-L", str(library)]) == 2
    assert "the VIDEO is empty" in capsys.readouterr().err


def test_the_exit_code_says_whether_anything_is_like_it(
    library: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again.mp4"
    again.write_bytes((folder / "departure.mp4").read_bytes() + bytes(1))
    assert run(["similar", str(again), "-L", str(library)]) == 0
    assert "departure.mp4" in capsys.readouterr().out
    assert run(["similar", str(folder / "photographer.mp4"), "-L", str(library)]) == 5
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "nothing here matches" in " ".join(shown.err.split())

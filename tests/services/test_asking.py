"""Questions of every kind, and filters, through the one object and the command: real clips."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

import c2v
from c2v.cli.app import run
from c2v.errors import DataError, MediaError, UsageError
from c2v.library import Tag
from c2v.media.picture import FrameShape
from c2v.media.stills import still
from c2v.media.thumbnails import jpeg, thumbnail


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("C2V_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def library(filled: Path, tmp_path: Path, home: Path) -> Path:
    """A library that the test may change."""
    return Path(shutil.copytree(filled, tmp_path / "library"))


@pytest.fixture
def videos(library: Path) -> Iterator[c2v.VideoLibrary]:
    with c2v.open(library) as opened:
        yield opened


def names(answer: c2v.Answer) -> list[str]:
    return [Path(moment.path).name for moment in answer]


def score(answer: c2v.Answer, name: str) -> float:
    return next(moment.score for moment in answer if Path(moment.path).name == name)


def picture_of(clip: Path, folder: Path) -> Path:
    file = folder / "picture.jpg"
    file.write_bytes(jpeg(thumbnail(clip, None, 224)))
    return file


def test_not_pushes_down_and_the_wanted_one_stays(videos: c2v.VideoLibrary) -> None:
    both = videos.search("a motorcycle", and_=["a man with a camera"])
    assert set(names(both)[:2]) == {"garage.mp4", "photographer.mp4"}
    less = videos.search(
        "a motorcycle", and_=["a man with a camera"], not_=["a photographer taking a picture"]
    )
    gaps = [score(a, "garage.mp4") - score(a, "photographer.mp4") for a in (both, less)]
    assert gaps[1] > gaps[0] + 0.05
    assert less.query == "a motorcycle"


def test_weights_change_the_order(videos: c2v.VideoLibrary) -> None:
    first = videos.search("a motorcycle^4", and_=["a rocket launch"])
    second = videos.search("a motorcycle", and_=["a rocket launch^4"])
    assert (names(first)[0], names(second)[0]) == ("garage.mp4", "departure.mp4")
    assert first.query == "a motorcycle"


def test_a_picture_finds_its_video_whichever_way_the_camera_was_held(
    videos: c2v.VideoLibrary, clips: Path, tmp_path: Path
) -> None:
    file = picture_of(clips / "garage.mp4", tmp_path)
    answer = videos.search(image=file)
    assert (names(answer)[0], answer.query) == ("garage.mp4", str(file))
    beside = videos.search("a rocket launch", image=f"{file}^0.2")
    assert (names(beside)[0], beside.query) == ("departure.mp4", "a rocket launch")


def test_exif_turns_a_picture_upright(tmp_path: Path) -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, :48, 0] = 255  # red on the left
    plain, turned = tmp_path / "plain.jpg", tmp_path / "turned.jpg"
    plain.write_bytes(jpeg(pixels))
    exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    content = plain.read_bytes()
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    turned.write_bytes(content[:2] + segment + content[2:])
    left = still(plain, FrameShape(32))
    top = still(turned, FrameShape(32))
    assert left[16, 2, 0] > 200 > 60 > left[16, 29, 0]
    assert top[2, 16, 0] > 200 > 60 > top[29, 16, 0]  # a quarter to the right


def test_pictures_of_other_kinds_and_what_is_none(tmp_path: Path) -> None:
    for name, codec in (("a.png", "png"), ("a.bmp", "bmp")):
        with av.open(str(tmp_path / name), "w", format="image2") as container:
            stream = container.add_stream(codec, rate=1)
            stream.width, stream.height = 40, 30
            stream.pix_fmt = "rgb24" if codec == "png" else "bgr24"
            frame = av.VideoFrame.from_ndarray(np.full((30, 40, 3), 200, np.uint8), format="rgb24")
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
            container.mux(stream.encode(None))
        assert abs(int(still(tmp_path / name, FrameShape(16)).mean()) - 200) < 3
    (tmp_path / "text.jpg").write_text("no picture")
    for wrong in ("text.jpg", "nowhere.jpg", "."):
        with pytest.raises(MediaError, match=r"tmp|test") as caught:
            still(tmp_path / wrong, FrameShape(16))
        assert "JPEG" in caught.value.hint


def test_a_part_of_a_clip_is_a_question(
    videos: c2v.VideoLibrary, clips: Path, tmp_path: Path
) -> None:
    inside = videos.search(video=f"{clips / 'garage.mp4'}@0:01-0:02")
    assert names(inside)[0] == "garage.mp4"  # it may be its own answer
    outside = tmp_path / "copy.mp4"
    shutil.copy(clips / "garage.mp4", outside)
    decoded = videos.search(video=f"{outside}@1s-2s")
    assert names(decoded)[0] == "garage.mp4"
    for wrong, sentence in (("", "length"), ("5-1", "before it begins"), ("x-2", "length")):
        with pytest.raises(UsageError, match=sentence):
            videos.search(video=f"{outside}@{wrong}")
    with pytest.raises(MediaError, match="ends at"):
        videos.search(video=f"{outside}@1:00:00-1:00:05")
    at_sign = tmp_path / "film@1-2"
    shutil.copy(outside, at_sign)
    assert names(videos.search(video=at_sign))[0] == "garage.mp4"


def test_like_a_result_of_before(videos: c2v.VideoLibrary) -> None:
    answer = videos.search("a rocket launch")
    videos.keep(answer)
    assert names(videos.search(like=1))[0] == names(answer)[0]
    second = videos.search(like=[2])
    assert names(second)[0] == names(answer)[1]
    assert second.query == answer[1].path
    with pytest.raises(DataError, match="had 3 results"):
        videos.search(like=9)


def test_a_question_of_nothing_is_refused(videos: c2v.VideoLibrary) -> None:
    with pytest.raises(UsageError, match="no question"):
        videos.search()
    with pytest.raises(UsageError, match="--not needs something"):
        videos.search(not_=["a dog"])
    with pytest.raises(UsageError, match="--and is empty"):
        videos.search("a dog", and_=[" "])


def test_every_line_of_a_batch_has_the_other_parts(videos: c2v.VideoLibrary) -> None:
    lines = ["a motorcycle", "a rocket launch"]
    together = videos.search_many(lines, not_=["a man with a camera"])
    for line, answer in zip(lines, together, strict=True):
        alone = videos.search(line, not_=["a man with a camera"])
        assert [m.score for m in answer] == pytest.approx([m.score for m in alone], abs=1e-5)
    assert videos.search_many(["a motorcycle^2"])[0].query == "a motorcycle"


def test_filters_reach_the_library(videos: c2v.VideoLibrary, clips: Path) -> None:
    store = videos.store
    by_name = {Path(path).name: key for key, path in store.video_paths()}
    store.write_tags([Tag(by_name["garage.mp4"], "Engine", 0.8)])
    (length,) = {video.duration_seconds for video in store.videos()}
    for wanted, expected in (
        ({"tags": ["engine"]}, {"garage.mp4"}),
        ({"extensions": [".MP4"]}, set(by_name)),
        ({"extensions": ["mkv", "avi"]}, set()),
        ({"min_duration": length, "max_duration": str(length)}, set(by_name)),
        ({"min_duration": length + 0.01}, set()),
        ({"max_duration": 0.01}, set()),
        ({"min_height": 5000}, set()),
        ({"since": "1990"}, set(by_name)),
        ({"until": "1990"}, set()),
        ({"since": "1d"}, set(by_name)),
        ({"within": [str(clips / "d*")], "extensions": ["mp4"]}, {"departure.mp4"}),
    ):
        answer = videos.search("anything", **wanted)  # type: ignore[arg-type]
        assert set(names(answer)) == expected, wanted
        assert (answer.passed, answer.videos) == (len(expected), 3)
    assert videos.search("anything").passed is None


def test_bounds_in_the_wrong_order_are_named(videos: c2v.VideoLibrary) -> None:
    with pytest.raises(UsageError, match="--since 2024 is not before the end of --until 2023"):
        videos.search("x", since="2024", until="2023")
    with pytest.raises(UsageError, match="--min-duration 2m is longer than --max-duration 1:30"):
        videos.search("x", min_duration="2m", max_duration="1:30")
    with pytest.raises(UsageError, match="--ext"):
        videos.search("x", extensions=["."])


def test_the_date_of_recording_wins_over_the_files_time(
    clips: Path, tmp_path: Path, home: Path
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    old = folder / "old.mp4"
    with av.open(str(clips / "garage.mp4")) as read, av.open(str(old), "w") as written:
        written.metadata["creation_time"] = "2009-08-07T12:00:00.000000Z"
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(read.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)
    undated = Path(shutil.copy(clips / "departure.mp4", folder))
    when = 1_300_000_000  # March 2011
    os.utime(undated, (when, when))
    with c2v.open(tmp_path / "made", model="mini") as made:
        made.index(folder)
        assert names(made.search("x", until="2009")) == ["old.mp4"]
        assert names(made.search("x", since="2009-08-07", until="2009-08-07")) == ["old.mp4"]
        assert names(made.search("x", since="2010", until="2011-03")) == ["departure.mp4"]
        assert len(made.search("x", since="2012")) == 0


def test_the_command_asks_the_same(
    library: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("-L", str(library))

    def first(*arguments: str) -> str:
        assert run([*arguments, *place, "-f", "json"]) in (0, 5)
        return Path(json.loads(capsys.readouterr().out)["results"][0]["path"]).name

    picture = str(picture_of(clips / "garage.mp4", tmp_path))
    assert first("search", "a", "rocket", "launch") == "departure.mp4"
    assert first("search", "--like", "1") == "departure.mp4"
    assert first("search", "--image", picture) == "garage.mp4"
    assert first("search", "--video", f"{clips / 'garage.mp4'}@0-1") == "garage.mp4"
    assert first("search", "a rocket launch^5", "--and", "a motorcycle") == "departure.mp4"
    assert first("a rocket launch") == "departure.mp4"
    assert first("rocket") == "departure.mp4"


def test_a_misspelt_command_is_no_question(capsys: pytest.CaptureFixture[str]) -> None:
    for typed in (["serach"], ["indx", "folder"], ["Search"], ["serach", "a dog"], ["serach a dog"],
                  ["ls"], ["help"], ["modle", "list"]):  # fmt: skip
        assert run(typed) == 2, typed
        assert "No such command" in capsys.readouterr().err


def test_the_footer_counts_what_passed(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rocket", "-L", str(library), "--in", "*departure*"]) in (0, 5)
    err = capsys.readouterr().err
    assert "searching for 'rocket'" in err
    assert "1 of 3 videos passed the filters" in err
    run(["search", "rocket", "-L", str(library), "--ext", "mkv"])
    assert "none of 3 videos passed the filters" in capsys.readouterr().err
    assert run(["search", "rocket", "-L", str(library), "--since", "soon"]) == 2
    assert "--since soon: not a date" in capsys.readouterr().err

"""A folder with every kind of file that a decoder chokes on: what is good is indexed, exit 4."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

GOOD = {
    "plain.mp4",
    "stream.ts",
    "vp9.webm",
    "bframes.avi",
    "rotated.mp4",
    "odd.mp4",
    "one-frame.mp4",
    "animation.gif",
    "cover.mp4",
}
PARTLY = {"damaged.mp4", "truncated.mkv"}
BAD = {
    "empty.mp4": "empty",
    "text.mp4": "",
    "random.mp4": "",
    "no-moov.mp4": "",
    "sound.mp4": "sound",
}


@pytest.fixture
def hostile(tmp_path: Path, videos: ModuleType) -> Path:
    folder = tmp_path / "hostile"
    folder.mkdir()
    long = {"count": 90, "group": 10}
    videos.make_video(folder / "plain.mp4")
    videos.make_video(folder / "stream.ts", codec="mpeg2video")
    videos.make_video(folder / "vp9.webm", codec="libvpx-vp9")
    videos.make_video(folder / "bframes.avi", codec="mpeg4")
    videos.make_video(folder / "rotated.mp4", rotation=90)
    videos.make_video(folder / "odd.mp4", size=(322, 242))
    videos.make_video(folder / "one-frame.mp4", count=1)
    videos.make_video(folder / "animation.gif", codec="gif", pixel_format="rgb8")
    videos.make_video_with_cover(folder / "cover.mp4")
    videos.overwrite(videos.make_video(folder / "damaged.mp4", **long), first=0.4, last=0.6)
    videos.cut_off(videos.make_video(folder / "truncated.mkv", **long), share=0.5)
    videos.cut_off(videos.make_video(folder / "no-moov.mp4"), share=0.7)
    videos.make_sound(folder / "sound.mp4")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video at all\n" * 100)
    (folder / "random.mp4").write_bytes(random.Random(0).randbytes(50_000))
    (folder / "folder.mp4").mkdir()
    (folder / "._plain.mp4").write_bytes(b"\0\5\x16\7")
    (folder / "notes.txt").write_text("no video")
    return folder


def test_the_good_is_indexed_the_rest_explained(c2v: Run, hostile: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    arguments = ("index", hostile, "-L", library, "--model", "mini", "--format", "json")
    done = c2v(*arguments, code=4)
    assert done.stderr == ""  # no noise of decoders
    report = json.loads(done.stdout)
    reasons = {Path(failure["path"]).name: failure["reason"] for failure in report["failed"]}
    assert set(reasons) == set(BAD)
    for name, word in BAD.items():
        assert word in reasons[name]
        assert reasons[name]
        assert str(hostile) not in reasons[name]  # the path has its own column
    assert report["added"] == len(GOOD | PARTLY)
    assert {Path(part["path"]).name for part in report["partly"]} == PARTLY

    again = json.loads(c2v(*arguments).stdout)
    assert again["unchanged"] == report["added"]
    assert (again["failed"], again["partly"], again["known_failures"]) == ([], [], len(BAD))
    listed = c2v("status", "-L", library).stdout
    assert all(name in listed for name in BAD.keys() | PARTLY)
    status = json.loads(c2v("status", "-L", library, "-f", "json").stdout)
    assert (status["failed"], status["partly"]) == (report["failed"], report["partly"])
    paths = c2v(
        "search", "numbers", "--all", "-L", library, "-n", "99", "-f", "paths"
    ).stdout.split()
    assert {Path(path).name for path in paths} == GOOD | PARTLY


def test_a_mended_file_is_tried_again(c2v: Run, videos: ModuleType, tmp_path: Path) -> None:
    library, file = tmp_path / "library", tmp_path / "video.mp4"
    file.write_text("still downloading")
    c2v("index", file, "-L", library, "--model", "mini", code=4)
    file.unlink()
    videos.make_video(file)
    report = json.loads(c2v("index", file, "-L", library, "--format", "json").stdout)
    assert (report["added"], report["failed"]) == (1, [])
    assert json.loads(c2v("status", "-L", library, "-f", "json").stdout)["failed"] == []

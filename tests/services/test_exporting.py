"""Moments in the formats of other programs, read back by parsers of those formats."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from fractions import Fraction
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import av
import numpy as np
import pytest

from c2v.cli.app import run
from c2v.errors import UsageError
from c2v.search.results import Moment
from c2v.services.exporting import KINDS, exported
from c2v.services.exporting.clips import timecode

ODD = (
    b"a, b;c=%25 'q\" & <i> #1\n\xff\xc3\xa9.mp4"
    if sys.platform == "linux"
    else b"a, b;c=%25 'q' & #1.mp4"
)


def moment(path: Path | str, rank: int, start: float, end: float) -> Moment:
    return Moment(
        rank=rank, path=str(path), score=0.3, confidence=0.9, start=start, end=end,
        best=(start + end) / 2, duration=10.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, videos: ModuleType) -> Path:
    """Ten seconds at 25 pictures a second, at 30 and 29.97, with sound, and with an odd name."""
    folder = tmp_path_factory.mktemp("films")
    videos.make_video(folder / "plain.mp4", count=250, rate=25, sound=True)
    videos.make_video(folder / "american.mp4", count=300, rate=Fraction(30000, 1001))
    shutil.copyfile(folder / "plain.mp4", os.fsdecode(os.fsencode(folder) + b"/" + ODD))
    return folder


@pytest.fixture(scope="module")
def odd(folder: Path) -> str:
    return os.fsdecode(os.fsencode(folder) + b"/" + ODD)


def path_of(uri: str) -> str:
    """What a program opens for a file:// address."""
    assert uri.startswith("file:///")
    assert uri.isascii()
    assert not set(uri) & set(" ,;='\"<>&\n")
    return os.fsdecode(unquote_to_bytes(uri[len("file://") :]))


def write(moments: list[Moment], kind: str) -> tuple[bytes, list[str]]:
    problems: list[str] = []
    content = exported(moments, kind, title='a "dog" & <cat>\n', on_problem=problems.append)  # type: ignore[arg-type]
    return content, problems


# -- playlists ------------------------------------------------------------------------------------


def read_edl_address(address: str) -> dict[str, str]:
    """mpv's own reading of an edl:// address of one part."""
    assert address.startswith("edl://")
    rest, found = address[len("edl://") :], {}
    names = iter(("file", "start", "length"))
    while rest:
        name = next(names)
        if match := re.match(r"(\w+)=", rest):
            name, rest = match[1], rest[match.end() :]
        if match := re.match(r"%(\d+)%", rest):
            length = int(match[1])
            value, rest = rest[match.end() :][:length], rest[match.end() + length :]
        else:
            value = re.match(r"[^,;\n]*", rest)[0]  # type: ignore[index]
            rest = rest[len(value) :]
        assert rest[:1] in ("", ","), rest
        found[name], rest = value, rest[1:]
    return found


def test_m3u_starts_at_the_moments_in_mpv(folder: Path, odd: str) -> None:
    moments = [moment(folder / "plain.mp4", 1, 2.0, 4.5), moment(odd, 2, 0.0625, 3.0)]
    content, _ = write(moments, "m3u")
    lines = content.decode("ascii" if sys.platform != "linux" else "utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    assert [line[0] for line in lines[1:]] == ["#", "e", "#", "e"]
    assert lines[1] == "#EXTINF:2,,plain.mp4"
    first, second = (read_edl_address(line) for line in lines[2::2])
    assert (path_of(first["file"]), first["start"], first["length"]) == (
        str(folder / "plain.mp4"), "2", "2.5",
    )  # fmt: skip
    assert path_of(second["file"]) == odd
    assert second["start"] == "0.062"


def test_m3u_starts_at_the_moments_in_vlc(folder: Path, odd: str) -> None:
    content, _ = write([moment(odd, 1, 2.0, 4.5)], "m3u-vlc")
    lines = content.decode().splitlines()
    assert lines[2:4] == ["#EXTVLCOPT:start-time=2", "#EXTVLCOPT:stop-time=4.5"]
    assert path_of(lines[4]) == odd
    assert len(lines) == 5


# -- editors --------------------------------------------------------------------------------------


def frame_of(code: str, rate: Fraction) -> int:
    """The frame that a time code names, by counting all codes from the start."""
    base = round(rate)
    hours, minutes, seconds, frames = map(int, re.split("[:;]", code))
    total_minutes = hours * 60 + minutes
    number = (total_minutes * 60 + seconds) * base + frames
    if ";" in code:
        number -= base // 15 * (total_minutes - total_minutes // 10)
    return number


def test_time_codes_leave_out_numbers_and_no_frames() -> None:
    for rate in (Fraction(30000, 1001), Fraction(60000, 1001), Fraction(24000, 1001), Fraction(25)):
        frames = range(0, 40000) if rate < 40 else range(0, 80000, 7)
        assert [frame_of(timecode(frame, rate), rate) for frame in frames] == list(frames)
    noon = round(12 * 3600 * Fraction(30000, 1001))  # the code is 43 ms ahead by then
    assert timecode(noon, Fraction(30000, 1001)) == "12:00:00;01"


EVENT = re.compile(
    r"(\d{3})  AX       (B|V)     C        (\S{11}) (\S{11}) (\S{11}) (\S{11})\n"
    r"\* FROM CLIP NAME: (.*)\n\* SOURCE FILE: (.*)\n"
)


def test_edl_counts_the_frames_of_each_file(folder: Path, odd: str) -> None:
    american = Fraction(30000, 1001)
    moments = [
        moment(folder / "plain.mp4", 1, 2.0, 4.5),
        moment(folder / "american.mp4", 2, 1.0, 3.0),
        moment(odd, 3, 9.0, 99.0),
    ]
    content, problems = write(moments, "edl")
    text = content.decode()
    assert problems == []
    assert text.startswith('TITLE: a "dog" & <cat>\ufffd\nFCM: NON-DROP FRAME\n')
    events = [match.groups() for match in EVENT.finditer(text)]
    assert [event[0] for event in events] == ["001", "002", "003"]
    assert [event[1] for event in events] == ["B", "V", "B"]
    assert events[0][2:6] == ("00:00:02:00", "00:00:04:12", "01:00:00:00", "01:00:02:12")
    assert events[1][2:4] == ("00:00:01;00", "00:00:03;00")
    assert [frame_of(code, american) for code in events[1][2:4]] == [30, 90]
    assert events[2][2:4] == ("00:00:09:00", "00:00:10:00")
    for before, after in zip(events, events[1:], strict=False):
        assert before[5] == after[4]  # no gap in the edit
    assert [path_of(event[7]) for event in events] == [one.path for one in moments]
    assert text.count("\n* ") == 6


def test_an_edl_at_29_97_is_a_drop_frame_one(folder: Path) -> None:
    content, _ = write([moment(folder / "american.mp4", 1, 1.0, 3.0)], "edl")
    assert b"FCM: DROP FRAME" in content
    assert b"01:00:00;00 01:00:02;00" in content


def seconds(text: str) -> Fraction:
    assert text.endswith("s")
    return Fraction(text[:-1])


def test_fcpxml_is_whole_frames_of_files_that_it_knows(folder: Path, odd: str) -> None:
    moments = [
        moment(folder / "american.mp4", 1, 1.0, 3.0),
        moment(odd, 2, 2.0, 4.5),
        moment(folder / "american.mp4", 3, 5.0, 6.0),
    ]
    content, _ = write(moments, "fcpxml")
    assert content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n')
    root = ElementTree.fromstring(content)
    assert (root.tag, root.get("version")) == ("fcpxml", "1.9")
    formats = {one.attrib["id"]: one for one in root.iter("format")}
    assets = {one.attrib["id"]: one for one in root.iter("asset")}
    assert len(assets) == 2
    assert len({*formats, *assets}) == len(formats) + len(assets)
    sequence = root.find("library/event/project/sequence")
    assert sequence is not None
    rate_of = {key: 1 / seconds(one.attrib["frameDuration"]) for key, one in formats.items()}
    edit = rate_of[sequence.attrib["format"]]
    assert edit == Fraction(30000, 1001)
    assert sequence.get("tcFormat") == "DF"
    clips = sequence.findall("spine/asset-clip")
    at = Fraction(0)
    for clip, one in zip(clips, moments, strict=True):
        asset = assets[clip.attrib["ref"]]
        rate = rate_of[asset.attrib["format"]]
        media = asset.find("media-rep")
        assert media is not None
        assert media.get("kind") == "original-media"
        assert path_of(media.attrib["src"]) == one.path
        start, length = seconds(clip.attrib["start"]), seconds(clip.attrib["duration"])
        assert (start * rate).denominator == 1
        assert start * rate == round(one.start * rate)
        assert (length * edit).denominator == 1
        assert float(length) == pytest.approx(one.end - one.start, abs=0.04)
        assert start + length <= seconds(asset.attrib["duration"])
        assert seconds(clip.attrib["offset"]) == at
        at += length
    assert seconds(sequence.attrib["duration"]) == at
    sound = assets[clips[1].attrib["ref"]]
    assert (sound.get("hasAudio"), sound.get("audioRate")) == ("1", "8000")
    assert assets[clips[0].attrib["ref"]].get("hasAudio") is None
    assert (formats["r1"].get("width"), formats["r1"].get("height")) == ("160", "120")


def test_otio_is_read_by_its_own_library(folder: Path, odd: str) -> None:
    opentimelineio = pytest.importorskip("opentimelineio", reason="it is not installed")
    moments = [moment(folder / "american.mp4", 1, 1.0, 3.0), moment(odd, 2, 2.0, 4.5)]
    content, _ = write(moments, "otio")
    timeline = opentimelineio.adapters.read_from_string(content.decode(), "otio_json")
    clips = list(timeline.find_clips())
    assert [path_of(clip.media_reference.target_url) for clip in clips] == [
        one.path for one in moments
    ]
    source = clips[1].source_range
    assert (source.start_time.value, source.duration.value, source.start_time.rate) == (50, 62, 25)
    assert clips[0].source_range.start_time.value == 30
    assert clips[0].source_range.start_time.rate == pytest.approx(30000 / 1001)
    assert clips[1].markers[0].marked_range.start_time.value == 81
    assert clips[1].metadata["c2v"]["rank"] == 2
    assert clips[0].available_range().contains(clips[0].source_range)


def test_otio_is_json_of_the_known_schemas(folder: Path) -> None:
    content, _ = write([moment(folder / "plain.mp4", 1, 1.0, 3.0)], "otio")
    (track,) = json.loads(content)["tracks"]["children"]
    (clip,) = track["children"]
    assert (track["OTIO_SCHEMA"], clip["OTIO_SCHEMA"]) == ("Track.1", "Clip.2")
    assert clip["source_range"]["start_time"] == {
        "OTIO_SCHEMA": "RationalTime.1", "value": 25.0, "rate": 25.0,
    }  # fmt: skip


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film whose time code begins in the tenth hour, as cameras write it."""
    target = tmp_path_factory.mktemp("camera") / "camera.mov"
    with av.open(str(target), "w") as out:
        out.metadata["timecode"] = "10:00:00;00"
        stream = out.add_stream("libx264", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(120):
            frame = av.VideoFrame.from_ndarray(
                np.full((64, 64, 3), number, np.uint8), format="rgb24"
            )
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with av.open(str(target)) as made:
        assert "10:00:00;00" in {one.metadata.get("timecode") for one in made.streams}
    return target


def test_editors_count_from_the_time_code_of_the_file(camera: Path) -> None:
    moments = [moment(camera, 1, 1.0, 3.0)]
    (event,) = EVENT.findall(write(moments, "edl")[0].decode())
    assert event[2:4] == ("10:00:01;00", "10:00:03;00")
    root = ElementTree.fromstring(write(moments, "fcpxml")[0])
    asset, clip = next(root.iter("asset")), next(root.iter("asset-clip"))
    assert seconds(clip.attrib["start"]) - seconds(asset.attrib["start"]) == Fraction(1001, 1000)


# -- the page -------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Everything in a page that matters here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(values["href"])
        if tag == "img":
            self.pictures.append(values["src"])

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_beside_it(folder: Path, odd: str) -> None:
    moments = [moment(folder / "plain.mp4", 1, 2.0, 4.5), moment(odd, 2, 1.0, 3.0)]
    content, problems = write(moments, "html")
    page = Page(content.decode())
    assert problems == []
    assert page.tags.isdisjoint({"script", "link", "iframe", "i", "cat"})
    assert 'a "dog" & <cat>' in page.text
    for link, one in zip(page.links, moments, strict=True):
        address, _, fragment = link.partition("#")
        assert path_of(address) == one.path
        assert fragment == f"t={one.start:g},{one.end:g}"
    for picture in page.pictures:
        head, _, data = picture.partition(",")
        assert head == "data:image/jpeg;base64"
        with av.open(BytesIO(b64decode(data)), format="mjpeg") as file:
            frame = next(file.decode(video=0))
        assert (frame.width, frame.height) == (256, 256)
    assert "http" not in content.decode().replace("http-equiv", "")
    assert "prefers-color-scheme: dark" in content.decode()


# -- all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_are_gone_are_said_and_the_rest_is_there(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    moments = [moment(broken, 1, 0.0, 1.0), moment(folder / "plain.mp4", 2, 0.0, 1.0)]
    content, problems = write(moments, kind)
    assert b"plain.mp4" in content
    if kind.startswith("m3u"):
        return  # no file is opened for a list of names
    (problem,) = problems
    assert str(broken) in problem
    assert (b"broken.mp4" in content) == (kind == "html")


@pytest.mark.parametrize("kind", KINDS)
def test_no_moments_are_an_empty_file_of_its_kind(kind: str) -> None:
    content, problems = write([], kind)
    assert content
    assert problems == []
    if kind == "fcpxml":
        ElementTree.fromstring(content)
    if kind == "otio":
        json.loads(content)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="no format avid"):
        write([], "avid")


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_prints_them(
    kind: str, filled: Path, clips: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["search", "a rocket", "-n", "2", "-L", str(filled), "-f", kind]) == 0
    out = capfdbinary.readouterr().out
    assert out.count(b"departure.mp4") >= 1
    if kind == "m3u":
        assert out.startswith(b"#EXTM3U\n")


def test_describe_has_no_moments(clips: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("a dog\n")
    words = ["describe", str(clips / "garage.mp4"), "--labels", str(labels), "-f", "edl"]
    assert run(words) == 2


def test_exporting_is_no_part_of_starting() -> None:
    script = "import sys, c2v.cli.app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not [
        name for name in loaded if "exporting" in name or name.endswith((".cut", "playing"))
    ]

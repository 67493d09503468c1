"""When a video was recorded: dates as cameras, phones and programs write them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import av
import pytest

from c2v.media import probe
from c2v.media.recorded import recording_time

from .make_videos import make_video

NOW = datetime.fromisoformat("2024-01-01T00:00:00+00:00").timestamp()
NOON = datetime.fromisoformat("2023-05-01T12:00:00+00:00").timestamp()
LOCAL_NOON = datetime(2023, 5, 1, 12).timestamp()


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"creation_time": "2023-05-01T12:00:00.000000Z"}, NOON),
        ({"creation_time": "2023-05-01T12:00:00Z"}, NOON),
        ({"DATE_UTC": "2023-05-01T12:00:00.123456789Z"}, NOON + 0.123456),
        ({"com.apple.quicktime.creationdate": "2023-05-01T14:00:00+0200"}, NOON),
        (
            {
                "creation_time": "2023-06-01T12:00:00.000000Z",  # of the export, a month later
                "com.apple.quicktime.creationdate": "2023-05-01T14:00:00+02:00",
            },
            NOON,
        ),
        ({"date": "Mon May 01 12:00:00 2023\n"}, LOCAL_NOON),
        ({"date": "2023:05:01 12:00:00"}, LOCAL_NOON),
        ({"ICRD": "2023-05-01 12:00:00"}, LOCAL_NOON),
        ({"creation_time": "2000-01-01T00:00:07Z"}, NOON - 736257593.0),
        ({"creation_time": "1904-01-01T00:00:00.000000Z"}, None),
        ({"creation_time": "1970-01-01T00:00:00.000000Z"}, None),
        ({"creation_time": "2000-01-01T00:00:00.000000Z"}, None),
        ({"creation_time": "2001-01-01T00:00:00.000000Z"}, None),
        ({"creation_time": "1953-02-03T04:05:06Z"}, None),
        ({"creation_time": "2036-02-06T06:28:16Z"}, None),
        ({"creation_time": "2036-02-06T06:28:16Z", "date": "2023-05-01T12:00:00Z"}, NOON),
        ({"date": "2009"}, None),
        ({"creation_time": "yesterday"}, None),
        ({}, None),
    ],
)
def test_dates(tags: dict[str, str], expected: float | None) -> None:
    assert recording_time(tags, now=NOW) == expected


def test_the_container_is_asked_before_its_streams() -> None:
    tags = {"creation_time": "2023-05-01T12:00:00Z"}, {"creation_time": "2022-05-01T12:00:00Z"}
    assert recording_time(*tags, now=NOW) == NOON
    assert recording_time({}, tags[0], now=NOW) == NOON


@pytest.mark.parametrize("extension", ["mp4", "mov", "mkv"])
def test_real_files(extension: str, tmp_path: Path) -> None:
    plain = make_video(tmp_path / f"plain.{extension}", count=4, rate=4, size=(64, 48))
    assert probe(plain).recorded_at is None
    dated = tmp_path / f"dated.{extension}"
    _rewrapped(plain, dated, {"creation_time": "2023-05-01T12:00:00.000000Z"})
    assert probe(dated).recorded_at == NOON


def test_a_real_avi(tmp_path: Path) -> None:
    plain = make_video(tmp_path / "plain.avi", count=4, rate=4, size=(64, 48))
    dated = tmp_path / "dated.avi"
    _rewrapped(plain, dated, {"date": "2023-05-01 12:00:00"})
    assert probe(dated).recorded_at == LOCAL_NOON


def _rewrapped(source: Path, target: Path, tags: dict[str, str]) -> None:
    """The same packets in a container with these tags."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        written.metadata.update(tags)
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(read.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)

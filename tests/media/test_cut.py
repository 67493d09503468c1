"""Parts of videos as files of their own: which pictures they have, how long they are, what they
are called."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest

from c2v.errors import MediaError
from c2v.media.cut import Excerpt, cut
from c2v.media.picture import FrameShape
from c2v.media.probe import probe
from c2v.media.pyav_decoder import PyAVDecoder

SIDE = 64


def numbers_of(path: Path, videos: ModuleType, *, rate: int = 10) -> list[int]:
    """The numbers of all pictures of a file, upright, in the order in which they are shown."""
    with av.open(str(path)) as file:
        count = sum(1 for _ in file.decode(video=0))
    info = probe(path)
    times = [(number + 0.5) / rate for number in range(count)]
    pictures = PyAVDecoder().frames(info, times, shape=FrameShape(SIDE), on_problem=pytest.fail)
    return videos.numbers([picture.pixels for picture in pictures])


def streams_of(path: Path) -> list[str]:
    with av.open(str(path)) as file:
        return [stream.type for stream in file.streams]


def length_of_sound(path: Path) -> float:
    with av.open(str(path)) as file:
        return sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, videos: ModuleType) -> Path:
    """Ten seconds at ten pictures a second, one in twenty stands alone; with sound."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return videos.make_video(
        path, count=100, rate=10, group=20, sound=True, options={"sc_threshold": "0"}
    )


def test_a_copy_begins_at_the_picture_before_that_stands_alone(
    film: Path, videos: ModuleType, tmp_path: Path
) -> None:
    made = cut(Excerpt(film, 5.0, 7.0), tmp_path, 3)
    assert made.name == "03 film 00m05s-00m07s.mp4"
    seen = numbers_of(made, videos)
    assert seen[0] == 40
    assert seen == list(range(40, 40 + len(seen)))
    assert 70 <= 40 + len(seen) <= 73
    assert streams_of(made) == ["video", "audio"]
    assert probe(made).duration_seconds == pytest.approx(3.0, abs=0.35)
    assert length_of_sound(made) == pytest.approx(3.0, abs=0.3)


def test_what_is_copied_is_not_encoded_again(film: Path, tmp_path: Path) -> None:
    made = cut(Excerpt(film, 0.0, 3.0), tmp_path, 1)

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as file:
            return [bytes(packet) for packet in file.demux(video=0) if packet.size]

    copied = packets(made)
    assert copied == packets(film)[: len(copied)]
    assert len(copied) >= 30


@pytest.mark.parametrize(("start", "end"), [(5.0, 7.0), (0.0, 0.4), (9.3, 10.0), (2.07, 2.31)])
def test_exact_begins_and_ends_at_the_very_picture(
    film: Path, videos: ModuleType, tmp_path: Path, start: float, end: float
) -> None:
    made = cut(Excerpt(film, start, end), tmp_path, 1, exact=True)
    first, last = round(start * 10 + 1e-6), round(end * 10 + 1e-6)
    assert numbers_of(made, videos) == list(range(first, last))
    assert streams_of(made) == ["video", "audio"]
    # The encoder of AAC fills its last block up.
    assert length_of_sound(made) == pytest.approx(end - start, abs=0.3)


@pytest.mark.parametrize("suffix", ["mkv", "mov", "avi", "ts", "webm"])
@pytest.mark.parametrize("exact", [False, True])
def test_kinds_of_files(suffix: str, exact: bool, videos: ModuleType, tmp_path: Path) -> None:
    codec = {"webm": {"codec": "libvpx-vp9"}, "avi": {"codec": "mpeg4", "b_frames": 0}}
    film = videos.make_video(
        tmp_path / f"film.{suffix}", count=60, rate=10, group=10, **codec.get(suffix, {})
    )
    made = cut(Excerpt(film, 3.5, 4.5), tmp_path / "out", 1, exact=exact)
    kept = suffix in ("mkv", "mov") if exact else True
    assert made.suffix == (f".{suffix}" if kept else ".mkv")
    seen = numbers_of(made, videos)
    if exact:
        assert seen == list(range(35, 45))
    else:
        assert seen[0] == 30
        assert seen[:15] == list(range(30, 45))
        assert len(seen) <= 19


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("rotation", [90, 180])
def test_pictures_stay_upright(
    exact: bool, rotation: int, videos: ModuleType, tmp_path: Path
) -> None:
    film = videos.make_video(
        tmp_path / "phone.mp4", count=30, rate=10, group=10, rotation=rotation, size=(96, 64)
    )
    made = cut(Excerpt(film, 1.0, 2.0), tmp_path / "out", 1, exact=exact)
    assert (probe(made).width, probe(made).height) == (96, 64)
    assert numbers_of(made, videos)[:10] == list(range(10, 20))


@pytest.mark.parametrize("exact", [False, True])
def test_pixels_that_are_not_square_keep_their_shape(
    exact: bool, videos: ModuleType, tmp_path: Path
) -> None:
    from fractions import Fraction

    film = videos.make_video(
        tmp_path / "wide.mkv", count=20, rate=10, size=(128, 64), pixel_aspect=Fraction(2)
    )
    made = cut(Excerpt(film, 0.0, 1.0), tmp_path / "out", 1, exact=exact)
    assert (probe(made).width, probe(made).height) == (128, 64)


@pytest.fixture
def film_with_lines(videos: ModuleType, tmp_path: Path) -> Path:
    """Ten seconds in Matroska with a subtitle for each second."""
    film = videos.make_video(
        tmp_path / "plain.mp4", count=100, rate=10, group=20, b_frames=0,
        options={"sc_threshold": "0"},
    )  # fmt: skip
    lines = tmp_path / "lines.srt"
    lines.write_text(
        "".join(
            f"{number + 1}\n00:00:{number:02d},000 --> 00:00:{number:02d},900\nline {number}\n\n"
            for number in range(10)
        )
    )
    target = tmp_path / "lines.mkv"
    with av.open(str(film)) as one, av.open(str(lines)) as two, av.open(str(target), "w") as out:
        sources: list[Any] = [*one.streams, *two.streams]
        copies = [out.add_stream_from_template(stream) for stream in sources]
        packets = [
            (packet, copy)
            for file in (one, two)
            for packet in file.demux()
            if packet.dts is not None
            for stream, copy in zip(sources, copies, strict=True)
            if packet.stream is stream
        ]
        for packet, copy in sorted(packets, key=lambda pair: pair[0].dts * pair[0].time_base):
            packet.stream = copy
            out.mux(packet)
    return target


@pytest.mark.parametrize("exact", [False, True])
def test_subtitles_come_along(film_with_lines: Path, tmp_path: Path, exact: bool) -> None:
    made = cut(Excerpt(film_with_lines, 4.0, 6.0), tmp_path / "out", 1, exact=exact)
    with av.open(str(made)) as file:
        (stream,) = file.streams.subtitles
        shown = [
            (round(float(packet.pts * packet.time_base), 1), bytes(packet).decode())
            for packet in file.demux(stream)
            if packet.size
        ]
    assert shown == [(0.0, "line 4"), (1.0, "line 5")]


def test_nothing_is_ever_overwritten(film: Path, tmp_path: Path) -> None:
    first = cut(Excerpt(film, 1.0, 2.0), tmp_path, 1)
    content = first.read_bytes()
    second = cut(Excerpt(film, 1.0, 2.0), tmp_path, 1)
    assert second.name == "01 film 00m01s-00m02s (2).mp4"
    assert first.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([first.name, second.name])


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are Unicode there")
def test_any_name_will_do(film: Path, videos: ModuleType, tmp_path: Path) -> None:
    source = Path(os.fsdecode(bytes(tmp_path) + b"/-a'\"\n\xff$(x) %d " + b"n" * 200 + b".mp4"))
    shutil.copyfile(film, source)
    made = cut(Excerpt(source, 2.0, 3.0), tmp_path / "out", 1)
    assert numbers_of(made, videos)[0] == 20
    assert len(os.fsencode(made.name)) <= 255


def test_what_cannot_be_cut_is_said_and_leaves_nothing(film: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(film.read_bytes()[:3000])
    for path, reason in ((broken, "never finished"), (tmp_path / "gone.mp4", "no such file")):
        with pytest.raises(MediaError, match=reason):
            cut(Excerpt(path, 0.0, 1.0), tmp_path / "out", 1)
    assert list((tmp_path / "out").iterdir()) == []


def test_times_beyond_the_end_give_the_last_pictures(
    film: Path, videos: ModuleType, tmp_path: Path
) -> None:
    made = cut(Excerpt(film, 9.5, 99.0), tmp_path, 1, exact=True)
    assert numbers_of(made, videos) == [95, 96, 97, 98, 99]
    made = cut(Excerpt(film, 50.0, 60.0), tmp_path, 1, exact=True)
    assert numbers_of(made, videos) == [99]


def test_sound_is_cut_at_the_sample(tmp_path: Path, videos: ModuleType) -> None:
    """A click at 1.5 s is half a second into a part that begins at 1 s."""
    film = videos.make_video(tmp_path / "still.mp4", count=40, rate=10)
    clicking = tmp_path / "click.mkv"
    rate = 48000
    samples = np.zeros((1, 4 * rate), np.float32)
    samples[0, round(1.5 * rate) : round(1.5 * rate) + 480] = 0.9
    with av.open(str(film)) as source, av.open(str(clicking), "w") as out:
        picture = out.add_stream_from_template(source.streams.video[0])
        sound = out.add_stream("pcm_s16le", rate=rate, layout="mono")
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = picture
                out.mux(packet)
        frame = av.AudioFrame.from_ndarray(
            (samples * 32767).astype(np.int16), format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts = rate, 0
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    made = cut(Excerpt(clicking, 1.0, 3.0), tmp_path, 1, exact=True)
    with av.open(str(made)) as file:
        pieces = [(frame.time, frame.to_ndarray()[0]) for frame in file.decode(audio=0)]
    begins = pieces[0][0]
    heard = np.concatenate([piece for _, piece in pieces])
    loud = int(np.argmax(np.abs(heard) > 0.3)) / rate + begins
    assert loud == pytest.approx(0.5, abs=0.03)

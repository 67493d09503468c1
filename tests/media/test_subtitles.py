"""Subtitles beside videos and in them: kinds, encodings, what is stripped, what is refused."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType

import pytest

from c2v.errors import MediaError
from c2v.media.scan import FoundVideo, ScanProblem, scan
from c2v.media.subtitle_text import Cue, RawCue, lines_of, rows_of
from c2v.media.subtitles import ReadSubtitles, read_embedded, read_sidecar

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname
Style: Default,Arial

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\an8}Hello\\N{\\k20}wor{\\k30}ld, again
Dialogue: 1,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\blur3}Hello\\Nworld, again
Dialogue: 0,0:00:01.50,0:00:02.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0 100 100{\\p0}
Comment: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,a note
"""
VTT = """WEBVTT
Kind: captions

NOTE nothing

STYLE
::cue { color: red }

00:01.000 --> 00:02.000 align:start position:0%
<v Roger>Hello<00:00:01.500><c.yellow> world</c>, again
"""
SAMI = """<SAMI><HEAD></HEAD><BODY>
<SYNC Start=1000><P Class=ENCC>Hello<br>world, again
<SYNC Start=2000><P Class=ENCC>&nbsp;
</BODY></SAMI>
"""
KINDS = {
    "film.srt": "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i>\nworld, again\n\n",
    "film.vtt": VTT,
    "film.ass": ASS,
    "film.ssa": ASS,
    "film.sub": "{1}{1}10\n{10}{20}{y:i}Hello|world, again\n",
    "film.smi": SAMI,
    "subviewer.sub": "[INFORMATION]\n00:00:01.00,00:00:02.00\nHello[br]world, again\n\n",
    "in-fact-vtt.srt": VTT,
}


def read(path: Path, content: bytes | str, *, seconds: float = 3600.0) -> ReadSubtitles:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_sidecar(path, duration_seconds=seconds, frame_rate=lambda: 25.0)


def srt(*lines: tuple[str, str, str]) -> str:
    return "".join(f"{n}\n{a} --> {b}\n{text}\n\n" for n, (a, b, text) in enumerate(lines, start=1))


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_read(tmp_path: Path, name: str) -> None:
    found = read(tmp_path / name, KINDS[name])
    assert found.cues == (Cue(1.0, 2.0, "Hello world, again"),)
    assert (found.remarks, found.without_text) == ((), 0)


def test_pictures_a_second_are_the_videos_where_the_file_does_not_say(tmp_path: Path) -> None:
    assert read(tmp_path / "a.sub", "{25}{50}Hello|world").cues == (Cue(1.0, 2.0, "Hello world"),)


@pytest.mark.parametrize(
    ("encoding", "name", "said"),
    [
        ("utf-8", "film.srt", ""),
        ("utf-8-sig", "film.srt", ""),
        ("utf-16", "film.srt", ""),
        ("utf-32", "film.srt", ""),
        ("utf-16-le", "film.srt", "utf-16-le"),
        ("utf-16-be", "film.srt", "utf-16-be"),
        ("cp1252", "film.srt", "cp1252"),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, name: str, said: str) -> None:
    text = srt(("00:00:01,000", "00:00:02,000", "Crème brûlée"))
    found = read(tmp_path / name, text.replace("\n", "\r\n").encode(encoding))
    assert [cue.text for cue in found.cues] == ["Crème brûlée"]
    assert found.remarks == ((f"is not UTF-8, read as {said}",) if said else ())


@pytest.mark.parametrize(
    ("language", "encoding", "text"),
    [("ru", "cp1251", "С днём рождения"), ("ja", "cp932", "誕生日"), ("pl", "cp1250", "Święta")],
)
def test_the_language_in_the_name_says_what_was_usual(
    tmp_path: Path, language: str, encoding: str, text: str
) -> None:
    coded = srt(("00:00:01,000", "00:00:02,000", text)).encode(encoding)
    found = read(tmp_path / f"film.{language}.srt", coded)
    assert [cue.text for cue in found.cues] == [text]
    assert found.remarks == (f"is not UTF-8, read as {encoding}",)


def test_bytes_of_no_code_page_are_read_somehow(tmp_path: Path) -> None:
    coded = srt(("00:00:01,000", "00:00:02,000", "a \x81 b")).encode("latin-1")
    found = read(tmp_path / "film.srt", coded)
    assert found.remarks == ("is not UTF-8, read as latin-1",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (bytes(range(256)) * 50, "is not text"),
        (b"\0\1\2\3" * 3, "is not text"),
        (b"a shopping list\nwithout any time\n" * 100, "has no line with a time"),
        (b"x" * (33 << 20), "is larger than 32 MB"),
    ],
)
def test_what_is_no_subtitle_file_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(MediaError, match=why):
        read(tmp_path / "film.srt", content)


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "film.srt", b"") == ReadSubtitles()
    assert read(tmp_path / "film.vtt", b"WEBVTT\n").cues == ()


def test_a_large_file_takes_seconds_and_not_minutes(tmp_path: Path) -> None:
    count = 20_000
    text = "".join(
        f"{n}\n{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d},000 --> "
        f"{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d},900\nwords that are said {n}\n\n"
        for n in range(count)
    )
    started = time.process_time()
    assert len(read(tmp_path / "film.srt", text, seconds=1e6).cues) == count
    assert time.process_time() - started < 10


def test_one_line_as_long_as_a_book_is_cut(tmp_path: Path) -> None:
    found = read(tmp_path / "film.srt", srt(("00:00:01,000", "00:00:02,000", "word " * 100_000)))
    assert len(found.cues) == 500
    assert {(cue.start_seconds, cue.end_seconds) for cue in found.cues} == {(1.0, 2.0)}


def test_wrong_times(tmp_path: Path) -> None:
    """Backwards, negative, of no length, of a day, over each other, after the end."""
    text = srt(
        ("00:00:09,000", "00:00:08,000", "backwards"),
        ("-00:00:05,000", "-00:00:04,000", "before the start"),
        ("00:00:02,000", "00:00:02,000", "at once"),
        ("00:00:20,000", "24:00:00,000", "for ever"),
        ("00:00:30,000", "00:00:40,000", "over"),
        ("00:00:31,000", "00:00:39,000", "under"),
        ("00:01:40,000", "00:01:41,000", "too late"),
    )
    found = read(tmp_path / "film.srt", text, seconds=60.0)
    times = {cue.text: (cue.start_seconds, cue.end_seconds) for cue in found.cues}
    assert times["at once"] == (2.0, 5.0)
    assert times["for ever"] == (20.0, 23.0)
    assert (times["over"], times["under"]) == ((30.0, 40.0), (31.0, 39.0))
    assert all(0 <= start < end <= 60 for start, end in times.values())
    assert "too late" not in times
    assert found.remarks == ("1 line begins after the end of the video, left out",)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("<i>Happy</i> <b>birthday</b>", ("Happy birthday",)),
        ('<font color="#ff0000">red</font>', ("red",)),
        ("{\\an8}top {\\i1}x{\\i0}", ("top x",)),
        ("R&amp;B &lt;3 &nbsp; cr&egrave;me", ("R&B <3 crème",)),
        ("5 < 6 and 7 > 3", ("5 < 6 and 7 > 3",)),
        ("{a set} stays", ("{a set} stays",)),
        ("a<br/>b\\Nc\nd", ("a", "b", "c", "d")),
        ("\u200eleft\u200f \ufeffto right", ("left to right",)),
        (" \n\t\n", ()),
    ],
)
def test_what_only_says_how_it_looks_is_stripped(text: str, rows: tuple[str, ...]) -> None:
    assert rows_of(text) == rows


def test_rolling_captions_are_said_once(tmp_path: Path) -> None:
    """As automatic captions come: each cue repeats the line before, with times of words in it."""
    text = (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:02.000\n \nhappy<00:00:00.500><c> birthday</c>\n\n"
        "00:00:02.000 --> 00:00:02.010\nhappy birthday\n \n\n"
        "00:00:02.010 --> 00:00:04.000\nhappy birthday\nto<00:00:02.500><c> you</c>\n\n"
        "00:00:04.000 --> 00:00:04.010\nto you\n \n\n"
        "00:00:04.010 --> 00:00:06.000\nto you\nand<00:00:05.000><c> me</c>\n\n"
    )
    found = read(tmp_path / "film.en.vtt", text)
    assert [cue.text for cue in found.cues] == ["happy birthday", "to you", "and me"]
    assert [cue.start_seconds for cue in found.cues] == [0.0, 2.01, 4.01]


def test_a_line_that_grows_by_a_word_is_one() -> None:
    grown = [
        RawCue(n, n + 1.0, (" ".join(["we", "all", "live", "here"][: n + 1]),)) for n in range(4)
    ]
    assert lines_of(grown) == [Cue(0.0, 4.0, "we all live here")]


def test_what_is_said_again_later_is_said_twice() -> None:
    cues = [RawCue(0.0, 1.0, ("Hey!",)), RawCue(5.0, 6.0, ("Hey!",))]
    assert lines_of(cues) == [Cue(0.0, 1.0, "Hey!"), Cue(5.0, 6.0, "Hey!")]


LINES = ((0.5, 1.5, "Happy <i>birthday</i>"), (3.0, 4.0, "Crème brûlée"))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("film.mkv", "subrip"),
        ("film.mkv", "ass"),
        ("film.mp4", "mov_text"),
        ("film.mov", "mov_text"),
        ("film.webm", "webvtt"),
    ],
)
def test_streams_in_the_video_are_read(
    videos: ModuleType, tmp_path: Path, name: str, codec: str
) -> None:
    path = videos.make_subtitled(tmp_path / name, LINES, codecs=[codec])
    found = read_embedded(path, start_seconds=None, duration_seconds=8.0)
    assert found == ReadSubtitles((Cue(0.5, 1.5, "Happy birthday"), Cue(3.0, 4.0, "Crème brûlée")))


def test_streams_of_pictures_are_counted(videos: ModuleType, tmp_path: Path) -> None:
    path = videos.make_subtitled(tmp_path / "a.mkv", LINES, codecs=["dvdsub", "subrip", "dvdsub"])
    found = read_embedded(path, start_seconds=0.0, duration_seconds=8.0)
    assert (len(found.cues), found.without_text) == (2, 2)
    plain = videos.make_video(tmp_path / "b.mp4")
    assert read_embedded(plain, start_seconds=0.0, duration_seconds=2.0) == ReadSubtitles()


def test_times_count_from_the_start_of_playback(videos: ModuleType, tmp_path: Path) -> None:
    """The file's clock need not begin at nought."""
    late = [(start + 100.0, end + 100.0, text) for start, end, text in LINES]
    path = videos.make_subtitled(tmp_path / "a.mkv", late, stamp=lambda number: 100.0 + number / 5)
    found = read_embedded(path, start_seconds=None, duration_seconds=8.0)
    assert [round(cue.start_seconds, 2) for cue in found.cues] == [0.5, 3.0]


def test_of_a_damaged_video_the_beginning_is_read(videos: ModuleType, tmp_path: Path) -> None:
    path = videos.make_subtitled(tmp_path / "a.mkv", LINES)
    videos.cut_off(path, share=0.5)
    found = read_embedded(path, start_seconds=0.0, duration_seconds=8.0)
    assert [cue.text for cue in found.cues] == ["Happy birthday"]
    with pytest.raises(MediaError, match="subtitles cannot be read"):
        read_embedded(tmp_path / "none.mkv", start_seconds=0.0, duration_seconds=8.0)


# -- which file belongs to which video ----------------------------------------------------------


def beside(folder: Path, *roots: str, exclude: tuple[str, ...] = ()) -> dict[str, list[str]]:
    problems: list[ScanProblem] = []
    found: list[FoundVideo] = list(
        scan([folder / root for root in roots], exclude=exclude, on_problem=problems.append)
    )
    assert problems == []
    return {
        str(video.path.relative_to(folder)): [one.name for one in video.subtitles]
        for video in found
    }


def lay(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_files_of_the_same_name_belong_to_a_video(tmp_path: Path) -> None:
    lay(
        tmp_path, "film.mp4", "film.srt", "film.en.srt", "Film.DE.forced.ASS", "film.mp4.vtt",
        "film.txt", "filmed.srt", "other.srt", ".film.srt", "film 2.mkv", "film 2.srt",
        "film.2.mp4", "film.2.srt", "film.2.fr.srt",
    )  # fmt: skip
    assert beside(tmp_path, ".") == {
        "film 2.mkv": ["film 2.srt"],
        "film.2.mp4": ["film.2.fr.srt", "film.2.srt"],
        "film.mp4": ["Film.DE.forced.ASS", "film.en.srt", "film.mp4.vtt", "film.srt"],
    }
    assert beside(tmp_path, "film.mp4") == {
        "film.mp4": ["Film.DE.forced.ASS", "film.en.srt", "film.mp4.vtt", "film.srt"]
    }
    excluded = beside(tmp_path, ".", exclude=("*.srt",))
    assert excluded["film.mp4"] == ["Film.DE.forced.ASS", "film.mp4.vtt"]


def test_folders_of_subtitles(tmp_path: Path) -> None:
    lay(
        tmp_path, "a/one.mkv", "a/Subs/2_English.srt", "b/e1.mkv", "b/e2.mkv", "b/Subs/e1.en.srt",
        "b/Subs/e2/2_English.srt", "b/Subs/3_French.srt", "c/one.mkv", "c/extras/one.srt",
    )  # fmt: skip
    wanted = {
        "a/one.mkv": ["Subs/2_English.srt"],
        "b/e1.mkv": ["Subs/e1.en.srt"],
        "b/e2.mkv": ["Subs/e2/2_English.srt"],
        "c/one.mkv": [],
    }
    assert beside(tmp_path, ".") == wanted
    assert beside(tmp_path, *wanted) == wanted


def test_only_regular_files_are_looked_at(tmp_path: Path) -> None:
    import os

    lay(tmp_path, "film.mp4")
    os.mkfifo(tmp_path / "film.srt")
    (tmp_path / "film.en.srt").symlink_to("nowhere")
    (tmp_path / "film.vtt").mkdir()
    assert beside(tmp_path, ".") == {"film.mp4": []}


def test_dvd_subtitles_beside_are_one(tmp_path: Path) -> None:
    (tmp_path / "film.idx").write_text("# VobSub index file, v7\n")
    counted = [
        read(tmp_path / "film.sub", b"\0\0\1\xba" + bytes(100)),
        read_sidecar(tmp_path / "film.idx", duration_seconds=1.0, frame_rate=lambda: 25.0),
    ]
    assert sum(one.without_text for one in counted) == 1

"""Captions files as people have them, and what is said of those that cannot be read."""

from __future__ import annotations

import csv
import json
import os
import unicodedata
from pathlib import Path

import pytest

from c2v.errors import DataError, UsageError
from c2v.evaluation.captions import Captions, read_captions
from c2v.evaluation.datasets import load_captions


def read(folder: Path, name: str, content: str | bytes) -> Captions:
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(data)
    return read_captions(folder / name)


def names(captions: Captions) -> list[str]:
    return [Path(path).name for path in captions.paths]


# -- tables ---------------------------------------------------------------------------------------


def test_a_caption_may_go_over_lines(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", 'video,caption\r\nx.mp4,"one\r\ntwo ""three"""\r\ny.mp4,four')
    assert found.texts == ('one\r\ntwo "three"', "four")


def test_separators_of_unicode_do_not_end_a_row(tmp_path: Path) -> None:
    text = "a\u2028b\x0bc"
    assert read(tmp_path, "a.csv", f"video,caption\nx.mp4,{text}\n").texts == (text,)
    row = json.dumps({"video": "x.mp4", "caption": "a\u2028b"}, ensure_ascii=False)
    assert read(tmp_path, "a.jsonl", f"{row}\n\n{row.replace('x', 'y')}").videos[1:]


def test_what_spreadsheets_write(tmp_path: Path) -> None:
    """A byte order mark, semicolons, blank lines, an empty column at the end."""
    found = read(tmp_path, "a.csv", "\ufeffVideo ;Caption;\r\n\r\nx.mp4;a cat, a dog;\r\n".encode())
    assert (names(found), found.texts, found.incomplete) == (["x.mp4"], ("a cat, a dog",), 0)


def test_the_layout_of_msrvtt_1ka(tmp_path: Path) -> None:
    (tmp_path / "video7.mp4").touch()
    found = read(tmp_path, "t.csv", "key,vid_key,video_id,sentence\nret0,msr7,video7,a man sings\n")
    assert (names(found), found.texts) == (["video7.mp4"], ("a man sings",))


def test_a_comma_too_many_is_told_not_cut(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 3: 3 columns, the header has 2") as caught:
        read(tmp_path, "a.csv", "video,caption\nx.mp4,a cat\ny.mp4,a dog, running\n")
    assert "double quotes" in caught.value.hint


def test_a_quote_that_is_not_closed_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.csv, line \d"):
        read(tmp_path, "a.csv", 'video,caption\nx.mp4,"a cat\ny.mp4,a dog\n')


# -- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        [{"video": "x.mp4", "caption": ["one", "two"]}, {"video": "y.mp4", "caption": "three"}],
        [{"video": "x.mp4", "caption": "one"}, {"caption": "two", "video": "x.mp4"},
         {"video": "y.mp4", "caption": "three", "note": [1]}],
        {"x.mp4": ["one", "two"], "y.mp4": "three"},
        {"videos": [], "sentences": [
            {"video_id": "x.mp4", "caption": "one", "sen_id": 0},
            {"video_id": "x.mp4", "caption": "two", "sen_id": 1},
            {"video_id": "y.mp4", "caption": "three", "sen_id": 2},
        ]},
    ],
    ids=["lists", "rows", "object", "msrvtt"],
)  # fmt: skip
def test_shapes_of_json_say_the_same(tmp_path: Path, content: object) -> None:
    found = read(tmp_path, "a.json", json.dumps(content))
    assert names(found) == ["x.mp4", "x.mp4", "y.mp4"]
    assert found.texts == ("one", "two", "three")


def test_a_row_without_a_caption_is_counted(tmp_path: Path) -> None:
    rows = [{"video": "x.mp4"}, {"video": "y.mp4", "caption": "a"}, {"video": "z", "caption": []}]
    found = read(tmp_path, "a.json", json.dumps(rows))
    assert (names(found), found.incomplete) == (["y.mp4"], 2)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", '[{"video": "x", "caption": {"en": "a"}}]', "not a sentence"),
        ("a.json", '[{"video": ["x"], "caption": "a"}]', "not a file name"),
        ("a.json", "[" * 100_000, "not valid JSON"),
        ("a.json", '"x"', "not a list of objects"),
        ("a.json", "", "has no rows"),
        ("a.json", "[]", "has no rows"),
        ("a.jsonl", '{"video": "x", "caption": "a"}\n{"video"', "line 2 is not valid JSON"),
        ("a.csv", b"video,caption\nx.mp4,a\0b\n", "is a binary file"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\xff", "is a binary file"),
        (
            "a.csv",
            "video,caption\nx.mp4,\u72ac\u304c\u8d70\u308b\n".encode("cp932"),
            "not UTF-8 text",
        ),
        (
            "a.csv",
            "video,caption\nx.mp4,\u0441\u043e\u0431\u0430\u043a\u0430\n".encode("cp1251"),
            "not UTF-8 text",
        ),
        ("a.csv", "video,caption\nx.mp4,a\n".encode("utf-16")[:-1], "is not UTF-16 text"),
        ("a.csv", "video,caption\nx.mp4,a\n".encode("utf-16-le"), "is a binary file"),
        ("a.json", '[{"video": "x", "caption": "a\\u0000b"}]', "video 'x' holds a NUL"),
        (
            "a.json",
            '[{"video": "x\\u0000y", "caption": "a"}]',
            "the name of the video .* holds a NUL",
        ),
        ("a.jsonl", '{"video": "x", "caption": "a \\ud83d dog"}', r"half a character \(.ud83d\)"),
        ("a.json", '[{"video": "\\ud83d", "caption": "a"}]', "the name of the video .* half"),
        ("a.json", '{"x": ' + "1" * 5000 + "}", "not valid JSON"),
        ("a.jsonl", '{"x": ' + "[" * 100_000, "line 1 is not valid JSON"),
        ("a.csv", "video,caption\nx.mp4," + "a" * 200_000, "field limit"),
        ("a.mp4", "x", "by its extension"),
    ],
)
def test_bad_files_are_a_sentence_and_a_hint(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path, name, content)
    assert str(tmp_path / name) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_folder_and_a_locked_file(tmp_path: Path) -> None:
    (tmp_path / "b.csv").mkdir()
    for folder in (tmp_path, tmp_path / "b.csv"):
        with pytest.raises(DataError, match="Is a directory"):
            read_captions(folder)
    locked = tmp_path / "a.csv"
    locked.write_text("video,caption\nx,a\n")
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(DataError, match="Permission denied"):
        read_captions(locked)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    (tmp_path / "b.csv").symlink_to("/dev/zero")
    for name, said in (("a.csv", "it is a pipe"), ("b.csv", "it is a device")):
        with pytest.raises(DataError, match=said):
            read_captions(tmp_path / name)


# -- what other programs write --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "captions"),
    [
        ('["a dog", "a cat"]', ["a dog", "a cat"]),
        ("['a red wall.', 'a \\'red\\' square']", ["a red wall.", "a 'red' square"]),
        ("[u'a dog', u\"it's\"]", ["a dog", "it's"]),
        ("['a dog'\n 'a cat']", ["a dog", "a cat"]),  # an array of NumPy, as pandas writes it
        ('["caf\\u00e9", "\\ud83d\\ude00"]', ["caf\u00e9", "\U0001f600"]),
        ("['one', ]", ["one"]),
        ("[music] a man sings [laughs]", ["[music] a man sings [laughs]"]),
        ("[applause]", ["[applause]"]),
        ("['a dog', 3]", ["['a dog', 3]"]),
        ("['a' + 'b']", ["['a' + 'b']"]),
        ("[__import__('os')]", ["[__import__('os')]"]),
        ("[" * 50_000 + "]", ["[" * 50_000 + "]"]),
    ],
)
def test_a_list_in_a_cell_is_several_captions(
    tmp_path: Path, cell: str, captions: list[str]
) -> None:
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("video", "caption"), ("x.mp4", cell)])
    assert list(read_captions(tmp_path / "a.csv").texts) == captions
    (tmp_path / "a.json").write_text(json.dumps({"x.mp4": cell}))
    assert list(read_captions(tmp_path / "a.json").texts) == captions


def test_an_empty_list_is_no_caption(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", "video,caption\nx.mp4,[]\ny.mp4,a dog\n")
    assert (found.texts, found.incomplete) == (("a dog",), 1)


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\nvideo;caption\nx.mp4;a cat, a dog\n",
        '"sep=;"\r\nvideo;caption\r\nx.mp4;a cat, a dog\r\n',
        "\ufeffSEP=|\nvideo|caption\nx.mp4|a cat, a dog\n",
        'sep=,\nvideo,caption\nx.mp4,"a cat, a dog"\n',
        "video;caption, in English;caption\nx.mp4;no;a cat, a dog\n",
    ],
)
def test_the_mark_between_columns_is_found_or_told(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, "a.csv", content).texts == ("a cat, a dog",)
    assert read(tmp_path, "b.csv", content.removeprefix("\ufeff").encode("utf-16")).texts == (
        "a cat, a dog",
    )


def test_western_spreadsheets_are_read_and_it_is_said(tmp_path: Path) -> None:
    text = "video;caption\nx.mp4;Ein Mann f\u00e4hrt \u2013 langsam\n"
    found = read(tmp_path, "a.csv", text.encode("cp1252"))
    assert (found.texts, found.encoding) == (("Ein Mann f\u00e4hrt \u2013 langsam",), "cp1252")
    assert read(tmp_path, "a.csv", text.encode()).encoding == ""


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("list.csv", ("a red wall.", "a red square on the screen.", "numbers on a grey wall.",
                      "a counter")),
        ("sep.csv", ("a red wall", "numbers")),
        ("nfc.csv", ("a red wall", "numbers")),
    ],
)  # fmt: skip
def test_files_out_of_bug_reports(tmp_path: Path, name: str, texts: tuple[str, ...]) -> None:
    case = Path(__file__).parents[2] / ".." / "shared" / "cases" / name
    if not case.is_file():
        pytest.skip("the folder of cases is not beside this checkout")
    file = tmp_path / name
    file.write_bytes(case.read_bytes())
    for video in ("a.mp4", "b.mp4", "caf\u00e9 zo\u00eb.mp4", "M\u00fcller.mp4"):
        (tmp_path / unicodedata.normalize("NFD", video)).touch()
    found = read_captions(file)
    assert found.texts == texts
    assert all(Path(path).is_file() for path in found.paths)


# -- which file a name means ----------------------------------------------------------------------


def test_files_beside_a_video_do_not_stand_for_it(tmp_path: Path) -> None:
    for name in ("x.mp4", "x.mp4.json", "x.txt", "y.mp4.part", "z.1.mkv", "z.1.srt"):
        (tmp_path / name).touch()
    rows = "video,caption\nx.mp4,a\nx,b\ny.mp4,c\nz.1,d\n"
    assert names(read(tmp_path, "a.csv", rows)) == ["x.mp4", "x.mp4", "y.mp4", "z.1.mkv"]


def test_names_are_relative_to_the_file_or_to_videos(tmp_path: Path) -> None:
    clips = tmp_path / "clips" / "deep"
    clips.mkdir(parents=True)
    for name in ("clips/deep/v_q.webm", "clips/x.mp4", "x.mp4"):
        (tmp_path / name).touch()
    data = tmp_path / "a.csv"
    data.write_text(f"video,caption\nx.mp4,a\nq,b\n{tmp_path}/x.mp4,c\n../clips/gone.mp4,d\n")
    beside = [os.path.relpath(path, tmp_path) for path in read_captions(data).paths]
    assert beside == ["x.mp4", "q", "x.mp4", "../clips/gone.mp4"]
    below = load_captions(str(data), videos=tmp_path / "clips").paths
    assert [os.path.relpath(path, tmp_path) for path in below] == [
        "clips/x.mp4", "clips/deep/v_q.webm", "x.mp4", "clips/gone.mp4"
    ]  # fmt: skip


def test_a_videos_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("video,caption\nx.mp4,a\n")
    with pytest.raises(UsageError, match="--videos .*gone: no such folder"):
        load_captions(str(tmp_path / "a.csv"), videos=tmp_path / "gone")
    with pytest.raises(UsageError, match="--annotations goes with a benchmark"):
        load_captions(str(tmp_path / "a.csv"), annotations=tmp_path)


@pytest.mark.parametrize(("written", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_may_be_written_in_two_ways(tmp_path: Path, written: str, on_disk: str) -> None:
    """macOS keeps names in the long form, most programs write the short one."""
    names = ("Z\u00fcrich/caf\u00e9 zo\u00eb.mp4", "Z\u00fcrich/M\u00fcller.mp4")
    for name in names:
        path = tmp_path / unicodedata.normalize(on_disk, name)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    rows = [names[0], names[1], "Z\u00fcrich/gone \u00e9.mp4"]
    text = unicodedata.normalize(written, "".join(f"{name},a\n" for name in rows))
    found = read(tmp_path, "a.csv", f"video,caption\n{text}")
    assert [Path(path).is_file() for path in found.videos] == [True, True, False]
    ids = unicodedata.normalize(written, "video,caption\nM\u00fcller,a\n")
    (tmp_path / "b.csv").write_text(ids, encoding="utf-8")
    below = read_captions(tmp_path / "b.csv", videos=tmp_path)
    assert Path(below.paths[0]).is_file()


def test_the_exact_name_comes_first(tmp_path: Path) -> None:
    short, long = (unicodedata.normalize(form, "\u00e9.mp4") for form in ("NFC", "NFD"))
    (tmp_path / short).touch()
    (tmp_path / long).touch()
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system does not tell the two apart")
    found = read(tmp_path, "a.csv", f"video,caption\n{long},a\n{short},b\n")
    assert names(found) == [long, short]

"""Captions files as people have them, and what is said of those that cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from c2v.errors import DataError, UsageError
from c2v.training.captions import Captions, read_captions
from c2v.training.datasets import load_captions


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
        ("a.csv", "video,caption\nx.mp4,caf\u00e9\n".encode("latin-1"), "is not UTF-8 text"),
        ("a.csv", "video,caption\nx.mp4,a\n".encode("utf-16"), "is not UTF-8 text"),
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

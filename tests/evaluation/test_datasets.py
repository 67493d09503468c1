"""Captions files and the official layouts of benchmarks, generated at their official sizes."""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from c2v.errors import DataError, UsageError
from c2v.evaluation.captions import read_captions
from c2v.evaluation.datasets import BENCHMARKS, load_captions


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def write_rows(path: Path, header: list[str], rows: Iterable[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


# -- a file of one's own --------------------------------------------------------------------------


@pytest.mark.parametrize("video", ["video", "video_id", "path"])
@pytest.mark.parametrize("text", ["caption", "sentence", "text"])
def test_column_names(tmp_path: Path, video: str, text: str) -> None:
    file = write(tmp_path / "a.csv", f"{text},{video}\na cat,x.mp4\n")
    captions = read_captions(file)
    assert captions.texts == ("a cat",)
    assert captions.paths == (str(tmp_path / "x.mp4"),)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".jsonl"])
def test_kinds_of_file_say_the_same(tmp_path: Path, suffix: str) -> None:
    rows = [{"video": "x.mp4", "caption": "one, two"}, {"video": "y.mp4", "caption": "three"}]
    text = {
        ".csv": 'video,caption\nx.mp4,"one, two"\ny.mp4,three\n',
        ".tsv": "video\tcaption\nx.mp4\tone, two\ny.mp4\tthree\n",
        ".json": json.dumps(rows),
        ".jsonl": "\n".join(map(json.dumps, rows)),
    }[suffix]
    captions = read_captions(write(tmp_path / f"a{suffix}", text))
    assert captions.texts == ("one, two", "three")


def test_duplicates_and_gaps_are_counted(tmp_path: Path) -> None:
    rows = "x.mp4,a cat\nx.mp4,a cat\nx.mp4,a dog\n,nobody\ny.mp4,\n"
    captions = read_captions(write(tmp_path / "a.csv", f"video,caption\n{rows}"))
    assert (len(captions.texts), captions.duplicates, captions.incomplete) == (2, 1, 2)
    assert captions.videos == (str(tmp_path / "x.mp4"),)


def test_the_digest_is_of_pairs_not_of_places(tmp_path: Path) -> None:
    text = "video,caption\nx.mp4,a cat\n"
    (tmp_path / "sub").mkdir()
    here = read_captions(write(tmp_path / "a.csv", text))
    there = read_captions(write(tmp_path / "sub" / "b.csv", text))
    other = read_captions(write(tmp_path / "c.csv", "video,caption\nx.mp4,a dog\n"))
    assert here.digest == there.digest != other.digest


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "has no rows"),
        ("a.csv", "video,caption\n", "has no rows"),
        ("a.csv", "film,caption\nx,y\n", "has no column 'video'"),
        ("a.csv", "video,words\nx,y\n", "has no column 'caption'"),
        ("a.csv", "video,caption\n,\n", "no row has both"),
        ("a.json", "{", "is not valid JSON"),
        ("a.json", "[1]", "is not a list of objects"),
        ("a.txt", "x", "extension"),
    ],
)
def test_bad_files_are_a_sentence_and_a_hint(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read_captions(write(tmp_path / name, text))
    assert str(tmp_path / name) in caught.value.message
    assert caught.value.hint


def test_a_name_that_is_neither_file_nor_benchmark() -> None:
    with pytest.raises(DataError, match="no benchmark of that name") as caught:
        load_captions("msrvtt")
    assert "msrvtt-9k" in caught.value.hint


def test_a_benchmark_needs_a_folder_and_a_split(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs the folder"):
        load_captions("msvd")
    with pytest.raises(UsageError, match="has no val split"):
        load_captions("msrvtt-9k", split="val", videos=tmp_path)


# -- benchmarks ------------------------------------------------------------------------------------


def msrvtt(folder: Path) -> None:
    parts = ["train"] * 6513 + ["validate"] * 497 + ["test"] * 2990
    videos = [{"video_id": f"video{n}", "split": part, "url": ""} for n, part in enumerate(parts)]
    sentences = [
        {"video_id": video["video_id"], "caption": f"sentence {k} of {video['video_id']}"}
        for video in videos
        for k in range(2)
    ]
    content = {"videos": videos, "sentences": sentences}
    (folder / "MSRVTT_data.json").write_text(json.dumps(content))
    ids = [str(video["video_id"]) for video in videos]
    for name, count in (("9k", 9000), ("7k", 7010)):
        write_rows(folder / f"MSRVTT_train.{name}.csv", ["video_id"], ([i] for i in ids[:count]))
    write_rows(
        folder / "MSRVTT_JSFUSION_test.csv",
        ["key", "vid_key", "video_id", "sentence"],
        ([f"ret{n}", f"msr{i}", i, f"a test of {i}"] for n, i in enumerate(ids[9000:])),
    )


def lists(folder: Path, sizes: dict[str, int], *, suffix: str = "") -> dict[str, list[str]]:
    names = {part: [f"{part}{n}" for n in range(size)] for part, size in sizes.items()}
    for part, videos in names.items():
        (folder / f"{part}_list.txt").write_text("\n".join(f"{v}{suffix}" for v in videos))
    return names


def msvd(folder: Path) -> None:
    names = lists(folder, {"train": 1200, "val": 100, "test": 670})
    table = {video: [["a", "man", str(k)] for k in range(3)] for v in names.values() for video in v}
    (folder / "raw-captions.pkl").write_bytes(pickle.dumps(table, protocol=2))


def vatex(folder: Path) -> None:
    names = lists(folder, {"train": 25991, "val": 1500, "test": 1500})
    table = {video: {"enCap": [f"{video} {k}" for k in range(10)]} for v in names.values()
             for video in v}  # fmt: skip
    (folder / "vatex_data.json").write_text(json.dumps(table))


def lsmdc(folder: Path) -> None:
    files = {
        "LSMDC16_annos_training.csv": 101079,
        "LSMDC16_annos_val.csv": 7408,
        "LSMDC16_challenge_1000_publictect.csv": 1000,
    }
    for name, count in files.items():
        lines = (f"film_{n}\t00:00\t00:01\t00:00\t00:01\tSomeone goes {n}." for n in range(count))
        (folder / name).write_text("\n".join(lines))


def activitynet(folder: Path) -> None:
    for ids, table, count in (("train", "train", 10009), ("val", "val_1", 4917)):
        names = [f"{ids}{n}" for n in range(count)]
        (folder / f"{ids}_ids.json").write_text(json.dumps([f"v_{name}" for name in names]))
        content = {
            f"v_{name}": {"duration": 9.0, "timestamps": [[0, 1]], "sentences": ["One. ", " Two."]}
            for name in names
        }
        (folder / f"{table}.json").write_text(json.dumps(content))


def didemo(folder: Path) -> None:
    names = lists(folder, {"train": 8395, "val": 1065, "test": 1004}, suffix=".avi")
    for part, videos in names.items():
        rows = [
            {"video": f"{video}.mp4", "description": f" moment {k} ", "times": [[0, 0]]}
            for video in videos
            for k in range(2)
        ]
        (folder / f"{part}_data.json").write_text(json.dumps(rows))


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "msrvtt-9k": msrvtt,
    "msrvtt-7k": msrvtt,
    "msrvtt-full": msrvtt,
    "msvd": msvd,
    "vatex": vatex,
    "lsmdc": lsmdc,
    "activitynet": activitynet,
    "didemo": didemo,
}
SENTENCES: dict[str, tuple[int, int]] = {  # of a training and of a test video
    "msrvtt-9k": (2, 1),
    "msrvtt-7k": (2, 1),
    "msrvtt-full": (2, 2),
    "msvd": (3, 3),
    "vatex": (10, 10),
    "lsmdc": (1, 1),
    "activitynet": (1, 1),
    "didemo": (1, 1),
}


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_official_layouts(tmp_path: Path, name: str) -> None:
    LAYOUTS[name](tmp_path)
    for split, count in BENCHMARKS[name].videos.items():
        captions = load_captions(name, split=split, videos=tmp_path)  # type: ignore[arg-type]
        assert len(captions.videos) == count
        if split != "val":
            assert len(captions.texts) == count * SENTENCES[name][split == "test"]
        assert captions.benchmark == (name if split == "test" else "")


def test_paragraphs_are_joined(tmp_path: Path) -> None:
    activitynet(tmp_path)
    didemo(tmp_path)
    assert load_captions("activitynet", videos=tmp_path).texts[0] == "One. Two."
    captions = load_captions("didemo", videos=tmp_path)
    assert captions.texts[0] == "moment 0 moment 1"
    assert captions.first_seconds == 31.0


def test_more_videos_than_the_split_has_are_an_error_and_fewer_no_benchmark(
    tmp_path: Path,
) -> None:
    msvd(tmp_path)
    lists(tmp_path, {"test": 669})
    fewer = load_captions("msvd", videos=tmp_path)
    assert (len(fewer.videos), fewer.benchmark) == (669, "")
    assert "669 of the 670 videos of the test split of msvd" in fewer.remark
    content = pickle.loads((tmp_path / "raw-captions.pkl").read_bytes())
    content["test670"] = [["one", "more"]]
    (tmp_path / "raw-captions.pkl").write_bytes(pickle.dumps(content))
    lists(tmp_path, {"test": 671})
    with pytest.raises(DataError, match="671 videos, the test split of msvd has 670"):
        load_captions("msvd", videos=tmp_path)


def test_a_sentence_that_a_benchmark_says_twice_is_two_queries(tmp_path: Path) -> None:
    """As the papers' code counts them; in a file of one's own it is one."""
    lists(tmp_path, {"test": 2})
    table = {"test0": [["a", "man"], ["a", "man"]], "test1": [["a", "dog"]]}
    (tmp_path / "raw-captions.pkl").write_bytes(pickle.dumps(table))
    captions = load_captions("msvd", videos=tmp_path)
    assert captions.texts == ("a man", "a man", "a dog")
    moved = captions.at({captions.paths[0]: "/elsewhere/test0.avi"}, {})
    assert (moved.texts, moved.duplicates) == (captions.texts, 0)
    assert moved.paths[:2] == ("/elsewhere/test0.avi",) * 2


def test_videos_are_found_below_the_folder_and_missing_ones_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    msvd(tmp_path / "a")
    (tmp_path / "clips" / "deep").mkdir(parents=True)
    there = tmp_path / "clips" / "deep" / "test3.avi"
    there.touch()
    captions = load_captions("msvd", videos=tmp_path / "clips", annotations=tmp_path / "a")
    assert captions.videos[3] == str(there)
    assert captions.videos[4] == str(tmp_path / "clips" / "test4.mp4")


def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (print, ("run",))

    msvd(tmp_path)
    (tmp_path / "raw-captions.pkl").write_bytes(pickle.dumps({"test0": Trap()}))
    with pytest.raises(DataError, match="wants to run"):
        load_captions("msvd", videos=tmp_path)


def test_a_missing_official_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"MSRVTT_JSFUSION_test.csv: no such file"):
        load_captions("msrvtt-9k", videos=tmp_path)


def broken(folder: Path, name: str, content: Any, *, listed: str = "a\n") -> None:
    """One file of a benchmark as it should not be, beside a list of one video."""
    (folder / "test_list.txt").write_text(listed)
    (folder / "val_ids.json").write_text('["v_a"]')
    if isinstance(content, bytes):
        (folder / name).write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("benchmark", "name", "content", "said"),
    [
        ("msrvtt-9k", "MSRVTT_JSFUSION_test.csv", "key,sentence\n1,a\n", "no column 'video_id'"),
        ("msrvtt-9k", "MSRVTT_JSFUSION_test.csv", "video_id,sentence\nv1\n", "row 1 has no 'sent"),
        ("msrvtt-9k", "MSRVTT_JSFUSION_test.csv", "video_id,sentence\n" + "a" * 140_000, "line 2"),
        ("msrvtt-9k", "MSRVTT_JSFUSION_test.csv", b"\xff\xfe\x00", "cannot be read"),
        ("msrvtt-full", "MSRVTT_data.json", "[1]", "no list 'videos'"),
        ("msrvtt-full", "MSRVTT_data.json", {"videos": [{"video_id": 5, "split": ""}]}, "no text"),
        ("msrvtt-full", "test_videodatainfo.json", {"videos": [{}]}, "no 'video_id'"),
        ("msrvtt-full", "MSRVTT_data.json", "[" * 100_000, "not valid JSON"),
        ("msvd", "raw-captions.pkl", pickle.dumps([1]), "not a table of captions"),
        ("msvd", "raw-captions.pkl", pickle.dumps({"a": 5}), "not a table of captions"),
        ("msvd", "raw-captions.pkl", pickle.dumps({"a": [5]}), "not a sentence of words: 5"),
        ("msvd", "raw-captions.pkl", pickle.dumps({"a": [[5]]}), "not a sentence of words"),
        ("msvd", "raw-captions.pkl", b"not a pickle", "plain data"),
        ("msvd", "raw-captions.pkl", b"", "plain data"),
        ("vatex", "vatex_data.json", {"a": {"enCap": "one"}}, "no list of sentences 'enCap'"),
        ("vatex", "vatex_data.json", [], "not an object of videos"),
        ("vatex", "vatex_data.json", {"b": {"enCap": ["one"]}}, "no sentence of video a"),
        ("vatex", "vatex_data.json", {"a": {"enCap": []}}, "video a has no sentence"),
        ("vatex", "vatex_validation_v1.0.json", [{"videoID": 3}], "no text"),
        ("vatex", "vatex_validation_v1.0.json", [{"videoID": "a"}], "no list of sentences"),
        ("lsmdc", "LSMDC16_challenge_1000_publictect.csv", "clip\tone\n", "line 1: 2 columns"),
        ("activitynet", "val_1.json", {"v_a": {"sentences": [1]}}, "no list of sentences"),
        ("activitynet", "val_ids.json", {"v_a": 1}, "not a list of videos"),
        ("activitynet", "val_ids.json", [1], "not a list of videos"),
        ("didemo", "test_data.json", [{"video": "a.mov"}], "no 'description'"),
        ("didemo", "test_data.json", [{"video": "a.mov", "description": 5}], "no text"),
        ("didemo", "test_data.json", {"a.mov": "one"}, "is not a list"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_official_file_is_a_sentence(
    tmp_path: Path, benchmark: str, name: str, content: Any, said: str
) -> None:
    broken(tmp_path, name, content)
    with pytest.raises(DataError, match=said) as caught:
        load_captions(benchmark, videos=tmp_path)
    assert str(tmp_path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint

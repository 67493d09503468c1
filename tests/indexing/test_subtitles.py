"""Subtitles in runs of indexing: with a new video, beside an unchanged one, after failures."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.reembedding import model_record
from c2v.indexing.report import IndexReport
from c2v.library import Filter, SaidWords, Store, open_store
from c2v.media import pyav_decoder

ONE = IndexOptions(workers=1)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("mini", device="cpu")


@pytest.fixture
def store(tmp_path: Path, bundle: Bundle) -> Iterator[Store]:
    with open_store(tmp_path / "library", create=True) as made:
        made.set_model(model_record(bundle))
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "videos"
    made.mkdir()
    return made


def run(store: Store, bundle: Bundle, *paths: Path, options: IndexOptions = ONE) -> IndexReport:
    with store.writer():
        return index_paths(store, bundle, list(paths), options=options)


def write(path: Path, *lines: str) -> Path:
    """An SRT file with a line a second."""
    path.parent.mkdir(exist_ok=True)
    cues = (f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{line}\n\n" for n, line in enumerate(lines))
    path.write_text("".join(cues), encoding="utf-8")
    return path


def said(store: Store, word: str) -> list[tuple[str, str]]:
    found = store.said(Filter(said=(SaidWords(word),)), limit=99)
    return sorted((Path(one.path).name, one.line.text) for one in found)


def nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_of: object, **_more: object) -> None:
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr(pyav_decoder.PyAVDecoder, "frames", refuse)


def test_lines_come_with_a_new_video(
    store: Store, bundle: Bundle, folder: Path, videos: ModuleType
) -> None:
    inside = ((1.0, 2.0, "inside <b>one</b>"),)
    videos.make_subtitled(folder / "a.mkv", inside, codecs=["subrip", "dvdsub"])
    videos.make_subtitled(folder / "b.mp4", inside, codecs=["mov_text"])
    videos.make_video(folder / "c.mp4")
    write(folder / "a.en.srt", "beside one")
    write(folder / "Subs" / "b.srt", "beside one", "and two")
    report = run(store, bundle, folder)
    assert (report.added, report.lines, report.failed) == (3, 5, ())
    assert said(store, "one") == [
        ("a.mkv", "beside one"), ("a.mkv", "inside one"),
        ("b.mp4", "beside one"), ("b.mp4", "inside one"),
    ]  # fmt: skip
    assert store.counts().without_text == 1
    assert report.as_dict()["lines"] == 5
    again = run(store, bundle, folder)
    assert (again.unchanged, again.lines) == (3, 0)


def test_a_file_that_comes_changes_or_goes_is_noticed_without_decoding(
    store: Store, bundle: Bundle, folder: Path, videos: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos.make_subtitled(folder / "a.mkv", ((1.0, 2.0, "inside"),))
    run(store, bundle, folder)
    nothing_is_decoded(monkeypatch)
    file = write(folder / "a.srt", "first words")
    report = run(store, bundle, folder)
    assert (report.unchanged, report.lines) == (1, 1)
    assert said(store, "words") == [("a.mkv", "first words")]
    write(file, "other words altogether")
    assert run(store, bundle, folder / "a.mkv").lines == 1
    assert said(store, "words") == [("a.mkv", "other words altogether")]
    file.unlink()
    run(store, bundle, folder)
    assert said(store, "words") == []
    assert said(store, "inside") == [("a.mkv", "inside")]


def test_lines_follow_a_video_and_its_copy(
    store: Store, bundle: Bundle, folder: Path, videos: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos.make_subtitled(folder / "a.mkv", ((1.0, 2.0, "inside"),))
    write(folder / "a.srt", "beside")
    run(store, bundle, folder)
    nothing_is_decoded(monkeypatch)
    moved = folder.rename(folder.parent / "moved")
    report = run(store, bundle, moved)
    assert (report.moved, report.lines) == (1, 0), "what is known was read again"
    (moved / "copy.mkv").write_bytes((moved / "a.mkv").read_bytes())
    assert run(store, bundle, moved).added == 1
    assert said(store, "inside") == [("a.mkv", "inside"), ("copy.mkv", "inside")]
    assert said(store, "beside") == [("a.mkv", "beside")], "no file is beside the copy"
    (moved / "a.mkv").rename(moved / "b.mkv")  # its file stays behind
    run(store, bundle, moved)
    assert said(store, "beside") == []
    assert [name for name, _ in said(store, "inside")] == ["b.mkv", "copy.mkv"]


def test_a_video_that_is_another_now_has_other_lines(
    store: Store, bundle: Bundle, folder: Path, videos: ModuleType
) -> None:
    videos.make_subtitled(folder / "a.mkv", ((1.0, 2.0, "old words"),))
    write(folder / "a.srt", "words beside")
    run(store, bundle, folder)
    videos.make_subtitled(folder / "a.mkv", ((1.0, 2.0, "new words"),), seconds=6)
    report = run(store, bundle, folder)
    assert report.updated == 1
    assert said(store, "words") == [("a.mkv", "new words"), ("a.mkv", "words beside")]


def test_a_bad_file_costs_itself_only_and_is_tried_once(
    store: Store, bundle: Bundle, folder: Path, videos: ModuleType
) -> None:
    videos.make_video(folder / "a.mp4", count=40, rate=5)
    bad = folder / "a.srt"
    bad.write_bytes(bytes(range(256)) * 9)
    write(folder / "a.en.srt", "sound words")
    latin = "0\n00:00:01,000 --> 00:00:02,000\n\u00e9t\u00e9\n".encode("latin-1")
    (folder / "a.fr.srt").write_bytes(latin)
    report = run(store, bundle, folder)
    assert (report.added, report.failed, report.is_partial) == (1, (), False)
    assert sorted((one.path.name, one.reason) for one in report.subtitle_remarks) == [
        ("a.fr.srt", "is not UTF-8, read as cp1252"),
        ("a.srt", "is not text"),
    ]
    assert said(store, "words") == [("a.mp4", "sound words")]
    assert said(store, "ete") == [("a.mp4", "\u00e9t\u00e9")]
    assert run(store, bundle, folder).subtitle_remarks == ()
    write(bad, "mended words")
    assert run(store, bundle, folder).lines == 1
    assert len(said(store, "words")) == 2


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_a_remark(
    store: Store, bundle: Bundle, folder: Path, videos: ModuleType
) -> None:
    videos.make_video(folder / "a.mp4")
    write(folder / "a.srt", "words").chmod(0)
    (remark,) = run(store, bundle, folder).subtitle_remarks
    assert remark.reason.startswith("cannot be read")


def test_turned_off_nothing_is_read_until_it_is_on_again(
    store: Store, bundle: Bundle, folder: Path, videos: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos.make_subtitled(folder / "a.mkv", ((1.0, 2.0, "inside words"),))
    write(folder / "a.srt", "words beside")
    off = IndexOptions(workers=1, subtitles=False)
    assert run(store, bundle, folder, options=off).lines == 0
    assert run(store, bundle, folder, options=off).lines == 0
    assert store.subtitles() == {}
    nothing_is_decoded(monkeypatch)
    assert run(store, bundle, folder).lines == 2
    assert len(said(store, "words")) == 2
    assert run(store, bundle, folder, options=off).lines == 0
    assert len(said(store, "words")) == 2, "what is known is not forgotten"


def test_an_interrupted_run_is_taken_up_again(
    store: Store, bundle: Bundle, folder: Path, videos: ModuleType
) -> None:
    videos.make_video(folder / "a.mp4")
    run(store, bundle, folder)
    write(folder / "a.srt", "words")
    stop = threading.Event()
    stop.set()
    with store.writer():
        report = index_paths(store, bundle, [folder], options=ONE, stop=stop)
    assert (report.interrupted, said(store, "words")) == (True, [])
    assert run(store, bundle, folder).lines == 1


def test_without_an_index_of_words_videos_are_indexed_as_ever(
    store: Store, bundle: Bundle, folder: Path, videos: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from c2v.library.sqlite.line_table import LineTable

    monkeypatch.setattr(LineTable, "can_index", property(lambda _self: False))
    videos.make_subtitled(folder / "a.mkv", ((1.0, 2.0, "inside words"),))
    write(folder / "a.srt", "words beside")
    report = run(store, bundle, folder)
    assert (report.added, report.lines, report.failed) == (1, 0, ())
    monkeypatch.undo()
    assert run(store, bundle, folder).lines == 2

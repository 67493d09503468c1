"""The one object on short and long videos: everything it does, beside what the commands print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import c2v
from c2v.cli.app import run
from c2v.encoder.bundle import load_bundle
from c2v.errors import DataError, LibraryError, MediaError, UsageError
from c2v.services.video_library import VideoLibrary


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, videos: ModuleType) -> Path:
    """Three videos: two short ones, and one of forty seconds, which is three segments."""
    folder = tmp_path_factory.mktemp("videos")
    for name, seconds in (("short.mp4", 3), ("other.mp4", 4), ("long.mp4", 40)):
        videos.make_video(folder / name, count=5 * seconds, rate=5)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    place = tmp_path_factory.mktemp("library") / "library"
    with c2v.open(place) as videos:
        report = videos.index(folder, model="mini")
    assert (report.added, report.failed) == (3, ())
    return place


@pytest.fixture
def library(place: Path) -> Iterator[VideoLibrary]:
    with c2v.open(place) as videos:
        yield videos


def command(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "c2v", *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode in (0, 5), done.stderr  # 5: nothing matched, which is an answer
    return done.stdout


def test_opening_loads_neither_numpy_nor_the_library() -> None:
    script = "import sys; import c2v; c2v.open('family'); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"numpy", "sqlite3", "typer", "rich", "torch"}.isdisjoint(loaded)


def test_every_name_can_be_had_and_no_other() -> None:
    for name in c2v.__all__:
        assert getattr(c2v, name) is not None
    assert set(c2v.__all__) <= set(dir(c2v))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        c2v.nothing  # noqa: B018


def test_an_answer_is_a_sequence_of_moments(library: VideoLibrary, folder: Path) -> None:
    answer = library.search("a dog", top=2)
    assert isinstance(answer, c2v.Answer)
    assert len(answer) == 2
    assert [moment.rank for moment in answer] == [1, 2]
    assert answer[0].path in map(str, folder.iterdir())
    assert answer[:1] == answer.results[:1]
    assert answer[0] in answer


def test_as_dict_is_the_json_of_the_command_line(
    library: VideoLibrary, place: Path, folder: Path, tmp_path: Path
) -> None:
    def same(mine: dict[str, object], printed: str) -> None:
        theirs = json.loads(printed)
        for clock in ("elapsed_ms", "elapsed_s", "size_bytes"):  # a log while two have it open
            mine.pop(clock, None)
            theirs.pop(clock, None)
        assert json.loads(json.dumps(mine)) == theirs
        assert list(mine) == list(theirs)

    here = ("-L", place, "--format", "json")
    same(
        library.search("a dog", min_score=-1.0).as_dict(),
        command("search", "a dog", "--min-score=-1", *here),
    )
    clip = str(folder / "short.mp4")
    same(library.similar(clip).as_dict(), command("similar", clip, *here))
    same(library.status().as_dict(), command("status", *here))
    same(library.index(folder).as_dict(), command("index", folder, *here))
    labels = tmp_path / "labels.txt"
    labels.write_text("a dog\na cat\n")
    mine = library.describe(clip, ["a dog", "a cat"])
    assert len(mine) == 2
    same(mine.as_dict(), command("describe", clip, "--labels", labels, *here))
    captions = tmp_path / "captions.csv"
    captions.write_text(f"video,caption\n{folder}/short.mp4,a dog\n{folder}/other.mp4,a cat\n")
    measured = library.evaluate(str(captions))
    same(measured.as_dict(), command("evaluate", "--data", captions, *here))


def test_many_questions_are_answered_as_each_alone(library: VideoLibrary) -> None:
    many = library.search_many(["a dog", "a car"], top=1)
    for query, answer in zip(("a dog", "a car"), many, strict=True):
        alone = library.search(query, top=1)
        assert answer.query == query
        assert answer[0].path == alone[0].path
        assert answer[0].score == pytest.approx(alone[0].score, abs=1e-5)
    assert library.search_many([]) == []


def test_a_video_of_the_library_is_not_decoded_again(
    library: VideoLibrary, folder: Path, tmp_path: Path
) -> None:
    """Bytes that are no video, of the same size and time stamp: only a decoder would notice."""
    for name in ("short.mp4", "long.mp4"):
        clip = folder / name
        content, state = clip.read_bytes(), clip.stat()
        copy = tmp_path / name
        copy.write_bytes(content)
        decoded = library.similar(copy, moments=True)
        try:
            clip.write_bytes(bytes(len(content)))
            os.utime(clip, ns=(state.st_atime_ns, state.st_mtime_ns))
            stored = library.similar(clip, moments=True)
            os.utime(clip, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
            with pytest.raises(MediaError, match=name):
                library.similar(clip)
        finally:
            clip.write_bytes(content)
            os.utime(clip, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert stored[0].path == decoded[0].path
        mine = {(moment.path, moment.start): moment.score for moment in stored}
        theirs = {(moment.path, moment.start): moment.score for moment in decoded}
        tolerance = 2e-3 if name == "short.mp4" else 0.05  # of a long one they are other frames
        assert mine == pytest.approx(theirs, abs=tolerance)


def test_what_cannot_be_done_is_raised(tmp_path: Path, library: VideoLibrary) -> None:
    nowhere = c2v.open(tmp_path / "none")
    with pytest.raises(LibraryError, match="none"):
        nowhere.search("a dog")
    with pytest.raises(LibraryError):
        nowhere.status()
    with pytest.raises(UsageError, match="the QUERY is empty"):
        library.search("  ")
    with pytest.raises(UsageError, match="top is at least 1"):
        library.search("a dog", top=0)
    with pytest.raises(DataError, match="not in the library"):
        library.remove("nothing.mp4")
    with pytest.raises(UsageError, match="unknown setting"):
        c2v.open("family", colour="red")


def test_the_home_folder_and_removing(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    with c2v.open(tmp_path / "library") as videos:
        assert videos.index(f"~/{folder.name}", model="mini").added == 3
        path = str(folder / "short.mp4")
        assert videos.remove(path, dry_run=True).paths == (path,)
        assert videos.status().videos == 3
        seen: list[str] = []
        removed = videos.remove([path], confirm=lambda doomed: seen.extend(v.path for v in doomed))
        assert (removed.paths, seen) == ((path,), [path])
        assert videos.status().videos == 2


def test_notices_go_where_they_are_wanted(place: Path) -> None:
    problems: list[str] = []
    with c2v.open(place, on_problem=problems.append) as videos:
        for _ in range(2):
            assert len(videos.search("a dog", within="no/such/folder")) == 0
    assert problems == ["--in no/such/folder: no video of the library is there"]


def test_a_keyword_that_there_is_not_is_refused(library: VideoLibrary, folder: Path) -> None:
    with pytest.raises(TypeError, match=r"search\(\) got an .*'topp'; did you mean 'top'\?"):
        library.search("a dog", topp=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"index\(\) got an unexpected .*'workerss'"):
        library.index(folder, workerss=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"evaluate\(\) got an unexpected .*'colour'"):
        library.evaluate("captions.csv", colour="red")  # type: ignore[call-arg]


def test_a_report_is_what_it_was_when_the_run_ended(library: VideoLibrary, folder: Path) -> None:
    report = library.index(folder)
    assert (report.unchanged, report.reembedded) == (3, 0)
    with pytest.raises(AttributeError):
        report.added = 3  # type: ignore[misc]
    assert isinstance(report.failed, tuple)


def test_another_head_embeds_again_and_says_how_many(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    from c2v.encoder.heads.build import new_head
    from c2v.encoder.heads.settings import HeadSettings
    from c2v.encoder.trained_bundle import save_bundle

    mini = load_bundle("mini")
    for name in ("first", "second"):
        settings = HeadSettings(type="clip2video", feature_dim=mini.feature_dim)
        save_bundle(name, parent=mini, head=settings, head_state=new_head(settings).state_dict())
    with c2v.open(tmp_path / "library") as videos:
        videos.index([folder / "short.mp4", folder / "long.mp4"], model="mini")
        report = videos.index(folder / "short.mp4", model="first")
    assert (report.reembedded, report.unchanged, report.added) == (2, 1, 0)
    assert report.as_dict()["reembedded"] == 2
    words = ["index", str(folder), "-L", str(tmp_path / "library"), "--model", "second"]
    assert run(words) == 0
    assert capsys.readouterr().out.startswith("1 added, 2 re-embedded, 2 files unchanged; ")

"""Files that are renamed, replaced or written to while a run reads them, and files that break it.

What stands in a library at a path is what was read from the file that has this path: right after
every run, or the next run mends it.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.errors import ChangedError, MediaError
from c2v.indexing import committer, decoding, local, pipeline
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.query_clip import embed_clip
from c2v.indexing.reembedding import model_record
from c2v.indexing.report import IndexReport, Silent
from c2v.library import Store, open_store
from c2v.media import sampled
from c2v.media.frames import Frames
from c2v.media.identity import FileState, content_id, held, is_named, modified_ns
from c2v.media.sampled import Layout
from c2v.media.segments import SegmentMode

ONE = IndexOptions(workers=1, batch_size=1)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("mini", device="cpu")


@pytest.fixture
def library(tmp_path: Path, bundle: Bundle) -> Iterator[Store]:
    with open_store(tmp_path / "library", create=True) as library:
        library.set_model(model_record(bundle))
        yield library


@pytest.fixture
def folder(videos: ModuleType, tmp_path: Path) -> Path:
    """Three videos that differ, and a fourth outside to put in their place."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for number, name in enumerate(("a", "b", "c", "../other")):
        videos.make_video(folder / f"{name}.mp4", count=10 + number, rate=5)
    return folder


def assert_true(library: Store, bundle: Bundle, *paths: Path) -> None:
    """What the library holds for these, and no others, is what is in the files."""
    videos = library.videos()
    assert [video.path for video in videos] == sorted(map(str, paths))
    for video in videos:
        status = Path(video.path).stat()
        assert (video.size_bytes, video.mtime_ns) == (status.st_size, status.st_mtime_ns)
        assert video.content_id == content_id(Path(video.path))
        (row,) = library.segments_of([video.id])[video.id]
        _, features = library.features([row.segment_id])[row.segment_id]
        fresh = embed_clip(Path(video.path), bundle).features.astype(np.float32)
        assert features.shape == fresh.shape
        np.testing.assert_allclose(features.astype(np.float32), fresh, atol=0.02)
    assert library.problems() == []


class Acting(Silent):
    """Does something when a video is opened, or when the scan has ended; each only once."""

    def __init__(self, act: Callable[[], None], *, opened: str = "", scanned: bool = False) -> None:
        self._act, self._opened, self._scanned = act, opened, scanned
        self.acted = 0

    def scanned(self, count: int) -> None:
        if self._scanned and not self.acted:
            self._once()

    def opened(self, path: Path, *, seconds: float, size_bytes: int) -> None:
        if path.name == self._opened and not self.acted:
            self._once()

    def _once(self) -> None:
        self.acted += 1
        self._act()


def swap(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def at_decoding(
    monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[int], None], *, when: str
) -> list[int]:
    """Call ``act`` with 1, 2, ... each time a worker has begun, or ended, to decode that file."""
    decode, calls = decoding.decode_range, [0]

    def acting(layout: Layout, *arguments: Any, **options: Any) -> Iterator[Frames]:
        mine = layout.info.path.name == name
        if mine:
            calls[0] += 1
        if mine and when == "begun":
            act(calls[0])
        yield from decode(layout, *arguments, **options)
        if mine and when == "ended":
            act(calls[0])

    monkeypatch.setattr(decoding, "decode_range", acting)
    return calls


# -- renamed and replaced ------------------------------------------------------------------------


def test_files_that_traded_names_after_the_scan(
    library: Store, bundle: Bundle, folder: Path
) -> None:
    """The plan is made from the scan's sizes and time stamps: they are not what is stored."""
    acting = Acting(lambda: swap(folder / "a.mp4", folder / "c.mp4"), scanned=True)
    report = index_paths(library, bundle, [folder], options=ONE, progress=acting)
    assert (acting.acted, report.added, report.failed) == (1, 3, ())
    assert_true(library, bundle, *(folder / f"{name}.mp4" for name in "abc"))


def test_files_that_traded_names_between_plan_and_reading(
    library: Store, bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = pipeline.make_plan

    def late(*arguments: Any, **options: Any) -> Any:
        plan = make(*arguments, **options)
        swap(folder / "a.mp4", folder / "b.mp4")
        return plan

    monkeypatch.setattr(pipeline, "make_plan", late)
    report = index_paths(library, bundle, [folder], options=ONE)
    assert (report.added, report.failed) == (3, ())
    assert_true(library, bundle, *(folder / f"{name}.mp4" for name in "abc"))
    monkeypatch.setattr(pipeline, "make_plan", make)
    assert index_paths(library, bundle, [folder], options=ONE).unchanged == 3


@pytest.mark.parametrize("when", ["begun", "ended"])
@pytest.mark.parametrize("keeps_stamp", [False, True], ids=["other stamp", "same size and stamp"])
def test_a_file_replaced_while_it_is_read_is_read_again(
    library: Store,
    bundle: Bundle,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
    keeps_stamp: bool,
) -> None:
    file, other = folder / "b.mp4", folder.parent / "other.mp4"
    if keeps_stamp:
        status = file.stat()
        with other.open("ab") as grown:  # a box that every player passes over
            room = max(0, file.stat().st_size - other.stat().st_size)
            grown.write(b"\0" * room)
        with file.open("ab") as grown:
            grown.write(b"\0" * (other.stat().st_size - file.stat().st_size))
        for path in (file, other):
            os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
        assert file.stat().st_size == other.stat().st_size

    def replace(time: int) -> None:
        if time == 1:
            other.replace(file)

    calls = at_decoding(monkeypatch, "b.mp4", replace, when=when)
    report = index_paths(library, bundle, [folder], options=ONE)
    assert calls == [2]
    assert (report.added, report.failed, report.partly) == (3, (), ())
    monkeypatch.undo()
    assert_true(library, bundle, *(folder / f"{name}.mp4" for name in "abc"))


def test_a_file_renamed_while_it_is_read_is_found_by_the_next_run(
    library: Store, bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, new = folder / "b.mp4", folder / "d.mp4"
    at_decoding(monkeypatch, "b.mp4", lambda _: file.rename(new), when="begun")
    report = index_paths(library, bundle, [folder], options=ONE)
    assert [failure.path.name for failure in report.failed] == ["b.mp4"]
    assert library.failures() == []  # nothing is known of a file that is not there
    assert_true(library, bundle, folder / "a.mp4", folder / "c.mp4")
    report = index_paths(library, bundle, [folder], options=ONE)
    assert (report.added, report.unchanged, report.failed) == (1, 2, ())
    assert_true(library, bundle, *(folder / f"{name}.mp4" for name in "acd"))


def test_a_file_replaced_before_the_commit(
    library: Store, bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read whole, waiting for others to share a transaction with: its name goes to another."""
    monkeypatch.setattr(committer, "COMMIT_SECONDS", 1e9)
    acting = Acting(lambda: (folder.parent / "other.mp4").replace(folder / "a.mp4"), opened="c.mp4")
    report = index_paths(library, bundle, [folder], options=ONE, progress=acting)
    assert acting.acted
    assert [failure.path.name for failure in report.failed] in ([], ["a.mp4"])
    assert library.failures() == []
    index_paths(library, bundle, [folder], options=ONE)
    assert_true(library, bundle, *(folder / f"{name}.mp4" for name in "abc"))


def test_a_file_that_grows_is_left_to_the_next_run(
    library: Store, bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grow(_: int) -> None:
        with (folder / "b.mp4").open("ab") as file:
            file.write(b"\0" * 100)

    calls = at_decoding(monkeypatch, "b.mp4", grow, when="begun")
    report = index_paths(library, bundle, [folder], options=ONE)
    assert calls == [2]  # at once a second time, and no third
    (failure,) = report.failed
    assert failure.path.name == "b.mp4"
    assert "changed while it was read" in failure.reason
    assert library.failures() == []
    monkeypatch.undo()
    assert index_paths(library, bundle, [folder], options=ONE).added == 1
    assert_true(library, bundle, *(folder / f"{name}.mp4" for name in "abc"))


def test_damage_met_in_a_file_that_is_being_written_is_not_remembered(
    library: Store, bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (folder / "b.mp4").read_bytes()

    def cut(_: int) -> None:
        (folder / "b.mp4").write_bytes(whole[: len(whole) // 3])

    at_decoding(monkeypatch, "b.mp4", cut, when="begun")
    report = index_paths(library, bundle, [folder], options=ONE)
    assert [failure.path.name for failure in report.failed] == ["b.mp4"]
    monkeypatch.undo()
    (folder / "b.mp4").write_bytes(whole)
    assert index_paths(library, bundle, [folder], options=ONE).added == 1
    assert_true(library, bundle, *(folder / f"{name}.mp4" for name in "abc"))


def test_a_long_file_shared_between_workers_is_dropped_whole(
    library: Store, bundle: Bundle, folder: Path, videos: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Parts of the first reading are never mixed with parts of the second."""
    long = videos.make_video(folder / "long.mp4", count=300, rate=5)
    other = videos.make_video(folder.parent / "long2.mp4", count=320, rate=5)

    def replace(time: int) -> None:
        if time == 2:
            other.replace(long)

    at_decoding(monkeypatch, "long.mp4", replace, when="begun")
    options = IndexOptions(workers=2, segment=SegmentMode.parse("whole"), batch_size=4)
    report = index_paths(library, bundle, [long], options=options)
    if report.failed:  # both tries met a change
        assert library.failures() == []
        report = index_paths(library, bundle, [long], options=options)
    monkeypatch.undo()
    assert report.added == 1
    assert_true(library, bundle, long)


WAITING = """
import sys
from pathlib import Path
from c2v.encoder.bundle import load_bundle
from c2v.indexing.pipeline import index_paths
from c2v.indexing.reembedding import model_record
from c2v.indexing.options import IndexOptions
from c2v.indexing.report import Silent
from c2v.library import open_store

class Waiting(Silent):
    began = False
    def opened(self, path, *, seconds, size_bytes):
        if not self.began:
            self.began = True
            print("began", flush=True)
            sys.stdin.readline()

bundle = load_bundle("mini", device="cpu")
with open_store(Path(sys.argv[1]), create=True) as library, library.writer():
    library.set_model(model_record(bundle))
    options = IndexOptions(workers=1, batch_size=1)
    report = index_paths(library, bundle, [Path(sys.argv[2])], options=options, progress=Waiting())
    print(report.added, len(report.failed), flush=True)
"""


def test_names_traded_by_another_process_in_mid_run(
    bundle: Bundle, videos: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    count = 16  # the queue holds 24 events of the first ones: the last are not open yet
    for number in range(count):
        videos.make_video(folder / f"{number:02}.mp4", count=5 + number, rate=5)
    place = tmp_path / "library"
    command = [sys.executable, "-c", textwrap.dedent(WAITING), str(place), str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        swap(folder / "14.mp4", folder / "15.mp4")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"{count} 0\n"
        assert process.wait(timeout=60) == 0
    with open_store(place) as library:
        assert_true(library, bundle, *folder.iterdir())


def test_a_clip_of_a_query_is_held_too(
    bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = folder / "a.mp4", folder.parent / "other.mp4"
    expected = embed_clip(other, bundle).features
    decode, calls = sampled.decode_range, [0]

    def acting(*arguments: Any, **options: Any) -> Iterator[Frames]:
        calls[0] += 1
        yield from decode(*arguments, **options)
        if calls[0] == 1:
            shutil.copy(other, folder / "new.mp4")
            (folder / "new.mp4").replace(file)
        elif file.name in always:
            file.touch()

    always: set[str] = set()
    monkeypatch.setattr(sampled, "decode_range", acting)
    np.testing.assert_array_equal(embed_clip(file, bundle).features, expected)
    assert calls == [2]
    always.add(file.name)
    calls[0] = 0
    with pytest.raises(MediaError, match=r"a\.mp4: changed while it was read"):
        embed_clip(file, bundle)


def test_held_and_named(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x")
    with held(file) as (opened, state):
        assert opened.read() == b"x"
    content = content_id(file)
    assert is_named(file, state, content=content)
    # A file system that gives another inode at every look: the content decides.
    renumbered = dataclasses.replace(state, inode=state.inode + 1, device=7)
    assert is_named(file, renumbered, content=content)
    assert not is_named(file, renumbered, content="another")
    with held(file, renumbered, content=content):
        pass
    with pytest.raises(ChangedError), held(file, renumbered, content="another"):
        pass
    file.write_bytes(b"xy")
    assert not is_named(file, state, content=content)
    with pytest.raises(ChangedError), held(file, state, content=content):
        pass
    with pytest.raises(ChangedError), held(file):
        file.unlink()
    assert not is_named(file, state, content=content)
    file.write_bytes(b"z")
    with pytest.raises(ZeroDivisionError), held(file):  # an error of the reader's own passes
        _ = 1 / 0


# -- one file never ends the run -----------------------------------------------------------------


@pytest.mark.parametrize("where", ["look", "find_cuts", "decode_range", "to_segments"])
def test_an_unforeseen_exception_is_its_files_failure(
    library: Store, bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Whatever a decoder throws, with the name of the file, and with its traceback kept."""
    module: Any = {"to_segments": local, "decode_range": decoding}.get(where, sampled)
    right = getattr(module, where)

    def path_of(argument: Any) -> Path:
        for names in ("file.job.file.path", "info.path", "path"):
            found = argument
            for name in names.split("."):
                found = getattr(found, name, None)
            if found is not None:
                return Path(found)
        raise AssertionError(argument)

    def odd(first: Any, *arguments: Any, **options: Any) -> Any:
        if path_of(first).name == "b.mp4":
            raise ValueError("31 is not a valid Type")
        return right(first, *arguments, **options)

    monkeypatch.setattr(module, where, odd)
    options = IndexOptions(segment=SegmentMode.parse("scene")) if where == "find_cuts" else ONE
    report = index_paths(library, bundle, [folder], options=options)
    (failure,) = report.failed
    assert failure.path.name == "b.mp4"
    assert failure.reason == "unexpected ValueError: 31 is not a valid Type"
    assert "test_changing_files.py" in failure.trace
    assert report.added == 2
    assert [failure.reason for failure in library.failures()] == [failure.reason]


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
def test_what_is_no_files_fault_ends_the_run(
    library: Store,
    bundle: Bundle,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(sampled, "look", broken)
    with pytest.raises(error):
        index_paths(library, bundle, [folder], options=ONE)
    assert library.failures() == []


def test_a_file_that_goes_away_after_the_scan(library: Store, bundle: Bundle, folder: Path) -> None:
    acting = Acting((folder / "b.mp4").unlink, scanned=True)
    report: IndexReport = index_paths(library, bundle, [folder], options=ONE, progress=acting)
    assert report.added == 2
    assert [(f.path.name, f.reason) for f in report.failed] == [
        ("b.mp4", "cannot be read: there is no such file")
    ]
    assert library.failures() == []


def test_numbers_that_are_not_finite_are_one_files_failure(
    library: Store, bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = local.to_segments

    def poisoned(assembly: Any, bundle: Bundle) -> Any:
        if assembly.file.job.file.path.name == "b.mp4":
            assembly.features[0] = np.nan
        return segments(assembly, bundle)

    monkeypatch.setattr(local, "to_segments", poisoned)
    report = index_paths(library, bundle, [folder], options=ONE)
    assert (report.added, [f.path.name for f in report.failed]) == (2, ["b.mp4"])
    assert "not finite" in report.failed[0].reason


# -- times that fit no column --------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-3600, 0, 2**33, 2**34, 2**40])
def test_times_of_other_centuries(
    library: Store, bundle: Bundle, folder: Path, seconds: int
) -> None:
    """Before 1970 and after 2262: stored, and the same at the next look."""
    file = folder / "a.mp4"
    try:
        os.utime(file, (seconds, seconds))
    except (OverflowError, OSError):
        pytest.skip("this file system has no such times")
    report = index_paths(library, bundle, [folder], options=ONE)
    assert (report.added, report.failed) == (3, ())
    again = index_paths(library, bundle, [folder], options=ONE)
    assert (again.unchanged, again.added, again.updated) == (3, 0, 0)
    text = folder / "text.mp4"
    text.write_text("no video, and with an odd time\n" * 10)
    os.utime(text, (seconds, seconds))
    assert len(index_paths(library, bundle, [folder], options=ONE).failed) == 1
    assert [failure.path for failure in library.failures()] == [str(text)]


@pytest.mark.parametrize(
    ("ns", "stored"),
    [(-(2**70), -(2**63)), (-5, -5), (2**63 - 1, 2**63 - 1), (2**63, 2**63 - 1)],
)
def test_modified_ns_fits_64_bits(ns: int, stored: int) -> None:
    status = os.stat_result((0,) * 10, {"st_mtime_ns": ns})  # type: ignore[call-arg]
    assert modified_ns(status) == stored
    assert FileState.of(status).mtime_ns == stored

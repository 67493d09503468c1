"""Long films whose reading is ended: nothing is read twice, and the end is that of a single run."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.indexing import decoding, unfinished
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.reembedding import model_record
from c2v.indexing.report import IndexReport, Silent
from c2v.indexing.unfinished import Unfinished
from c2v.library import open_store

SECONDS = 240
BOTH = [IndexOptions(workers=1), IndexOptions(workers=2)]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("mini", device="cpu")


@pytest.fixture(scope="module")
def film(videos: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every picture is another one; a keyframe every ten seconds."""
    path: Path = tmp_path_factory.mktemp("films") / "film.mp4"
    return videos.make_video(path, count=SECONDS, rate=1, group=10)


class Pressing(Silent):
    """Somebody who presses Ctrl-C (or does something else) when so much is decoded."""

    def __init__(self, at: float, act: Any = None) -> None:
        self.at, self.seconds, self.kept = at, 0.0, 0.0
        self.act = act or (lambda: os.kill(os.getpid(), signal.SIGINT))

    def resumed(self, path: Path, *, seconds: float) -> None:
        self.kept += seconds

    def advanced(self, path: Path, *, seconds: float) -> None:
        before, self.seconds = self.seconds, self.seconds + seconds
        if before < self.at <= self.seconds:
            self.act()


@contextmanager
def stopping_at_sigint() -> Iterator[threading.Event]:
    stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def run(
    place: Path, film: Path, bundle: Bundle, *, options: IndexOptions = BOTH[1],
    progress: Silent | None = None, folder: Path | None = None,
) -> IndexReport:  # fmt: skip
    """Index one film; what is unfinished is kept beside the library."""
    kept = Unfinished.of(folder or place.parent / "unfinished", bundle, "pyav")
    with stopping_at_sigint() as stop, open_store(place, create=True) as library:
        library.set_model(model_record(bundle))
        return index_paths(
            library, bundle, [film], options=options, progress=progress, stop=stop, unfinished=kept
        )


def rows(place: Path) -> list[tuple[Any, ...]]:
    """All that a library holds of videos and segments, to the bit; not when it was written."""
    with closing(sqlite3.connect(place / "library.db")) as database:
        found: list[tuple[Any, ...]] = []
        for table in ("video", "segment", "feature", "vector", "checksum"):
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            wanted = ", ".join(name for name in columns if name != "indexed_at")
            found += database.execute(f"SELECT {wanted} FROM {table} ORDER BY 1").fetchall()
    return found


def kept_files(place: Path) -> list[Path]:
    return sorted((place.parent / "unfinished").glob("*"))


@pytest.mark.parametrize("options", BOTH, ids=["one worker", "two workers"])
def test_ctrl_c_twice_ends_as_one_run_does(
    tmp_path: Path, film: Path, bundle: Bundle, options: IndexOptions
) -> None:
    run(tmp_path / "one" / "library", film, bundle, options=options)
    place = tmp_path / "two" / "library"
    first = run(place, film, bundle, options=options, progress=Pressing(at=70))
    assert first.interrupted
    assert (first.added, len(first.unfinished)) == (0, 1)
    assert 60 <= first.unfinished[0].seconds < SECONDS
    assert first.unfinished[0].duration == SECONDS
    with open_store(place) as library:
        assert library.counts().videos == 0  # a library holds whole videos alone
    again = Pressing(at=70)
    second = run(place, film, bundle, options=options, progress=again)
    assert second.interrupted
    assert again.kept == pytest.approx(first.unfinished[0].seconds)
    assert second.unfinished[0].seconds >= first.unfinished[0].seconds + 60
    last = Pressing(at=1e9)
    third = run(place, film, bundle, options=options, progress=last)
    assert (third.added, third.interrupted, third.unfinished) == (1, False, ())
    assert last.kept == pytest.approx(second.unfinished[0].seconds)
    assert last.kept + last.seconds == pytest.approx(SECONDS)  # no frame twice, none left out
    assert rows(place) == rows(tmp_path / "one" / "library")
    assert len(rows(place)) > 4 * SECONDS / 12
    assert kept_files(place) == []


def test_whatever_ends_the_run_something_is_kept(
    tmp_path: Path, film: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before kill -9: what is written now and then is all that there is."""
    monkeypatch.setattr("c2v.indexing.local.KEEP_EVERY_SECONDS", 0.05)
    place = tmp_path / "library"
    states: list[list[bytes]] = []

    def look() -> None:
        states.append([path.read_bytes() for path in kept_files(place)])

    run(place, film, bundle, progress=Pressing(at=200, act=look))
    assert kept_files(place) == []
    (file,) = states[0]
    run(tmp_path / "other" / "library", film, bundle, progress=Pressing(at=70))
    (named,) = kept_files(tmp_path / "other" / "library")
    named.write_bytes(file)
    last = Pressing(at=1e9)
    run(tmp_path / "other" / "library", film, bundle, progress=last)
    assert last.kept >= 70
    assert rows(tmp_path / "other" / "library") == rows(place)


def test_a_crash_keeps_what_was_read(
    tmp_path: Path, film: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "library"

    def crash() -> None:
        raise RuntimeError("something else broke")

    with pytest.raises(RuntimeError):
        run(place, film, bundle, progress=Pressing(at=130, act=crash))
    last = Pressing(at=1e9)
    run(place, film, bundle, progress=last)
    assert last.kept >= 60


@pytest.mark.parametrize("damage", ["bits", "half", "name"])
def test_damaged_files_are_as_good_as_none(
    tmp_path: Path, film: Path, bundle: Bundle, damage: str
) -> None:
    place = tmp_path / "library"
    run(place, film, bundle, progress=Pressing(at=70))
    (path,) = kept_files(place)
    content = path.read_bytes()
    if damage == "bits":
        path.write_bytes(content[:5000] + b"damaged" + content[5007:])
    elif damage == "half":
        path.write_bytes(content[: len(content) // 2])
    else:
        run(tmp_path / "x" / "library", film, bundle, progress=Pressing(at=70),
            options=IndexOptions(exactness="fast"))  # fmt: skip
        (other,) = kept_files(tmp_path / "x" / "library")
        assert other.name != path.name
        path.write_bytes(other.read_bytes())
    last = Pressing(at=1e9)
    report = run(place, film, bundle, progress=last)
    assert (report.added, last.kept, last.seconds) == (1, 0, pytest.approx(SECONDS))


def test_other_windows_begin_anew(tmp_path: Path, film: Path, bundle: Bundle) -> None:
    from c2v.media.segments import SegmentMode

    place = tmp_path / "library"
    run(place, film, bundle, progress=Pressing(at=70))
    last = Pressing(at=1e9)
    run(place, film, bundle, progress=last, options=IndexOptions(segment=SegmentMode.parse("20")))
    assert last.kept == 0


def test_what_cannot_be_read_is_told_once_and_not_tried_again(
    tmp_path: Path, videos: ModuleType, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "PART_FRAMES", 60)
    film = videos.make_video(tmp_path / "film.mp4", count=SECONDS, rate=1, group=10)
    videos.overwrite(film, first=0.2, last=0.24)
    one, two = tmp_path / "one" / "library", tmp_path / "two" / "library"
    (whole,) = run(one, film, bundle, options=BOTH[0]).partly
    first = run(two, film, bundle, options=BOTH[0], progress=Pressing(at=150))
    assert first.interrupted
    (parted,) = run(two, film, bundle, options=BOTH[0]).partly
    assert "cannot be read" in whole.reason
    assert parted.reason == whole.reason
    assert rows(two) == rows(one)


def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, film: Path, bundle: Bundle
) -> None:
    folder = tmp_path / "file"
    folder.write_text("no folder")
    kept = Unfinished.of(folder, bundle, "pyav")
    place = tmp_path / "library"
    with stopping_at_sigint() as stop, open_store(place, create=True) as library:
        library.set_model(model_record(bundle))
        report = index_paths(
            library, bundle, [film], options=BOTH[1], progress=Pressing(at=70), stop=stop,
            unfinished=kept,
        )  # fmt: skip
    assert (report.interrupted, report.unfinished) == (True, ())
    assert kept.refused


def test_what_nobody_came_back_for_goes(tmp_path: Path, film: Path, bundle: Bundle) -> None:
    folder = tmp_path / "unfinished"
    folder.mkdir()
    old, young = folder / "old.frames", folder / "young.frames"
    for path in (old, young):
        path.write_bytes(b"")
    long_ago = young.stat().st_mtime - 86400 * (unfinished.KEPT_DAYS + 1)
    os.utime(old, (long_ago, long_ago))
    run(tmp_path / "library", film, bundle, progress=Pressing(at=70))
    assert (old.exists(), young.exists()) == (False, True)

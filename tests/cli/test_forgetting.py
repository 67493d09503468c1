"""Nothing is forgotten unasked: what goes is named, and kept where nobody can answer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from c2v.encoder.bundle import load_bundle
from c2v.encoder.heads import HeadSettings
from c2v.encoder.heads.initialise import random_head
from c2v.encoder.registry import bundle_folder
from c2v.encoder.trained_bundle import save_bundle
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.report import Silent
from c2v.library import open_store
from c2v.library.refusals import amount

Run = Callable[..., subprocess.CompletedProcess[str]]
ALL = ("a/0.mp4", "a/1.mp4", "a/2.mp4", "b/3.mp4", "b/4.mp4")


@pytest.fixture(scope="module")
def indexed(
    videos: ModuleType, c2v: Run, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Five small videos in two folders, and a library of them by the shipped encoder."""
    root = tmp_path_factory.mktemp("forgetting")
    for number, name in enumerate(ALL):
        (root / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        videos.make_video(root / "videos" / name, count=10 + number, rate=5)
    c2v("index", root / "videos", "-L", root / "library", "--model", "mini")
    return root / "videos", root / "library"


@pytest.fixture
def shelf(indexed: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The videos, and a library of this test's own."""
    shutil.copytree(indexed[1], tmp_path / "library")
    return indexed[0], tmp_path / "library"


def state(library: Path) -> list[tuple[str, int, float]]:
    """Path, row and time of indexing of every video: what changes when one is read again."""
    with open_store(library) as opened:
        return [(v.path, v.id, v.duration_seconds) for v in opened.videos()]


def names(library: Path) -> list[str]:
    return ["/".join(Path(path).parts[-2:]) for path, _, _ in state(library)]


def test_rebuild_asks_and_where_nobody_can_answer_refuses(
    c2v: Run, shelf: tuple[Path, Path]
) -> None:
    videos, library = shelf
    before = state(library)
    done = c2v("index", videos / "a", "-L", library, "--rebuild", code=2)
    assert "3 videos" in done.stderr
    assert " s)" in done.stderr
    assert "--yes" in done.stderr
    assert state(library) == before


def test_rebuild_concerns_what_is_below_its_paths(c2v: Run, shelf: tuple[Path, Path]) -> None:
    videos, library = shelf
    arguments = ("-L", library, "--rebuild", "--yes", "--format", "json")
    report = json.loads(c2v("index", videos / "a" / "0.mp4", *arguments).stdout)
    assert (report["updated"], report["added"], report["unchanged"]) == (1, 0, 0)
    assert names(library) == list(ALL)
    report = json.loads(c2v("index", videos / "a", *arguments).stdout)
    assert (report["updated"], report["seconds_of_video"] > 0) == (3, True)
    assert names(library) == list(ALL)
    found = c2v("search", "a number", "--all", "-L", library, "-f", "paths").stdout.splitlines()
    assert sorted(found) == sorted(str(videos / name) for name in ALL)


def test_rebuild_takes_a_renamed_file_along_and_retries_failures(
    c2v: Run, shelf: tuple[Path, Path], tmp_path: Path
) -> None:
    videos = tmp_path / "videos"
    shutil.copytree(shelf[0] / "a", videos)
    (videos / "bad.mp4").write_text("no video")
    library = tmp_path / "own"
    c2v("index", videos, "-L", library, "--model", "mini", code=4)
    (videos / "0.mp4").rename(videos / "new.mp4")
    arguments = ("-L", library, "--rebuild", "--yes", "--format", "json")
    report = json.loads(c2v("index", videos, *arguments, code=4).stdout)
    assert (report["updated"], report["moved"], report["added"]) == (3, 1, 0)
    assert [Path(failure["path"]).name for failure in report["failed"]] == ["bad.mp4"]
    assert sorted(Path(path).name for path, _, _ in state(library)) == ["1.mp4", "2.mp4", "new.mp4"]


def test_a_stopped_rebuild_keeps_what_it_had_not_reached(
    shelf: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    videos, library = shelf
    monkeypatch.setattr("c2v.indexing.committer.VIDEOS_A_COMMIT", 1)
    stop = threading.Event()

    class StopAtFirst(Silent):
        def closed(self, path: Path, *, failed: bool) -> None:
            stop.set()

    with open_store(library) as opened, opened.writer():
        options = IndexOptions(reread=True, workers=1, batch_size=1)
        bundle = load_bundle("mini", device="cpu")
        report = index_paths(
            opened, bundle, [videos], options=options, progress=StopAtFirst(), stop=stop
        )
    assert report.interrupted
    assert 1 <= report.updated < len(ALL)
    assert names(library) == list(ALL)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
def test_rebuild_with_closed_streams_keeps_everything(shelf: tuple[Path, Path]) -> None:
    videos, library = shelf
    before = state(library)
    line = f"'{sys.executable}' -m c2v index '{videos}/a' -L '{library}' --rebuild"
    for closed in ("<&-", "<&- 2>&-", "2>&-"):
        done = subprocess.run(["bash", "-c", f"{line} {closed}"], capture_output=True, text=True)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert state(library) == before


class Terminal:
    """A pseudo terminal in which a command is asked something."""

    def run(
        self, *arguments: str | Path, answer: str, errors_to: Path | None = None
    ) -> tuple[int, str]:
        """Exit code, and what stood on the screen; ``errors_to`` takes standard error away."""
        import pty

        ours, theirs = pty.openpty()
        errors = errors_to.open("wb") if errors_to else None
        process = subprocess.Popen(
            [sys.executable, "-m", "c2v", *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=errors or theirs,
        )
        os.close(theirs)
        os.write(ours, answer.encode())
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # how a pseudo terminal says that nobody is left
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
        if errors is not None:
            errors.close()
        return process.wait(timeout=60), shown.decode(errors="replace")


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_a_terminal_is_asked(shelf: tuple[Path, Path]) -> None:
    videos, library = shelf
    before = state(library)
    code, shown = Terminal().run("remove", videos / "b", "-L", library, answer="n\n")
    assert (code, state(library)) == (1, before)
    assert "2 videos (5 s)" in shown
    code, _ = Terminal().run("index", videos / "b", "-L", library, "--rebuild", answer="n\n")
    assert (code, state(library)) == (1, before)
    code, _ = Terminal().run("remove", videos / "b", "-L", library, answer="y\n")
    assert (code, names(library)) == (0, list(ALL[:3]))


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_a_question_that_nobody_sees_is_not_asked(shelf: tuple[Path, Path], tmp_path: Path) -> None:
    videos, library = shelf
    errors = tmp_path / "errors.txt"
    code, _ = Terminal().run("remove", videos / "b", "-L", library, answer="y\n", errors_to=errors)
    assert (code, names(library)) == (2, list(ALL))
    assert "--yes" in errors.read_text()


def test_remove_without_a_terminal(c2v: Run, shelf: tuple[Path, Path]) -> None:
    videos, library = shelf
    for path in (videos / "a", videos / "b" / "3.mp4"):
        done = c2v("remove", path, "-L", library, code=2)
        assert done.stderr.startswith("error: remove forgets ")
        assert names(library) == list(ALL)
    c2v("remove", videos / "a", "-L", library, "--yes")
    assert names(library) == list(ALL[3:])


def test_prune_forgets_files_but_asks_about_a_missing_root(
    c2v: Run, shelf: tuple[Path, Path], tmp_path: Path
) -> None:
    drive, library = tmp_path / "drive", tmp_path / "own"
    shutil.copytree(shelf[0], drive)
    c2v("index", drive, "-L", library, "--model", "mini")
    (drive / "a" / "0.mp4").unlink()
    report = json.loads(c2v("index", drive, "-L", library, "--prune", "-f", "json").stdout)
    assert (report["removed"], report["missing"]) == (1, 0)

    drive.rename(tmp_path / "unplugged")
    done = c2v("index", drive, "-L", library, "--prune", "-f", "json", code=4)
    report = json.loads(done.stdout)
    assert (report["removed"], report["missing"]) == (0, 4)
    assert {failure["path"] for failure in report["failed"]} == {str(drive / "a"), str(drive / "b")}
    assert "2 videos (" in report["failed"][0]["reason"]
    assert "--yes" in report["failed"][0]["reason"]
    drive.mkdir()  # a mount point without its drive
    c2v("index", drive, "-L", library, "--prune", code=4)
    assert len(names(library)) == 4
    report = json.loads(c2v("index", drive, "-L", library, "--prune", "-y", "-f", "json").stdout)
    assert (report["removed"], names(library)) == (4, [])


def test_yes_alone_does_not_prune(c2v: Run, shelf: tuple[Path, Path], tmp_path: Path) -> None:
    videos, library = tmp_path / "videos", tmp_path / "own"
    shutil.copytree(shelf[0], videos)
    c2v("index", videos, "-L", library, "--model", "mini")
    (videos / "a" / "0.mp4").unlink()
    c2v("index", videos, "-L", library, "--rebuild", "--yes")
    assert names(library) == list(ALL)


def test_another_head_forgets_nothing(c2v: Run, shelf: tuple[Path, Path]) -> None:
    videos, library = shelf
    mini = load_bundle("mini", device="cpu")
    settings = HeadSettings(type="seqTransf", feature_dim=mini.feature_dim, layers=1)
    save_bundle(
        "other", parent=mini, head=settings, head_state=random_head(settings, seed=1).state_dict()
    )
    done = c2v("index", videos / "b", "-L", library, "--model", "other")
    assert "embedding the library again" in done.stderr
    assert names(library) == list(ALL)
    with open_store(library) as opened:
        assert opened.model is not None
        assert opened.model.name == "other"
    done = c2v("index", videos / "b", "-L", library, "--model", "mini", "--rebuild", "--yes")
    assert "2 updated" in done.stdout
    assert names(library) == list(ALL)


@pytest.fixture
def other_towers(toys: ModuleType) -> str:
    """A toy CLIP among the user's models."""
    toys.make_bundle("tiny")
    return "tiny"


def test_other_towers_are_refused_with_the_price(
    c2v: Run, shelf: tuple[Path, Path], other_towers: str
) -> None:
    videos, library = shelf
    before = state(library)
    done = c2v("index", videos / "a", "-L", library, "--model", other_towers, code=3)
    assert "--rebuild" in done.stderr
    assert "5 videos (" in done.stderr
    arguments = ("index", videos / "a", "-L", library, "--model", other_towers, "--rebuild")
    done = c2v(*arguments, code=2)
    assert "forgets all of 5 videos (" in done.stderr
    assert "reads 3 videos (" in done.stderr
    assert state(library) == before
    c2v(*arguments, "--yes")
    assert names(library) == list(ALL[:3])


def test_an_encoder_that_does_not_load_costs_nothing(
    c2v: Run, shelf: tuple[Path, Path], other_towers: str
) -> None:
    videos, library = shelf
    before = state(library)
    for weights in bundle_folder(other_towers).glob("*.safetensors"):
        size = weights.stat().st_size
        weights.unlink()  # it may be a hard link
        weights.write_bytes(bytes(size))
    arguments = ("-L", library, "--model", other_towers, "--rebuild", "--yes")
    done = c2v("index", videos, *arguments, code=1)
    assert "Traceback" not in done.stderr
    assert state(library) == before


def test_amounts() -> None:
    assert amount(1, 1.4) == "1 video (1 s)"
    assert amount(2, 89) == "2 videos (89 s)"
    assert amount(3, 600) == "3 videos (10 minutes)"
    assert amount(12_345, 36_000) == "12,345 videos (10.0 hours)"

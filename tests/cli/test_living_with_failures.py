"""Files that fail and files that are gone, as whoever uses c2v every day meets them."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import c2v as package

Run = Callable[..., subprocess.CompletedProcess[str]]
BROKEN = ("cut.mp4", "empty.mov", "link.mp4", "noise.avi", "sound.mp4", "text.mkv")


@pytest.fixture(scope="module")
def made(videos: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos, one read in part, and six broken files."""
    folder = tmp_path_factory.mktemp("living") / "videos"
    folder.mkdir()
    for number in range(4):
        videos.make_video(folder / f"{number}.mp4", count=10 + number, rate=5)
    damaged = videos.make_video(folder / "damaged.mp4", count=90, group=10)
    videos.overwrite(damaged, first=0.4, last=0.6)
    videos.cut_off(videos.make_video(folder / "cut.mp4"), share=0.7)
    (folder / "empty.mov").touch()
    (folder / "link.mp4").symlink_to(folder / "nowhere")
    (folder / "noise.avi").write_bytes(bytes(range(256)) * 40)
    videos.make_sound(folder / "sound.mp4")
    (folder / "text.mkv").write_text("no video at all\n")
    return folder


@pytest.fixture(scope="module")
def first(c2v: Run, made: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A library of them, and what its first run said."""
    library = made.parent / "library"
    return library, c2v("index", made, "-L", library, "--model", "mini", code=4)


@pytest.fixture
def place(first: tuple[Path, object], made: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Videos and library of this test's own, at the paths of nobody else."""
    shutil.copytree(made, tmp_path / "videos", symlinks=True)
    return tmp_path / "videos", tmp_path / "library"


def indexed(c2v: Run, place: tuple[Path, Path]) -> tuple[Path, Path]:
    c2v("index", place[0], "-L", place[1], "--model", "mini", code=4)
    return place


def test_known_failures_are_one_number(
    c2v: Run, first: tuple[Path, subprocess.CompletedProcess[str]], made: Path
) -> None:
    library, done = first
    assert done.stdout.startswith("5 added, 6 failed;")
    assert all(name in done.stderr for name in (*BROKEN, "read in part", "damaged.mp4"))
    done = c2v("index", made, "-L", library)
    assert done.stdout == f"5 unchanged; 6 known failures: c2v status --library {library}\n"
    assert done.stderr == ""
    report = json.loads(c2v("index", made, "-L", library, "-f", "json").stdout)
    assert (report["failed"], report["partly"], report["known_failures"]) == ([], [], 6)
    assert report["engine"] == "local"
    status = c2v("status", "-L", library)
    assert all(name in status.stdout for name in (*BROKEN, "damaged.mp4"))
    assert "pictures cannot be read" in status.stdout
    (partly,) = json.loads(c2v("status", "-L", library, "-f", "json").stdout)["partly"]
    assert partly["path"] == str(made / "damaged.mp4")
    done = c2v("index", made, "-L", library, "--retry-failed", code=4)
    assert done.stdout == "5 unchanged, 6 failed\n"
    assert all(name in done.stderr for name in BROKEN)


def test_a_failure_is_forgotten_by_its_path_its_folder_or_a_pattern(
    c2v: Run, place: tuple[Path, Path]
) -> None:
    videos, library = indexed(c2v, place)
    (videos / "kept").mkdir()

    def failed() -> list[str]:
        found = json.loads(c2v("status", "-L", library, "-f", "json").stdout)["failed"]
        return [Path(one["path"]).name for one in found]

    done = c2v("remove", videos / "text.mkv", "-L", library)  # nothing of value: nobody is asked
    assert done.stderr == "forgot 1 failure\n"
    assert failed() == [name for name in BROKEN if name != "text.mkv"]
    shown = c2v("remove", "*/[es]*.m??", "-L", library, "--dry-run").stdout
    assert shown.count("empty.mov") == shown.count("sound.mp4") == 1
    c2v("remove", "*/[es]*.m??", "-L", library)
    assert failed() == ["cut.mp4", "link.mp4", "noise.avi"]
    done = c2v("index", videos, "-L", library, code=4)
    assert done.stdout.startswith("5 unchanged, 3 failed; 3 known failures: c2v status")
    done = c2v("remove", videos, "-L", library, "--yes")
    assert done.stderr.splitlines()[0] == "removed 5 videos, forgot 6 failures"
    assert failed() == []
    done = c2v("remove", videos / "text.mkv", "-L", library, code=1)
    assert "is not in the library" in done.stderr


def test_failures_of_files_that_are_gone_go(c2v: Run, place: tuple[Path, Path]) -> None:
    videos, library = indexed(c2v, place)
    for name in BROKEN:
        (videos / name).unlink()
    done = c2v("index", videos, "-L", library)
    assert done.stdout == "5 unchanged\n"
    assert json.loads(c2v("status", "-L", library, "-f", "json").stdout)["failed"] == []


def test_programs_get_the_next_ones_that_are_there(c2v: Run, place: tuple[Path, Path]) -> None:
    videos, library = indexed(c2v, place)
    asked = ("search", "a number", "--all", "-L", library, "-n", "3")
    order = c2v("search", "a number", "--all", "-L", library, "-f", "paths").stdout.splitlines()
    for path in order[:2]:
        Path(path).unlink()
    report = c2v(*asked, "-f", "json")
    found = json.loads(report.stdout)["results"]
    assert [(one["rank"], one["path"]) for one in found] == list(enumerate(order[2:5], start=1))
    assert "missing" not in found[0]
    assert f"missing: {order[0]} and 1 more" in report.stderr
    assert f"c2v index {videos} --prune --library" in report.stderr
    lines = c2v(*asked, "-f", "jsonl").stdout.splitlines()
    rows = csv.DictReader(c2v(*asked, "-f", "csv").stdout.splitlines())
    zero = c2v(*asked, "-f", "paths0").stdout
    got = (
        [json.loads(line)["path"] for line in lines],
        [row["path"] for row in rows],
        zero.split("\0")[:-1],
        c2v(*asked, "-f", "paths").stdout.splitlines(),
        c2v("search", "--video", order[2], *asked[2:], "-f", "paths").stdout.splitlines(),
    )
    assert [sorted(paths) for paths in got] == [sorted(order[2:5])] * 5
    # Asked for every moment, too, and where nothing is left to fill up with.
    everything = c2v(
        "search", "a number", "--all", "-L", library, "--moments", "-f", "paths"
    ).stdout
    assert sorted(everything.splitlines()) == sorted(order[2:])

    shown = c2v(*asked)
    table = shown.stdout.splitlines()
    assert [line.rstrip().split()[0] for line in table[1:]] == ["1", "2", "3"]
    assert ["missing" in line for line in table[1:]] == [True, True, False]
    assert shown.stderr.startswith("missing: not at that path now;")


def test_a_drive_that_is_not_there_is_missing_and_python_sees_all(
    c2v: Run, place: tuple[Path, Path]
) -> None:
    videos, library = indexed(c2v, place)
    with package.open(library) as opened:
        before = opened.search("a number", top=3)
        assert not any(moment.missing for moment in before)
        videos.rename(videos.with_name("unplugged"))
        answer = opened.search("a number", top=3)
        assert [moment.path for moment in answer] == [moment.path for moment in before]
        assert all(moment.missing for moment in answer)
        assert answer.as_dict()["results"] == []
        assert list(opened.search("a number", missing=False)) == []
    done = c2v("search", "a number", "-L", library, "-f", "json")
    assert json.loads(done.stdout)["results"] == []
    assert "left out, for the file is missing" in done.stderr


def test_a_folder_without_videos_says_what_it_saw(c2v: Run, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").touch()
    arguments = ("index", folder, "-L", tmp_path / "library", "--model", "mini")
    done = c2v(*arguments)
    assert done.stdout == "no videos found\n"
    assert "papers: saw 3 files, none with the extension of a video: .mp4 " in done.stderr
    assert " .mkv " in done.stderr
    (folder / "a.mp4").touch()
    (folder / ".b.mkv").touch()
    done = c2v(*arguments, "--exclude", "a.mp4")
    assert (
        "saw 4 files, 1 video left out by --exclude or .c2vignore and 1 video hidden, which "
        "--hidden takes" in done.stderr
    )
    report = json.loads(c2v(*arguments, "-x", "a.mp4", "-f", "json").stdout)
    assert report["without_videos"] == [{"path": str(folder), "files": 4}]


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of Linux's kernel")
def test_what_the_kernel_makes_up_is_told_when_it_is_named(c2v: Run, tmp_path: Path) -> None:
    done = c2v("index", "/proc", "-L", tmp_path / "library", "--model", "mini", code=4)
    assert done.stdout == "no videos found\n"
    assert "/proc" in done.stderr
    assert "made up by the system (proc)" in done.stderr
    assert "saw" not in done.stderr


def test_models_never_disagree_in_silence(
    c2v: Run, demo_library: Path, demo_videos: Path, tmp_path: Path
) -> None:
    here = ("-L", demo_library)
    said = f"with mini, the model of the library {demo_library}, not ViT-B-32 "
    mends = f"c2v index --model ViT-B-32 --library {demo_library} PATH"
    labels = tmp_path / "labels.txt"
    labels.write_text("a dog\n")
    video = demo_videos / "garage.mp4"
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("search", "a dog", *here),
        ("search", "--video", video, *here),
        ("describe", video, "--labels", labels, *here),
        ("index", video, *here),
    )
    for command in commands:
        done = c2v(*command, C2V_MODEL="ViT-B-32")
        assert done.stderr.count(f"{said}(C2V_MODEL)") == 1, command
        assert mends in done.stderr
    c2v("config", "set", "model", "ViT-B-32")
    assert f"{said}(the settings)" in c2v(*commands[0]).stderr
    assert "not ViT-B-32" not in c2v(*commands[0], "--quiet").stderr
    assert "not ViT-B-32" not in c2v("index", video, *here, "--model", "mini").stderr
    # The same encoder by another name is no other.
    from c2v.encoder.catalogue import locate_bundle

    folder = str(locate_bundle("mini"))
    assert "the model of" not in c2v(*commands[0], C2V_MODEL=folder).stderr
    done = c2v("model", "use", "mini", C2V_MODEL="ViT-B-32")
    assert "C2V_MODEL is ViT-B-32 and goes before it: unset C2V_MODEL" in done.stderr


def test_choosing_a_model_says_which_the_library_keeps(
    c2v: Run, demo_library: Path, c2v_home: Path
) -> None:
    from c2v.encoder.catalogue import locate_bundle

    tiny = c2v_home / "data" / "models" / "tiny"
    shutil.copytree(locate_bundle("mini"), tiny)
    facts = json.loads((tiny / "config.json").read_text())
    (tiny / "config.json").write_text(json.dumps(facts | {"name": "tiny"}))
    done = c2v("model", "use", "tiny", "-L", demo_library)
    assert f"the library {demo_library} stays with mini" in done.stderr
    assert f"c2v index --model tiny --library {demo_library} PATH" in done.stderr
    assert "stays with" not in c2v("model", "use", "mini", "-L", demo_library).stderr

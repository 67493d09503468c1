"""Paths and patterns on the command line: --in, --exclude, remove, and names in captions files."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

NAMES = ("[BBC] Planet/a.mp4", "B Planet/b.mp4", "Trailer [id].mp4", "Trailer i.mp4")


@pytest.fixture(scope="module")
def folder(videos: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films") / "lib"
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        videos.make_video(folder / name, count=5 + number, rate=5)
    return folder


@pytest.fixture
def library(c2v: Run, folder: Path, tmp_path: Path) -> Path:
    c2v("index", folder, "-L", tmp_path / "library", "--model", "mini")
    return tmp_path / "library"


def run_in(cwd: Path, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "c2v", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


def found_in(cwd: Path, library: Path, *within: str) -> tuple[set[str], str]:
    flags = [text for one in within for text in ("--in", one)]
    done = run_in(
        cwd, "search", "numbers", "--min-score=-1", "-L", library, *flags, "-f", "paths", "-n", "99"
    )
    return {Path(line).name for line in done.stdout.splitlines()}, done.stderr


def test_in_takes_names_with_brackets(folder: Path, library: Path) -> None:
    assert found_in(folder, library, "[BBC] Planet") == ({"a.mp4"}, "")
    assert found_in(folder.parent, library, "lib/[BBC] Planet") == ({"a.mp4"}, "")
    assert found_in(folder / "[BBC] Planet", library, ".") == ({"a.mp4"}, "")
    assert found_in(folder / "[BBC] Planet", library, "../B Planet") == ({"b.mp4"}, "")
    assert found_in(folder, library, "Trailer [id].mp4") == ({"Trailer [id].mp4"}, "")
    assert found_in(folder, library, "*BBC*") == ({"a.mp4"}, "")


def test_in_names_what_means_nothing(folder: Path, library: Path) -> None:
    names, stderr = found_in(folder, library, "B Planet", "nowhere", "*.mkv")
    assert names == {"b.mp4"}
    assert "--in nowhere: no video of the library is there" in stderr
    assert "--in *.mkv: no video of the library is there" in stderr
    assert "B Planet" not in stderr
    done = run_in(folder, "search", "x", "-L", library, "--in", "[z-a]*", code=2)
    assert "--in '[z-a]*' is no pattern: the range z-a goes backwards" in done.stderr


def test_remove_takes_the_same(folder: Path, library: Path) -> None:
    def listed(*paths: str) -> set[str]:
        done = run_in(folder, "remove", *paths, "-L", library, "--dry-run")
        return {Path(line).name for line in done.stdout.splitlines()}

    assert listed("[BBC] Planet") == {"a.mp4"}
    assert listed("./Trailer [id].mp4") == {"Trailer [id].mp4"}
    assert listed("Trailer*") == {"Trailer [id].mp4", "Trailer i.mp4"}
    assert listed("[BBC] Planet", "*.mp4") == {Path(name).name for name in NAMES}
    done = run_in(folder, "remove", "a.mp4", "nowhere", "-L", library, code=1)
    assert "nowhere is not in the library" in done.stderr
    run_in(folder, "remove", "--yes", "Trailer [id].mp4", "-L", library)
    assert found_in(folder, library)[0] == {"a.mp4", "b.mp4", "Trailer i.mp4"}


def test_exclude_takes_the_same_and_names_what_means_nothing(folder: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    done = run_in(
        folder.parent, "index", "lib", "-L", library, "--model", "mini",
        "-x", "lib/[BBC] Planet", "-x", "Trailer [id].mp4", "-x", "*.mkv",
    )  # fmt: skip
    assert "--exclude *.mkv: nothing was left out for it" in done.stderr
    assert "Planet" not in done.stderr
    assert found_in(folder, library)[0] == {"b.mp4", "Trailer i.mp4"}


def test_bad_lines_are_told_and_the_rest_is_obeyed(
    c2v: Run, videos: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a", "b"):
        videos.make_video(folder / f"{name}.mp4", count=5, rate=5)
    (folder / ".c2vignore").write_text("b.mp4\n[z-a]*\n")
    done = c2v("index", folder, "-L", tmp_path / "library", "--model", "mini", "-f", "json", code=4)
    report = json.loads(done.stdout)
    assert report["added"] == 1
    assert report["failed"] == [
        {
            "path": str(folder / ".c2vignore"),
            "reason": "line 2 is left out: the range z-a goes backwards",
        }
    ]


def test_pictures_over_the_limit_are_a_failure_with_both_sizes(
    c2v: Run, folder: Path, tmp_path: Path
) -> None:
    arguments = ("index", folder / "Trailer i.mp4", "-L", tmp_path / "library", "-f", "json")
    done = c2v(*arguments, "--model", "mini", "--max-megapixels", "0.01", code=4)
    (failure,) = json.loads(done.stdout)["failed"]
    assert failure["reason"] == (
        "its pictures are too large: 160 x 120 are 0.0192 megapixels, "
        "the limit is 0.01 (index --max-megapixels)"
    )
    report = json.loads(c2v(*arguments, "--retry-failed", "--max-megapixels", "0.02").stdout)
    assert report["added"] == 1


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
def test_captions_name_files_in_either_form(
    c2v: Run, videos: ModuleType, tmp_path: Path, on_disk: str
) -> None:
    """Spreadsheets compose; what came over a Mac or a network drive may be taken apart."""
    typed = "NFD" if on_disk == "NFC" else "NFC"
    folder = tmp_path / "videos"
    folder.mkdir()
    for number, name in enumerate(("café zoë", "Müller")):
        name = unicodedata.normalize(on_disk, name)
        videos.make_video(folder / f"{name}.mp4", count=5 + number, rate=5)
    c2v("index", folder, "-L", tmp_path / "library", "--model", "mini")
    rows = "video,caption\ncafé zoë.mp4,a red wall\nMüller,numbers\n"  # one without its ending
    data = folder / "captions.csv"
    data.write_text(unicodedata.normalize(typed, rows), encoding="utf-8")
    arguments = ("evaluate", "--data", data, "-L", tmp_path / "library", "-f", "json")
    result = json.loads(c2v(*arguments).stdout)
    assert (result["videos"], result["skipped"]) == (2, [])
    for file in folder.glob("*.mp4"):  # the drive is not plugged in: the library knows them still
        file.unlink()
    data.write_text(
        unicodedata.normalize(typed, rows.replace("Müller,", "Müller.mp4,")), encoding="utf-8"
    )
    result = json.loads(c2v(*arguments).stdout)
    assert (result["videos"], result["skipped"]) == (2, [])


def test_a_traceback_is_for_those_who_ask(
    c2v: Run, run_python: Run, folder: Path, tmp_path: Path
) -> None:
    """An exception that nobody foresaw, in one of the files of a real run."""
    script = (
        "import sys\n"
        "from c2v.media import picture\n"
        "right = picture.square_picture\n"
        "from c2v.media import pyav_decoder\n"
        "def odd(frame, **options):\n"
        "    if frame.pts and '[id]' in str(sys._getframe(2).f_locals.get('info')):\n"
        "        raise ValueError('31 is not [a] valid Type')\n"
        "    return right(frame, **options)\n"
        "pyav_decoder.square_picture = odd\n"
        "from c2v.cli.app import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    arguments = ("index", folder, "-L", tmp_path / "library", "--model", "mini", "--retry-failed")
    done = run_python("-c", script, *arguments, code=4)
    assert "Trailer [id].mp4" in done.stderr
    assert "unexpected ValueError: 31 is not" in done.stderr
    assert "Traceback" not in done.stderr
    done = run_python("-c", script, *arguments, "--verbose", code=4)
    assert "Traceback" in done.stderr
    assert "ValueError: 31 is not [a] valid Type" in done.stderr
    listed = c2v("status", "-L", tmp_path / "library").stdout
    assert "unexpected ValueError" in listed

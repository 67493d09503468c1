"""What the operating system refuses: the path and the reason, never "unexpected"."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from c2v.cli.app import run
from c2v.cli.complaints import explain

Run = Callable[..., subprocess.CompletedProcess[str]]
LONG = "x" * 5000
NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.fixture(scope="module")
def library(videos: ModuleType, c2v: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of one video, which lies beside it."""
    root = tmp_path_factory.mktemp("system")
    (root / "videos").mkdir()
    videos.make_video(root / "videos" / "one.mp4")
    c2v("index", root / "videos", "-L", root / "library", "--model", "mini")
    return root / "library"


def complaint(code: int, capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence; there is one hint too, and no result."""
    shown = capsys.readouterr()
    lines = shown.err.splitlines()
    assert len(lines) == 2, shown.err
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    assert "unexpected" not in shown.err
    assert shown.out == ""
    assert code in (1, 2, 3)
    return lines[0]


def every_command(word: str) -> list[list[str]]:
    """Command lines with ``word`` wherever a text, a name or a path is taken."""
    return [
        ["status", "-L", word],
        ["index", word],
        ["index", word, "--rebuild"],
        ["index", ".", "--model", word],
        ["index", ".", "--model", "mini", "-L", word + "/x"],
        ["index", ".", "--segment", word],
        ["index", ".", "--device", word],
        ["remove", word],
        ["search", "x", "-L", word],
        ["search", "x", "--strategy", word],
        ["search", "--video", word],
        ["search", "--batch", word],
        ["describe", word, "--labels", word],
        ["evaluate", "--data", word],
        ["evaluate", "--data", f"{word}.csv"],
        ["finetune", "--data", f"{word}.csv", "--name", word],
        ["demo", "--quiet", "--dir", __file__ + "/" + word],
        ["model", "info", word],
        ["model", "use", word],
        ["model", "import", word, "--name", word],
        ["model", "export", word, word],
        ["config", "set", word, "x"],
        ["config", "unset", word],
        [word],
        [f"--{word}"],
    ]


@pytest.mark.parametrize("word", [LONG, NOT_UTF8, "a\0b", "\ud800", "~nobody-of-that-name/x"])
def test_arguments_that_nothing_can_be_called(
    word: str, library: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C2V_LIBRARY", str(library))
    monkeypatch.chdir(library.parent / "videos")
    for line in every_command(word):
        if line[:2] == ["index", "."] and "-L" in line and word == NOT_UTF8:
            continue  # a folder can be called that
        assert len(complaint(run(line), capsys)) < 1000, line


def test_a_query_that_is_no_text(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["search", NOT_UTF8, "-L", str(library)]) == 2
    assert "caf\\xe9 is not UTF-8 text" in complaint(2, capsys)
    assert run(["config", "set", "model", NOT_UTF8]) == 2
    complaint(2, capsys)
    assert run(["search", LONG, "-L", str(library)]) in (0, 5)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("folder", "Is a directory"),
        ("loop", "symbolic links"),
        ("file above", "Not a directory"),
        ("not text", "is not UTF-8"),
        ("NUL", "library"),
    ],
)
def test_settings_that_cannot_be_read(
    made: str, said: str, c2v_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = c2v_home / "config" / "config.toml"
    if made == "file above":
        config.parent.write_text("")
    else:
        config.parent.mkdir()
    if made == "folder":
        config.mkdir()
    elif made == "loop":
        config.symlink_to(config.name)
    elif made == "not text":
        config.write_bytes(b"model = '\xff'")
    elif made == "NUL":
        config.write_text('library = "a\\u0000b"')
    for line in (["status"], ["search", "x"], ["config", "show"], ["config", "set", "model", "x"]):
        if made == "NUL" and line[:2] == ["config", "set"]:
            continue  # that is how it is mended
        sentence = complaint(run(line), capsys)
        assert said in sentence, line
        assert "config.toml" in sentence


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_settings_on_a_full_or_read_only_disk(
    c2v_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses is made by the limit on the size of files, which the kernel keeps."""
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); "
        "from c2v.cli.app import run; sys.exit(run(['config', 'set', 'model', 'x']))"
    )
    read, write = os.pipe()  # the limit is for files alone
    done = subprocess.run([sys.executable, "-c", script], stderr=write, timeout=60)
    os.close(write)
    with open(read, encoding="utf-8") as stream:  # noqa: PTH123 - no path
        said = stream.read()
    assert done.returncode == 1
    assert "config.toml cannot be written: File too large" in said
    assert list((c2v_home / "config").iterdir()) == []  # no half a file stays


def test_home_that_is_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.write_text("")
    monkeypatch.setenv("C2V_HOME", str(home))
    for line in (["status"], ["index", str(tmp_path)], ["config", "set", "model", "x"]):
        assert "C2V_HOME is " in complaint(run(line), capsys)
    monkeypatch.setenv("C2V_HOME", "~nobody-of-that-name/x")
    assert "C2V_HOME ~nobody-of-that-name/x" in complaint(run(["status"]), capsys)


def test_a_cache_that_cannot_be_written(c2v: Run, library: Path, c2v_home: Path) -> None:
    (c2v_home / "cache").write_text("a file where a folder should be")
    assert "one.mp4" in c2v("search", "a number", "--all", "-L", library).stdout
    videos, new = library.parent / "videos", c2v_home / "library"
    c2v("index", videos, "-L", new, "--model", "mini")
    assert "one.mp4" in c2v("search", "a number", "--all", "-L", new).stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the current folder")
def test_a_current_folder_that_is_gone(library: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    labels = tmp_path / "labels.txt"
    labels.write_text("a number\n")
    videos = library.parent / "videos"

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        gone.mkdir(exist_ok=True)
        script = f"cd '{gone}' && rmdir '{gone}' && '{sys.executable}' -m c2v {line}"
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)

    for line in (
        f"search x -L '{library}'",
        f"status -L '{library}'",
        f"index '{videos}' -L '{library}'",
        f"describe '{videos}/one.mp4' --labels '{labels}' -L '{library}'",
        f"remove '{videos}' --dry-run -L '{library}'",
        "config show",
    ):
        done = shell(line)
        assert done.returncode in (0, 5), (line, done.stderr)
    for line in (f"index x -L '{library}'", f"remove x -L '{library}'", "status -L ./x"):
        done = shell(line)
        assert done.returncode == 1, line
        assert done.stderr.startswith("error: the current folder: "), (line, done.stderr)


NOBODY = """
import os, pwd, sys, tempfile
import platformdirs.unix  # all that is loaded late, while it can be read
from c2v.cli.app import run

lines = [["status", "-L", sys.argv[1]], ["search", "x", "--min-score=0.99", "-L", sys.argv[1]]]
os.environ["C2V_HOME"] = sys.argv[2]
assert [run(line) for line in lines] == [0, 5]  # as root, which may read this Python's own files
os.setgid(54321)
os.setuid(54321)
del os.environ["HOME"]
assert os.path.expanduser("~") == "~"
codes = [run(line) for line in lines]
del os.environ["C2V_HOME"]
print("now at no place at all", file=sys.stderr)
print([*codes, run(["status"])])
"""


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can be nobody")
def test_nobody_without_a_home(library: Path, run_python: Run) -> None:
    """A user with no HOME and no entry in passwd, as in a container."""
    with tempfile.TemporaryDirectory(prefix="c2v-nobody-") as name:  # pytest's folders are private
        place = Path(name)
        shutil.copytree(library, place / "library")
        (place / "home").mkdir()
        for path in (place, *place.rglob("*")):
            os.chown(path, 54321, 54321)
        done = run_python("-c", NOBODY, place / "library", place / "home", HOME="/root")
    assert done.stdout.splitlines()[-1] == "[0, 5, 2]", done.stderr
    said = done.stderr.partition("now at no place at all")[2]
    assert "C2V_HOME" in said


def test_what_is_said_of_errors_of_the_system() -> None:
    sentence, hint = explain(PermissionError(13, "Permission denied", "/a/b"))
    assert (sentence, hint) == ("/a/b: Permission denied", "check its permissions")
    sentence, _ = explain(OSError(28, "No space left on device", b"/a/\xff"))
    assert sentence == f"{os.fsdecode(b'/a/')}\udcff: No space left on device"
    sentence, _ = explain(OSError(24, "Too many open files"))
    assert sentence == "the system refuses: Too many open files"
    assert explain(ValueError("odd"))[0] == "unexpected ValueError: odd"

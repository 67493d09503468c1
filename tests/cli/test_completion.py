"""Tab in real shells: commands, options, and the values that there are, fast and from the wheel."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from c2v.cli.app import app, run
from c2v.cli.completing import candidates
from c2v.cli.completion_options import install
from c2v.cli.completion_scripts import SCRIPTS
from c2v.config import libraries_dir
from c2v.library import ModelRecord, NewVideo, Tag, open_store

ROOT = Path(__file__).parents[2]
GROUP = typer.main.get_command(app)
pytestmark = pytest.mark.skipif(os.name == "nt", reason="shells of POSIX")


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A library called "my films" with videos in folders whose names want quotes."""
    folder = tmp_path / "Videos"
    names = ["trips/Sea & sun/waves at dusk.mp4", "trips/Sea & sun/boat.mp4", "pets/cat.mp4",
             "pets/été.mov"]  # fmt: skip
    with open_store("my films", create=True) as store:
        store.set_model(ModelRecord("mini", "f", "t", feature_dim=4, vector_dim=4))
        for name in names:
            video = NewVideo(
                path=str(folder / name), size_bytes=1, mtime_ns=1, content_id=name,
                duration_seconds=1.0, width=4, height=4, codec="h264", sampling="auto",
            )  # fmt: skip
            key = store.put_video(video, [])
            if "pets" in name:
                store.write_tags([Tag(key, "furry", 0.9, by_hand=False)])
    return folder


def offered(line: str) -> list[str]:
    """What can come next, in this process."""
    *words, incomplete = line.split(" ")
    return [value for value, _ in candidates(GROUP, words, incomplete)]


# -- what is offered ---------------------------------------------------------------------------


def test_commands_and_options() -> None:
    assert offered("se")[0] == "search"
    assert offered("config ge") == ["get"]
    assert "--moments" in offered("search --mo")
    assert "--library" in offered("search a --lib")
    assert offered("--library films sea") == ["search"]
    assert offered("config nothing ") == []
    assert offered("status word ") == []
    assert offered("search -- --mo") == []
    told = dict(candidates(GROUP, [], "s"))
    assert told["status"].startswith("Show what the library holds")


def test_libraries_models_settings_and_benchmarks(films: Path) -> None:
    assert offered("search --library ") == ["my films"]
    assert offered("-L m") == ["my films"]
    assert offered("library delete ") == ["my films"]
    assert offered("search --library=m") == ["--library=my films"]
    assert offered("index x --model ") == ["mini"]
    assert offered("model info m") == ["mini"]
    assert offered("model pull ") == ["ViT-B-32"]
    assert offered("model use a") == ["auto"]
    assert offered("config get hnsw_e") == ["hnsw_ef_construction", "hnsw_ef"]
    assert offered("config set device c") == ["cpu", "cuda"]
    assert offered("config set library ") == ["default", "my films"]
    assert offered("finetune --data msv") == ["msvd"]


def test_closed_values_of_every_option() -> None:
    assert offered("search x --format m3") == ["m3u", "m3u-vlc"]
    assert offered("search x -f j") == ["json", "jsonl"]
    assert offered("search x --strategy ") == ["auto", "exact", "hnsw"]
    assert offered("index x --segment ") == ["auto", "whole", "scene"]
    assert offered("index x --sampling f") == ["fast"]
    assert offered("search x --top ") == []


def test_paths_of_the_library_a_folder_at_a_time(
    films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C2V_LIBRARY", "my films")
    here = str(films)
    assert offered(f"remove {here}/") == [f"{here}/pets/", f"{here}/trips/"]
    assert offered("remove ") == [f"{here}/pets/", f"{here}/trips/"], "what all have in common"
    assert offered(f"search x --in {here}/pets/c") == [f"{here}/pets/cat.mp4"]
    assert offered(f"play {here}/pets/é") == [f"{here}/pets/été.mov"]
    films.mkdir()
    monkeypatch.chdir(films)
    assert offered("remove ") == ["pets/", "trips/"]
    assert offered("remove ./pe") == ["./pets/"]
    monkeypatch.setenv("HOME", str(films.parent))
    assert offered("remove ~/Videos/tr") == ["~/Videos/trips/"]
    assert offered("index ") == [], "what is indexed is on the disk: the shell offers files"
    assert offered("search x --tag ") == ["furry"]


def test_of_many_videos_each_folder_costs_one_look(tmp_path: Path) -> None:
    with open_store("big", create=True) as store:
        store.set_model(ModelRecord("mini", "f", "t", feature_dim=4, vector_dim=4))
        with store.writer(), store.batch():
            for number in range(3000):
                path = f"/films/{number % 3}/{number}.mp4"
                video = NewVideo(
                    path=path, size_bytes=1, mtime_ns=1, content_id=str(number),
                    duration_seconds=1.0, width=4, height=4, codec="h264", sampling="auto",
                )  # fmt: skip
                store.put_video(video, [])
    assert offered("remove -L big /films/") == ["/films/0/", "/films/1/", "/films/2/"]
    assert len(offered("remove -L big /films/0/")) == 200


def test_a_broken_library_or_file_of_settings_offers_nothing(
    films: Path, c2v_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (libraries_dir() / "broken").mkdir()
    (libraries_dir() / "broken" / "library.db").write_text("no database " * 1000)
    assert offered("remove -L broken ") == []
    assert offered("remove -L nowhere ") == []
    (c2v_home / "config").mkdir(exist_ok=True)
    (c2v_home / "config" / "config.toml").write_text("model = \n")
    assert offered("remove ") == []
    assert offered("config get mod") == ["model"]
    assert capsys.readouterr() == ("", "")


def test_an_instruction_that_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_C2V_COMPLETE", "complete_tcsh")
    assert run([]) == 1
    assert "source_bash" in capsys.readouterr().err


def test_it_loads_nothing_heavy_and_takes_no_time(films: Path) -> None:
    """Processor time of a whole key, start of Python included; the best of five."""
    environment = os.environ | {
        "_C2V_COMPLETE": "complete_bash", "COMP_WORDS": "c2v\nremove\n-L\nmy\\ films\n/",
        "COMP_CWORD": "4",
    }  # fmt: skip
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "c2v"], env=environment, capture_output=True, text=True, cwd=ROOT
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.stdout.startswith("/"), done
    assert min(times) < 0.5, "0.15 s on the machine this was written on"
    script = (
        "import sys; from c2v.cli.app import run; run([]); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, cwd=ROOT
    )
    loaded = set(done.stderr.split())
    assert not loaded & {"numpy", "torch", "av", "onnxruntime", "rich", "huggingface_hub"}


# -- in the shells -----------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """A folder with the command c2v of this checkout in it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "c2v"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m c2v "$@"\n')
    script.chmod(0o755)
    return folder


Tab = Callable[[str], list[str]]


def on_terminal(shell: list[str], setup: str, line: str, command: Path, home: Path) -> list[str]:
    """The words of ``line`` after Tab was pressed at its end in an interactive shell.

    Then, at the beginning of the line, what prints every word is put before it.
    """
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 1000, 0, 0))
    environment = {
        **os.environ, "PATH": f"{command}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
        "TERM": "xterm", "LC_ALL": "C.UTF-8", "HOME": str(home), "PS1": "$ ",
    }  # fmt: skip
    process = subprocess.Popen(
        shell, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
        cwd=home,
    )  # fmt: skip
    os.close(theirs)
    shown = ""
    try:
        os.write(ours, f"{setup}\necho rea''dy\n".encode())
        shown = read_until(ours, "ready\r")
        os.write(ours, f"{line}\t\x01printf '<%s>\\n' \necho e''nd\n".encode())
        shown = read_until(ours, "end\r")
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    words = [row for row in shown.replace("\r", "\n").split("\n") if row[:1] == "<"]
    assert words, shown
    return [word.strip()[1:-1] for word in words if word.strip().endswith(">")]


def read_until(descriptor: int, mark: str) -> str:
    import select
    import time

    shown = b""
    until = time.monotonic() + 60
    while mark.encode() not in shown:
        ready, _, _ = select.select([descriptor], [], [], max(until - time.monotonic(), 0))
        assert ready, shown.decode(errors="replace")
        shown += os.read(descriptor, 65536)
    return shown.decode(errors="replace")


@pytest.fixture(params=["bash", "zsh"])
def tab(request: pytest.FixtureRequest, command: Path, tmp_path: Path) -> Tab:
    """Press Tab in a real shell with the script of this checkout."""
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    file = ROOT / "completions" / {"bash": "c2v.bash", "zsh": "_c2v"}[shell]
    if shell == "bash":
        return lambda line: on_terminal(
            ["bash", "--norc", "--noprofile", "-i"], f"source '{file}'", line, command, tmp_path
        )
    setup = f"fpath=('{file.parent}' $fpath); autoload -Uz compinit; compinit -u -D"
    return lambda line: on_terminal(["zsh", "-f", "-i"], setup, line, command, tmp_path)


def test_tab_in_a_real_shell(tab: Tab, films: Path) -> None:
    assert tab("c2v sea") == ["c2v", "search"]
    assert tab("c2v search --mom") == ["c2v", "search", "--moments"]
    assert tab("c2v config get play") == ["c2v", "config", "get", "play_command"]
    assert tab("c2v search x --library m") == ["c2v", "search", "x", "--library", "my films"]


def test_tab_on_a_path_that_wants_quotes(tab: Tab, films: Path) -> None:
    begun = f"{films}/trips/Sea"
    words = tab(f"c2v remove -L 'my films' {begun}")
    assert words[-1] == f"{films}/trips/Sea & sun/"
    escaped = f"{films}/trips/Sea\\ \\&\\ sun/wav"
    assert tab(f"c2v remove -L 'my films' {escaped}")[-1].endswith("/waves at dusk.mp4")
    assert tab("c2v search x -L my\\ films --in ~/Videos/pets/ca")[-1].endswith("pets/cat.mp4")


def test_tab_offers_files_where_c2v_has_nothing(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "some folder").mkdir()
    assert tab("c2v index some")[-1].rstrip("/") == "some folder"


def test_bash_takes_words_apart_at_equal_signs(command: Path, films: Path, tmp_path: Path) -> None:
    def tab(line: str) -> list[str]:
        file = ROOT / "completions" / "c2v.bash"
        shell = ["bash", "--norc", "--noprofile", "-i"]
        return on_terminal(shell, f"source '{file}'", line, command, tmp_path)

    assert tab("c2v search x --strategy=ex")[-1] == "--strategy=exact"
    assert tab("c2v search x --library=m")[-1] == "--library=my films"


def test_fish(command: Path, films: Path, tmp_path: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")

    def offers(line: str) -> list[str]:
        script = f"source '{ROOT}/completions/c2v.fish'; complete -C \"{line}\""
        done = subprocess.run(
            ["fish", "--no-config", "-c", script], capture_output=True, text=True, cwd=tmp_path,
            env={**os.environ, "PATH": f"{command}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
                 "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert [row.partition("\t")[0] for row in offers("c2v sea")] == ["search"]
    assert "\tFind the videos" in offers("c2v sea")[0]
    assert offers("c2v search x --library ") == ["my films"]
    (pets,) = offers(f"c2v remove -L 'my films' {films}/pe")
    assert pets == f"{films}/pets/"
    (tmp_path / "clips").mkdir()
    assert offers("c2v index cl")[0].startswith("clips")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "pwsh"])
def test_it_is_installed_for_a_shell_once(shell: str, tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("alias x=y")
    (tmp_path / ".zshrc").write_text("alias x=y\n")
    for _ in range(2):
        file = install(shell, tmp_path)
    assert file.read_text() == SCRIPTS[shell]
    if shell in ("bash", "zsh"):
        lines = (tmp_path / f".{shell}rc").read_text().splitlines()
        assert lines[0] == "alias x=y"
        assert len(lines) == 2


def test_the_options_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/zsh")
    assert run(["--show-completion"]) == 0
    assert capsys.readouterr().out == SCRIPTS["zsh"]
    assert run(["--install-completion"]) == 0
    assert str(tmp_path / ".zfunc" / "_c2v") in capsys.readouterr().out
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert run(["--install-completion"]) == 1
    assert "tcsh" in capsys.readouterr().err

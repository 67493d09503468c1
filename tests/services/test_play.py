"""``c2v play``, ``open``, ``search --play`` and ``--cut``; the players write down what they get."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import c2v
from c2v.cli.app import run
from c2v.config import set_config_value

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the players here are scripts")

RECORDER = """#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    log.write(json.dumps([os.path.basename(sys.argv[0]), *map(os.fsencode, sys.argv[1:])],
        default=lambda one: one.decode("utf-8", "backslashreplace")) + "\\n")
sys.exit({code})
"""


class Players:
    """Programs on a PATH with nothing else on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()
        self.log = folder / "played.jsonl"

    def add(self, name: str, *, code: int = 0) -> None:
        path = self.folder / name
        path.write_text(RECORDER.format(python=sys.executable, log=str(self.log), code=code))
        path.chmod(0o755)

    def calls(self) -> list[list[str]]:
        if not self.log.exists():
            return []
        lines = self.log.read_text().splitlines()
        self.log.unlink()
        return [json.loads(line) for line in lines]


@pytest.fixture
def players(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Players:
    made = Players(tmp_path)
    monkeypatch.setenv("PATH", str(made.folder))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    return made


@pytest.fixture
def asked(filled: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """The results of a search that is the last one."""
    assert run(["search", "a rocket", "-L", str(filled), "-f", "json"]) in (0, 5)
    results: list[dict[str, object]] = json.loads(capsys.readouterr().out)["results"]
    return results


def test_a_result_is_played_at_its_moment(
    players: Players, asked: list[dict[str, object]], filled: Path
) -> None:
    players.add("mpv")
    players.add("vlc")
    assert run(["play", "2", "-L", str(filled)]) == 0
    (call,) = players.calls()
    assert call == ["mpv", f"--start={asked[1]['start']:g}", "--", asked[1]["path"]]
    assert run(["play", "-L", str(filled)]) == 0
    assert players.calls()[0][-1] == asked[0]["path"]


def test_vlc_and_the_system_stand_in_and_the_choice_is_told(
    players: Players, asked: list[dict[str, object]], filled: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    players.add(opener)
    assert run(["play", "1", "-L", str(filled), "--verbose"]) == 0
    assert players.calls() == [[opener, asked[0]["path"]]]
    assert f"played with {opener}" in capsys.readouterr().err
    players.add("vlc")
    assert run(["play", "1", "-L", str(filled)]) == 0
    assert capsys.readouterr().err == ""
    (call,) = players.calls()
    assert call[0] == "vlc"
    assert call[1] == f"--start-time={asked[0]['start']:g}"
    assert call[2] == Path(str(asked[0]["path"])).as_uri()


def test_without_a_player_there_is_a_hint(
    players: Players, asked: list[dict[str, object]], filled: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run(["play", "1", "-L", str(filled)]) == 1
    shown = capsys.readouterr().err
    assert "no player was found" in shown
    assert "install mpv" in shown
    assert "play_command" in shown


def test_a_command_of_ones_own(
    players: Players, clips: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    players.add("mine")
    garage = clips / "garage.mp4"
    place = f"{garage}@1:02.5"
    assert run(["play", place, "--play-command", "mine 'two words' --at={start} {path}"]) == 0
    assert run(["play", place, "--play-command", "mine --from {start}"]) == 0
    monkeypatch.setenv("C2V_PLAY_COMMAND", "mine {uri}#t={start}")
    assert run(["play", place]) == 0
    monkeypatch.delenv("C2V_PLAY_COMMAND")
    set_config_value("play_command", "mine {path}")
    assert run(["play", str(garage)]) == 0
    assert players.calls() == [
        ["mine", "two words", "--at=62.5", str(garage)],
        ["mine", "--from", "62.5", str(garage)],
        ["mine", f"{garage.as_uri()}#t=62.5"],
        ["mine", str(garage)],
    ]
    for command, words in (
        ("mine {title}", "{title} means nothing"),
        ("mine 'open", "No closing quotation"),
        ("absent {path}", "absent cannot be started"),
    ):
        assert run(["play", place, "--play-command", command]) in (1, 2)
        assert words in capsys.readouterr().err


def test_a_player_that_fails_is_an_error(
    players: Players, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    players.add("mpv", code=2)
    assert run(["play", str(clips / "garage.mp4")]) == 1
    assert "mpv ended with exit code 2" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "darwin", reason="names are Unicode there")
@pytest.mark.parametrize("command", [None, "mpv {start} {path}"])
def test_names_are_arguments_and_nothing_else(
    players: Players, tmp_path: Path, command: str | None
) -> None:
    players.add("mpv")
    folder = tmp_path / "-films; touch x"
    folder.mkdir()
    name = b"--version '\" $(touch y) {start}\n\xff@.mp4"
    path = os.fsdecode(os.fsencode(folder) + b"/" + name)
    Path(path).write_bytes(b"")
    flags = [] if command is None else ["--play-command", command]
    assert run(["play", *flags, path]) == 0
    (call,) = players.calls()
    assert call[-1] == os.fsencode(path).decode("utf-8", "backslashreplace")
    assert len(call) == (4 if command is None else 3)
    assert sorted(one.name for one in tmp_path.iterdir() if one.name in "xy") == []


def test_what_cannot_be_played_is_said(
    players: Players, filled: Path, clips: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    players.add("mpv")
    for words, said in (
        (["play", "1", "-L", str(filled)], "there is no last search in this library"),
        (["play", str(clips / "nothing.mp4")], "there is no file"),
        (["play", "1", "-L", str(tmp_path / "none")], "no library"),
    ):
        assert run(words) in (1, 3)
        assert said in capsys.readouterr().err
    assert players.calls() == []


def test_a_file_with_a_time_in_its_name_is_that_file(players: Players, tmp_path: Path) -> None:
    players.add("mpv")
    odd = tmp_path / "clip@1:30"
    odd.write_bytes(b"")
    (tmp_path / "clip").write_bytes(b"")
    assert run(["play", str(odd)]) == 0
    odd.unlink()
    assert run(["play", str(odd)]) == 0
    assert players.calls() == [
        ["mpv", "--start=0", "--", str(odd)],
        ["mpv", "--start=90", "--", str(tmp_path / "clip")],
    ]


def test_open_shows_the_file_or_its_folder(
    players: Players, asked: list[dict[str, object]], filled: Path, clips: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if sys.platform == "darwin":
        pytest.skip("Finder is asked there")
    assert run(["open", "1", "-L", str(filled)]) == 1
    assert "no file manager was found" in capsys.readouterr().err
    players.add("xdg-open")
    assert run(["open", "1", "-L", str(filled)]) == 0
    assert players.calls() == [["xdg-open", str(clips)]]
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    players.add("dbus-send")
    assert run(["open", "1", "-L", str(filled)]) == 0
    (call,) = players.calls()
    assert call[0] == "dbus-send"
    assert f"array:string:{Path(str(asked[0]['path'])).as_uri()}" in call
    players.add("dbus-send", code=1)  # no file manager on that bus
    assert run(["open", "1", "-L", str(filled)]) == 0
    assert [one[0] for one in players.calls()] == ["dbus-send", "xdg-open"]


def test_a_search_plays_its_first_result(
    players: Players, filled: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    players.add("mpv")
    assert run(
        ["search", "a rocket", "--min-score=-1", "-L", str(filled), "-f", "jsonl", "--play"]
    ) in (
        0,
        5,
    )
    first = json.loads(capfd.readouterr().out.splitlines()[0])
    assert players.calls() == [["mpv", f"--start={first['start']:g}", "--", first["path"]]]
    with c2v.open(filled) as videos:
        assert videos.last(1).path == first["path"]


def test_options_that_do_not_go_together(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("a rocket\n")
    batch = ["search", "--batch", str(lines), "-L", str(filled)]
    for words in (
        [*batch, "--play"], [*batch, "--cut", str(tmp_path)], [*batch, "--thumbnails"],
        [*batch, "-f", "edl"], ["search", "x", "--exact"],
    ):  # fmt: skip
        assert run(words) == 2
        assert capsys.readouterr().out == ""


@pytest.fixture
def make_unreadable() -> Callable[[Path], None]:
    return lambda path: path.write_bytes(b"no video")


def test_a_search_cuts_its_moments(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    make_unreadable: Callable[[Path], None],
) -> None:  # fmt: skip
    import shutil

    folder = Path(shutil.copytree(clips, tmp_path / "clips"))
    with c2v.open(tmp_path / "library", model="mini") as videos:
        videos.index(folder)
    search = [
        "search",
        "a rocket",
        "--min-score=-1",
        "-L",
        str(tmp_path / "library"),
        "-f",
        "paths",
    ]
    assert run([*search, "--cut", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 3
    assert [line.split()[0] for line in shown.err.splitlines()] == ["wrote"] * 3
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name[:3] for name in names] == ["01 ", "02 ", "03 "]
    first = Path(shown.out.splitlines()[0])
    assert names[0].startswith(f"01 {first.stem} 00m")
    make_unreadable(first)
    assert run([*search, "--cut", str(tmp_path / "again")]) == 4
    assert f"{first.name} was not cut" in capsys.readouterr().err
    assert len(list((tmp_path / "again").iterdir())) == 2
    (tmp_path / "file").write_text("")
    assert run([*search, "--cut", str(tmp_path / "file" / "x")]) == 1
    assert "--cut" in capsys.readouterr().err

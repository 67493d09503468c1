"""``c2v config``: origins, single values, and the way out of a file that is broken."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from c2v.cli.app import run
from c2v.config import DEFAULTS, SETTINGS, config_path, load_settings

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in SETTINGS:
        monkeypatch.delenv(f"C2V_{key.upper()}", raising=False)


def write(content: bytes | str) -> Path:
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_where_each_comes_from_and_what_it_means(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("device = 'cpu'\nmodel = 'mini'\n")
    monkeypatch.setenv("C2V_MODEL", "other")
    assert run(["config", "show", "-L", "films", "--format", "json", "--origins"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == list(SETTINGS)
    origins = {name: (one["value"], one["origin"]) for name, one in shown.items()}
    assert origins["model"] == ("other", "C2V_MODEL")
    assert origins["device"] == ("cpu", str(path))
    assert origins["library"] == ("films", "--library")
    assert origins["hnsw_m"] == (16, "default")
    assert all(one["meaning"] == SETTINGS[name].meaning for name, one in shown.items())


def test_json_keeps_its_shape_and_the_table_its_lines(capsys: Capture) -> None:
    assert run(["config", "show", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == DEFAULTS
    assert run(["config", "show"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [f"{key} = {value}" for key, value in DEFAULTS.items()]
    for setting in SETTINGS.values():
        assert f"default: {setting.meaning}" in shown.err


def test_get(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2V_DEVICE", "cuda:1")
    assert run(["config", "get", "device"]) == 0
    assert capsys.readouterr().out == "cuda:1\n"
    assert run(["config", "get", "devise"]) == 2
    assert "did you mean device?" in capsys.readouterr().err


BROKEN = {
    "no value": ("device = 'cpu'\nmodel = \n", 2),
    "no quotes": ("model = mini\n", 1),
    "an open text": ("# mine\n\nmodel = 'mini\ndevice = 'cpu'\n", 3),
    "twice": ("model = 'a'\nmodel = 'b'\n", 2),
    "no toml at all": ("<settings>\n", 1),
    "a key nobody knows": ("device = 'cpu'\nmodle = 'x'\n", 2),
    "a table": ("device = 'cpu'\n\n[model]\nname = 'x'\n", 3),
    "a number for text": ("device = 'cpu'\nmodel = 3\n", 2),
    "text for a number": ("hnsw_ef = 'many'\n", 1),
    "too small": ("hnsw_ef = 1\n", 1),
    "a value it cannot have": ("\ndevice = 'cpuu'\n", 2),
    "empty": ("model = ''\n", 1),
    "not UTF-8": (b"# one\nmodel = '\xff'\n", 2),
}


@pytest.mark.parametrize(("content", "line"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named_with_its_line_and_mended_by_what_the_hint_says(
    content: bytes | str, line: int, capsys: Capture
) -> None:
    path = write(content)
    assert run(["status"]) == 2
    said = capsys.readouterr().err
    assert f"{path} line {line}" in said
    hint = said.partition("hint: ")[2]
    command = re.search(r"c2v config (reset|unset \w+|set \w+ VALUE)", hint)
    assert command is not None, said
    words = shlex.split(command[0].replace("VALUE", "auto"))[1:]
    assert run(words) == 0
    capsys.readouterr()
    assert load_settings() is not None
    if "reset" in words:
        kept = path.with_name("config.toml.old")
        assert kept.read_bytes() == (content if isinstance(content, bytes) else content.encode())
        assert not path.exists()
    elif b"cpu'" in path.read_bytes():
        assert load_settings().device == "cpu", "the other lines stay as they were"


def test_set_mends_the_line_that_is_broken_and_no_other(capsys: Capture) -> None:
    write("# mine\nmodel = mini\ndevice = 'cpu'\n")
    assert run(["config", "set", "model", "mini"]) == 0
    assert config_path().read_text() == "# mine\ndevice = 'cpu'\nmodel = \"mini\"\n"
    broken = "model = mini\ndevice = 'cpu'\n"
    write(broken)
    capsys.readouterr()
    assert run(["config", "set", "device", "auto"]) == 2
    assert "line 1 is not valid TOML: 'model = mini'" in capsys.readouterr().err
    assert config_path().read_text() == broken, "nothing is written over what cannot be read"


def test_what_is_set_never_lands_in_a_table() -> None:
    write("[odd]\nx = 1\n")
    assert run(["config", "unset", "odd"]) == 0
    assert run(["config", "set", "model", "mini"]) == 0
    assert load_settings().model == "mini"


def test_reset_keeps_every_file_of_before(capsys: Capture) -> None:
    for number in range(3):
        write(f"model = 'm{number}'\n")
        assert run(["config", "reset"]) == 0
    assert run(["config", "reset"]) == 0
    assert "all are the defaults" in capsys.readouterr().err
    kept = {path.name: path.read_text() for path in config_path().parent.iterdir()}
    assert kept == {
        "config.toml.old": "model = 'm0'\n", "config.toml.old-2": "model = 'm1'\n",
        "config.toml.old-3": "model = 'm2'\n",
    }  # fmt: skip


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read(capsys: Capture) -> None:
    write("model = 'x'\n").chmod(0)
    assert run(["status"]) == 1
    assert "c2v config reset" in capsys.readouterr().err
    assert run(["config", "reset"]) == 0
    assert load_settings().model == "auto"


def test_a_folder_in_its_place(capsys: Capture) -> None:
    config_path().mkdir(parents=True)
    assert run(["config", "show"]) == 1
    assert "c2v config reset" in capsys.readouterr().err
    assert run(["config", "reset"]) == 0
    assert run(["config", "show"]) == 0


@pytest.mark.parametrize(
    ("variable", "value", "meant"),
    [("C2V_DEVICE", "cdua", "cuda"), ("C2V_STRATEGY", "exat", "exact"), ("C2V_HNSW_EF", "x", "")],
)
def test_a_variable_is_named_and_what_may_be_meant(
    variable: str, value: str, meant: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert run(["config", "show"]) == 2
    said = capsys.readouterr().err
    assert f"({variable})" in said
    assert f"unset {variable}" in said
    assert not meant or f"did you mean {meant}" in said

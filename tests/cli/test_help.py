"""Help: one screen for all, grouped; every word explained; nothing that only programmers read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from c2v.cli.app import app, run
from c2v.cli.glossary import WORDS, words_in
from c2v.cli.man_page import page
from c2v.cli.top_help import EXAMPLES, GROUPS, LONGEST_MEANING, grouped, top_help
from c2v.config import SETTINGS

GROUP = typer.main.get_command(app)


def all_helps(group: Any = GROUP, words: tuple[str, ...] = ()) -> Iterator[list[str]]:
    yield [*words, "--help"]
    for name, one in getattr(group, "commands", {}).items():
        yield from all_helps(one, (*words, name))


HELPS = list(all_helps())


@pytest.fixture(params=HELPS, ids=" ".join)
def shown(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """The help of each command in 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    assert run(request.param) == 0
    return capsys.readouterr().out


def test_nothing_for_programmers(shown: str) -> None:
    assert not re.search(r"<\w+|x>=|\bbool\b|\\\[|list\[|Enum", shown)
    assert max(map(len, shown.splitlines())) <= 80 or "--format" in shown


JARGON = (
    "tower", "head", "token", "checkpoint", "epoch", "batch", "gradient", "bfloat16", "benchmark",
    "hub", "caption", "keyframe", "vector", "segment", "graph", "weights", "open_clip", "R@1",
    "dual-softmax", "qb-norm", "meanP", "tightTransf", "seqTransf", "fp32", "cuda", "mps", "hnsw",
    "PATH-GLOB", "ARCHITECTURE/TAG", "pyav", "edl", "m3u", "layer", "block", "learning-rate",
)  # fmt: skip


def test_every_word_of_the_trade_is_explained(shown: str) -> None:
    text, _, words = shown.partition("\nWords:\n")
    for word in JARGON:
        if re.search(rf"(?<![\w.-]){re.escape(word)}s?(?![\w-])", text):
            assert re.search(rf"^  {re.escape(word)}\s+\S", words, re.MULTILINE), word
    assert "encoder" not in shown, "people know it as the model"
    assert "temporal" not in text or "head" in words


def test_words_and_what_explains_them() -> None:
    words = [word for word, _ in words_in("Epochs to wait, with two towers")]
    assert words == ["model", "segment", "vector", "tower", "epoch"], "and those in the meanings"
    assert {"model", "vector", "segment"} <= {word for word, _ in words_in("the model")}
    assert words_in("a.model of models-of") == []
    assert all(meaning and not meaning.endswith(".") for meaning in WORDS.values())


def test_every_option_says_what_it_is() -> None:
    def options(command: Any, path: str) -> Iterator[tuple[str, Any]]:
        for param in command.params:
            yield path, param
        for name, child in getattr(command, "commands", {}).items():
            yield from options(child, f"{path} {name}")

    silent = [(path, param.opts) for path, param in options(GROUP, "c2v") if not param.help]
    assert silent == []


# -- the top -----------------------------------------------------------------------------------


def everything() -> Any:
    """A c2v with all commands that have a place in a group, and one that has none."""
    names = [name for commands in GROUPS.values() for name in commands]
    return SimpleNamespace(
        help=GROUP.help,
        commands={name: SimpleNamespace(hidden=False, help="It does.") for name in names},
    )


@pytest.mark.parametrize("group", [GROUP, everything()], ids=["now", "with all that is planned"])
def test_the_top_is_one_screen(group: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = top_help(group).splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "..." not in text, "a meaning that was cut"
    for command, _ in EXAMPLES:
        assert command in text
    for name in group.commands:
        assert re.search(rf"\b{name} ", text)


@pytest.mark.parametrize("columns", [30, 50, 80, 140])
def test_it_fits_any_width(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = top_help(everything()).splitlines()
    assert max(map(len, lines)) <= max(columns, 48)


def test_no_command_is_without_a_group() -> None:
    assert list(grouped(GROUP)) == list(GROUPS)
    assert sorted(name for rows in grouped(GROUP).values() for name in rows) == sorted(
        GROUP.commands
    )
    assert all(len(text) <= LONGEST_MEANING for rows in GROUPS.values() for text in rows.values())


def test_a_command_without_a_group_is_shown_all_the_same() -> None:
    group = SimpleNamespace(
        help="", commands={"juggle": SimpleNamespace(hidden=False, help="Throw videos about.")}
    )
    assert grouped(group) == {"More": {"juggle": "Throw videos about."}}


def test_alone_it_shows_the_help_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    alone = capsys.readouterr()
    assert run(["--help"]) == 0
    assert capsys.readouterr().out == alone.out
    assert alone.err == ""
    assert run(["model"]) == 2
    assert capsys.readouterr().out.startswith("Usage: c2v model COMMAND")


def test_bold_only_where_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    assert "\x1b" not in top_help(GROUP), "nobody reads standard output of a test on a terminal"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1msearch\x1b[0m" in top_help(GROUP)


def test_help_loads_no_rich() -> None:
    script = (
        "import sys; from c2v.cli.app import run; run(sys.argv[1:]); "
        "print('rich' in sys.modules, file=sys.stderr)"
    )
    for words in (["--help"], ["search", "--help"], ["model", "import", "-h"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True
        )
        assert done.stderr.splitlines()[-1] == "False"


# -- the manual --------------------------------------------------------------------------------


def test_the_manual_has_every_command_and_option() -> None:
    text = page(GROUP).replace("\\-", "-").replace("\\(ga", "`")
    for words in HELPS:
        command, path = GROUP, ["c2v", *words[:-1]]
        for name in words[:-1]:
            command = command.commands[name]
        if hasattr(command, "commands"):
            continue
        (own,) = re.findall(rf'^\.SS "{" ".join(path)} .*?(?=^\.S[SH] )', text, re.S | re.M)
        for param in command.params:
            if param.name not in ("library", "quiet", "verbose") and not param.hidden:
                names = param.opts if param.param_type_name == "option" else []
                assert all(re.search(rf"\\fB.*{name}\b", own) for name in names), (path, names)
    assert all(f"{setting}, C2V_" in text for setting in SETTINGS)


@pytest.mark.parametrize(
    "checker", [["mandoc", "-T", "lint", "-W", "warning"], ["groff", "-man", "-ww", "-z"]]
)
def test_the_manual_is_sound(checker: list[str], tmp_path: Path) -> None:
    if shutil.which(checker[0]) is None:
        pytest.skip(f"{checker[0]} is not installed")
    file = tmp_path / "c2v.1"
    file.write_text(page(GROUP), encoding="utf-8")
    done = subprocess.run([*checker, str(file)], capture_output=True, text=True)
    said = (done.stdout + done.stderr).splitlines()
    assert [line for line in said if "missing date" not in line] == []

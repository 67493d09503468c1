"""Hints and messages name commands and options that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from c2v.cli.app import app

ROOT = Path(__file__).parents[2]
PROSE = {
    "at", "can", "cannot", "does", "is", "makes", "of", "reads", "needs", "was", "writes", "knows",
    "has", "for", "on", "keeps", "takes", "without", "looks", "works", "and", "to", "that",
}  # fmt: skip
"""Words after "c2v" in sentences about c2v itself; a command of such a name would be a bad idea."""
PLACEHOLDER = "\N{OBJECT REPLACEMENT CHARACTER}"


def commands(group: Any = None, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple, Any]]:
    for name, command in (group or typer.main.get_command(app)).commands.items():
        yield (*before, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))


COMMANDS: dict[tuple[str, ...], Any] = dict(commands())
OPTIONS = {
    path: {text for param in command.params for text in (*param.opts, *param.secondary_opts)}
    | {"--help", "-h"}
    for path, command in COMMANDS.items()
}
ROOT_OPTIONS = {opt for param in typer.main.get_command(app).params for opt in param.opts} | {
    "--help",
    "-h",
}
ANY_OPTION = set().union(*OPTIONS.values()) | ROOT_OPTIONS | {"--help"}


def texts_of(source: str) -> Iterator[str]:
    """Every text of a module that is no docstring; what an f-string fills in is one character."""
    tree = ast.parse(source)
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inside.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            inside |= {id(value) for value in node.values}
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else PLACEHOLDER
                for part in node.values
            )


def complaints(text: str) -> Iterator[str]:
    """What of ``c2v COMMAND --option`` in a text does not exist."""
    for match in re.finditer(r"(?<![\w/.-])c2v ([^;,\n|]*)", text):
        words = re.sub(r'"[^"]*"', PLACEHOLDER, match[1]).split()  # what is quoted is a value
        while words and words[0].startswith("-"):  # global options, one of them with a value
            option = words.pop(0)
            if option not in ROOT_OPTIONS:
                yield f"{option} in {text!r}"
            if option in ("--library", "-L") and words:
                words.pop(0)
        if not words or not re.fullmatch(r"[a-z]+", words[0].strip(".:'\"`)")):
            continue
        names = [word.strip(".:'\"`)") for word in words]
        path = tuple(names[:2]) if tuple(names[:2]) in COMMANDS else (names[0],)
        if path not in COMMANDS:
            if names[0] not in PROSE:
                yield f"c2v {names[0]} in {text!r}"
            continue
        if hasattr(COMMANDS[path], "commands") and len(names) > 1:
            if re.fullmatch(r"[a-z]+", names[1]):
                yield f"c2v {names[0]} {names[1]} in {text!r}"
            continue
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(words[1:])):
            if option not in OPTIONS[path] and not option.startswith("--library"):
                yield f"c2v {' '.join(path)} {option} in {text!r}"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "c2v").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_messages_name_what_exists(path: Path) -> None:
    found = [wrong for text in texts_of(path.read_text("utf-8")) for wrong in complaints(text)]
    assert found == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "c2v").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_hints_name_options_that_exist(path: Path) -> None:
    """Also where an option stands alone: ``add --overwrite``."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "hint":
            for text in texts_of(f"_ = {ast.unparse(node.value)}"):
                if text.startswith(("pip ", "python ")):
                    continue  # somebody else's options
                named = re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)
                assert set(named) <= ANY_OPTION, text


def test_the_readme_names_what_exists() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"```.*?```|`[^`]*`", text, re.DOTALL)
    lines = [line for block in blocks for line in block.strip("`").splitlines()]
    found = [wrong for line in lines for wrong in complaints(line.partition("#")[0])]
    assert found == []


def test_the_check_sees_what_it_looks_for() -> None:
    assert list(complaints("the library is whole: c2v verify"))
    assert list(complaints("c2v index PATH --rebuildd"))
    assert list(complaints("c2v model frobnicate NAME"))
    assert not list(complaints("c2v --library x model pull NAME --overwrite, c2v status"))

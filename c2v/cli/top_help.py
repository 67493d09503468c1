"""``c2v --help``: what there is to do, on one screen.

A command that :data:`GROUPS` does not name is shown all the same, in a group of its own.
"""

import textwrap
from collections.abc import Iterator
from typing import Any

from c2v.cli.help_rows import paragraphs
from c2v.cli.help_screen import bold, columns

GROUPS: dict[str, dict[str, str]] = {
    "Find": {
        "search": "by words, image, clip",
        "similar": "what looks like it",
        "describe": "which words fit it",
        "play": "watch a result",
        "open": "a result in its folder",
        "cluster": "kinds of your videos",
        "map": "a picture of them all",
        "serve": "search in a browser",
    },
    "Keep": {
        "index": "read new videos",
        "watch": "read them as they come",
        "status": "what is in the library",
        "tag": "give videos names",
        "duplicates": "the same film twice",
        "remove": "forget videos",
    },
    "Learn": {
        "demo": "try it without videos",
        "evaluate": "how well it finds",
        "finetune": "teach it your words",
        "model": "list, fetch, choose",
    },
    "Housekeeping": {
        "library": "list and delete them",
        "config": "show, set and reset",
        "verify": "check the library",
        "doctor": "check the machine",
        "mcp": "for AI assistants",
    },
}
"""The commands of each group, in their order, and in a few words what each is for."""
EXAMPLES = (
    ("c2v index ~/Videos", "read a folder, once"),
    ('c2v search "a dog catching a frisbee"', "get the file and the moment"),
    ("c2v play 1", "watch the first result there"),
)
_OTHERS = "More"
_OPTIONS = (
    "--library NAME", "--quiet", "--verbose", "--version", "--help", "--install-completion",
)  # fmt: skip
_LABEL = 13
_NAME = 11
LONGEST_MEANING = 22
"""So that two of them stand side by side in 80 columns."""


def top_help(group: Any) -> str:
    """The help of ``c2v`` itself; in 80 columns it has at most 24 lines."""
    width = columns()
    intro = "".join(paragraphs(group)[:1])
    lines = [f"{bold('Usage:')} c2v COMMAND [OPTIONS]", *textwrap.wrap(intro, width), ""]
    lines += _examples(width)
    for title, commands in grouped(group).items():
        lines += _group(title, commands, width)
    lines += _beside("Options", _options(width - _LABEL))
    return "\n".join([*lines, "c2v COMMAND --help explains one of them."]) + "\n"


def grouped(group: Any) -> dict[str, dict[str, str]]:
    """The commands that there are, by group, in the order in which they are shown."""
    there = {name: one for name, one in group.commands.items() if not one.hidden}
    found = {
        title: {name: text for name, text in commands.items() if name in there}
        for title, commands in GROUPS.items()
    }
    named = {name for commands in GROUPS.values() for name in commands}
    others = {
        name: "".join(paragraphs(one)[:1]) for name, one in there.items() if name not in named
    }
    return {title: commands for title, commands in {**found, _OTHERS: others}.items() if commands}


def _examples(width: int) -> Iterator[str]:
    widest = max(len(command) for command, _ in EXAMPLES)
    for command, meaning in EXAMPLES:
        room = width - widest - 5
        yield f"  {command:{widest}}   {meaning}" if len(meaning) <= room else f"  {command}"
    yield ""


def _group(title: str, commands: dict[str, str], width: int) -> Iterator[str]:
    full = _NAME + LONGEST_MEANING
    across = 2 if width >= _LABEL + 2 * full + 1 else 1
    rows, cells = [], list(commands.items())
    for start in range(0, len(cells), across):
        row = ""
        for name, text in cells[start : start + across]:
            meaning = textwrap.shorten(text, LONGEST_MEANING, placeholder="...")
            row += f"{bold(name)}{' ' * (_NAME - len(name))}{meaning:{LONGEST_MEANING + 1}}"
        rows.append(row.rstrip())
    yield from _beside(title, rows)


def _options(room: int) -> list[str]:
    lines = [""]
    for option in _OPTIONS:
        if lines[-1] and len(lines[-1]) + len(option) + 2 > room:
            lines.append("")
        lines[-1] += f"{'  ' if lines[-1] else ''}{option}"
    return lines


def _beside(title: str, lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        label = bold(title) + " " * (_LABEL - len(title)) if number == 0 else " " * _LABEL
        yield label + line

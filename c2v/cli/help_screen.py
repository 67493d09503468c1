"""The help of a command on a terminal: plain text, as wide as that is, bold where it has that.

Typer's own way needs all of rich and shows what only a programmer reads (``<bool>``, ``x>=1``).
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from c2v.cli.help_rows import Row, Section, paragraphs, sections, usage

WIDEST = 110
"""Longer lines are hard to read."""
_NARROW = 60


def columns() -> int:
    """How wide the help is."""
    return max(30, min(shutil.get_terminal_size().columns, WIDEST))


def bold(text: str) -> str:
    """Emphasised, where whoever looks wants that and can see it."""
    forced = os.environ.get("FORCE_COLOR")
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return f"\x1b[1m{text}\x1b[0m" if forced or (sys.stdout.isatty() and not plain) else text


def help_of(command: Any, context: Any) -> str:
    """The whole help of one command."""
    from c2v.cli.glossary import words_in

    width = columns()
    path = context.command_path
    blocks = [f"{bold('Usage:')} {usage(command, path)}"]
    blocks += [textwrap.fill(text, width) for text in paragraphs(command)]
    found = sections(command, context)
    words = words_in("\n".join([*paragraphs(command), *_texts(found)]))
    if words:
        found.append(Section("Words", tuple(Row(word, meaning) for word, meaning in words)))
    blocks += ["\n".join(_section(section, width)) for section in found]
    if hasattr(command, "commands"):
        blocks.append(f"{path} COMMAND --help explains one of them.")
    return "\n\n".join(blocks) + "\n"


def _texts(found: list[Section]) -> Iterator[str]:
    for section in found:
        for row in section.rows:
            yield f"{row.name}\n{row.meaning}"


def _section(section: Section, width: int) -> Iterator[str]:
    """A heading and its rows; a name that is too long for its column has a line of its own."""
    widest = max(len(row.name) for row in section.rows)
    column = min(widest + 4, width * 2 // 5) if width >= _NARROW else 12
    yield bold(f"{section.title}:")
    for row in section.rows:
        lines = textwrap.wrap(row.meaning, width - column) or [""]
        fits = len(row.name) + 3 <= column
        if not fits:
            yield f"  {bold(row.name)}"
        for number, line in enumerate(lines):
            name = f"  {bold(row.name)}" + " " * (column - 2 - len(row.name))
            yield ((name if fits and number == 0 else " " * column) + line).rstrip()

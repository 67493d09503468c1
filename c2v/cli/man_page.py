"""The page of the manual, made from the commands: ``python -m c2v.cli.man_page``.

What it prints is kept as ``completions/c2v.1`` and installed as ``share/man/man1/c2v.1``.
"""

from collections.abc import Iterator
from typing import Any

from c2v import __version__
from c2v.cli.glossary import WORDS
from c2v.cli.help_rows import Row, paragraphs, sections, usage
from c2v.cli.top_help import EXAMPLES, GROUPS, grouped
from c2v.config import ENVIRONMENT_PREFIX, SETTINGS

_GLOBAL = "For every command"
_EXIT_CODES = (
    ("0", "Done."),
    ("1", "An error, which is said in one sentence with a hint that mends it."),
    ("2", "The command was typed in a way that c2v does not understand."),
    ("3", "There is no library, or one of another model."),
    ("4", "Done in part: some files failed, and each is listed."),
    ("5", "Nothing matched: search and similar alone."),
    ("130", "Interrupted; what was finished is kept."),
)
_ENVIRONMENT = (
    ("C2V_HOME", "A folder for everything that c2v keeps: libraries, models, settings, caches."),
    ("NO_COLOR", "Set to anything: no colours."),
)
_FILES = (
    ("~/.config/c2v/config.toml", "The settings; c2v config show says where it is on this system."),
    ("~/.local/share/c2v", "Libraries and models; c2v library list and c2v model list show them."),
    (".c2vignore", "In a folder of videos: patterns of what is not indexed, as in .gitignore."),
)


def page(group: Any) -> str:
    """The whole page, in the language of man."""
    return "\n".join(_lines(group)) + "\n"


def _lines(group: Any) -> Iterator[str]:
    yield '.\\" Made by python -m c2v.cli.man_page from the commands; do not edit.'
    yield f'.TH C2V 1 "" "c2v {__version__}" "User Commands"'
    yield from (".SH NAME", "c2v \\- grep for videos")
    yield from (".SH SYNOPSIS", ".B c2v", "\\fICOMMAND\\fR [\\fIOPTIONS\\fR]")
    yield ".SH DESCRIPTION"
    yield from map(_text, paragraphs(group))
    yield ".SH EXAMPLES"
    for command, meaning in EXAMPLES:
        yield from _row(Row(command, f"{meaning[:1].upper()}{meaning[1:]}."))
    yield ".SH OPTIONS"
    for row in _options_of_all(group):
        yield from _row(row)
    yield from _commands(group)
    yield ".SH SETTINGS"
    yield _text("Written by c2v config set, or given as a variable.")
    for one in SETTINGS.values():
        name = f"{one.name}, {ENVIRONMENT_PREFIX}{one.name.upper()}"
        yield from _row(Row(name, f"{one.meaning} [default: {one.default}]"))
    for title, rows in (
        ("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES), ("EXIT STATUS", _EXIT_CODES),
        ("WORDS", tuple(WORDS.items())),
    ):  # fmt: skip
        yield f".SH {title}"
        for name, meaning in rows:
            yield from _row(Row(name, meaning))


def _options_of_all(group: Any) -> Iterator[Row]:
    for section in sections(group, None):
        if section.title != "Commands":
            yield from section.rows
    yield Row("-h, --help", "Show what a command does, and its options.")


def _commands(group: Any) -> Iterator[str]:
    for title, commands in grouped(group).items():
        yield f".SH {title.upper() if title in GROUPS else 'MORE'}"
        for name in commands:
            yield from _command(group.commands[name], f"c2v {name}")


def _command(command: Any, path: str) -> Iterator[str]:
    if children := getattr(command, "commands", None):
        for name, child in children.items():
            yield from _command(child, f"{path} {name}")
        return
    yield f'.SS "{_escaped(usage(command, path)).replace(chr(34), "")}"'
    for number, paragraph in enumerate(paragraphs(command)):
        if number:
            yield ".PP"
        yield _text(paragraph)
    for section in sections(command, None):
        if section.title == _GLOBAL:
            continue
        for row in section.rows:
            yield from _row(row)


def _row(row: Row) -> Iterator[str]:
    yield ".TP"
    yield f"\\fB{_escaped(row.name.strip())}\\fR"
    yield _text(row.meaning or "\\&")


def _text(text: str) -> str:
    escaped = _escaped(text)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")


def main() -> None:
    """Print the page."""
    import sys

    import typer

    from c2v.cli.app import app

    sys.stdout.write(page(typer.main.get_command(app)))


if __name__ == "__main__":
    main()

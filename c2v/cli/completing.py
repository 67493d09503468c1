"""What a shell shows when Tab is pressed: commands, options, and the values that there are.

The scripts of the shells (:mod:`c2v.cli.completion_scripts`) start c2v with the words so far in the
environment, under the names that Typer's scripts use. What can stand where is read off the
commands: a new one, and a new option, needs nothing here. Nothing heavy is imported.
"""

import os
import shlex
import sys
from typing import Any

from c2v.cli.help_rows import paragraphs, plain
from c2v.cli.typed_words import Typed, option_of, understand
from c2v.errors import C2VError

_BREAKS = "=:"
"""At these bash takes a word apart."""
_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


def complete(instruction: str, group: Any) -> int:
    """Do what a script of a shell asks for: print itself, or what can come next."""
    verb, _, shell = instruction.partition("_")
    if shell not in _SHELLS or verb not in ("source", "complete"):
        sys.stderr.write(f"_C2V_COMPLETE is {instruction!r}: not one of source_bash, source_zsh, ")
        sys.stderr.write("source_fish, source_powershell\n")
        return 1
    if verb == "source":
        from c2v.cli.completion_scripts import SCRIPTS

        sys.stdout.write(SCRIPTS[shell])
        return 0
    words, current = _words_of_bash() if shell == "bash" else _words_of_others(shell)
    incomplete = words.pop()
    found = candidates(group, words, incomplete)
    if shell == "bash":
        # Bash replaces what is behind the last "=" or ":" alone.
        before = len(incomplete) - len(current)
        lines = [value[before:] for value, _ in found]
    else:
        mark = "\t" if shell in ("zsh", "fish") else ":::"
        lines = [f"{value}{mark}{text}" if text else value for value, text in found]
    sys.stdout.write("".join(line + "\n" for line in lines))
    return 0


def candidates(group: Any, words: list[str], incomplete: str) -> list[tuple[str, str]]:
    """What can stand in place of ``incomplete`` after ``words``, each with a few words about it."""
    typed = understand(group, words)
    if typed is None:
        return []
    if typed.pending is not None:
        return _values(typed, typed.pending, incomplete)
    if incomplete.startswith("-") and not typed.only_arguments:
        name, equals, value = incomplete.partition("=")
        param = option_of(typed.command, name) if equals else None
        if param is not None:
            return [(f"{name}={one}", text) for one, text in _values(typed, param, value)]
        return _option_names(typed.command, incomplete)
    if children := getattr(typed.command, "commands", None):
        return [
            (name, "".join(paragraphs(one)[:1]))
            for name, one in children.items()
            if name.startswith(incomplete) and not one.hidden
        ]
    arguments = [param for param in typed.command.params if param.param_type_name == "argument"]
    place = len(typed.arguments)
    if place >= len(arguments) and not (arguments and arguments[-1].nargs == -1):
        return []
    return _values(typed, arguments[min(place, len(arguments) - 1)], incomplete)


def _option_names(command: Any, beginning: str) -> list[tuple[str, str]]:
    found = [
        (name, plain(param.help or ""))
        for param in command.params
        if param.param_type_name != "argument" and not param.hidden
        for name in (*param.opts, *param.secondary_opts)
        if name.startswith("--") or beginning == "-"
    ]
    found.append(("--help", "Show this message and exit."))
    return [(name, text) for name, text in found if name.startswith(beginning)]


def _values(typed: Typed, param: Any, incomplete: str) -> list[tuple[str, str]]:
    import sqlite3

    from c2v.cli.completion_values import values_of

    try:
        found = values_of(typed, param, incomplete)
    except (C2VError, OSError, sqlite3.Error):
        return []  # a library or a file of settings that is broken; a line for it has no place here
    return [one for one in found if one[0].startswith(incomplete)]


def _words_of_bash() -> tuple[list[str], str]:
    """The words up to the one at the cursor, whole again, and what bash has of the last one."""
    text, place = os.environ.get("COMP_WORDS", ""), int(os.environ.get("COMP_CWORD", "0"))
    raw = text.split("\n") if "\n" in text else _split(text)
    raw = raw[1 : place + 1] + [""] * (place - len(raw) + 1)
    words: list[str] = []
    glued = False
    for word in raw:
        is_break = bool(word) and not word.strip(_BREAKS)
        if words and (is_break or glued):
            words[-1] += word if is_break else _unquoted(word)
        else:
            words.append(_unquoted(word))
        glued = is_break
    current = raw[-1] if raw else ""
    return words or [""], "" if current and not current.strip(_BREAKS) else _unquoted(current)


def _words_of_others(shell: str) -> tuple[list[str], str]:
    text = os.environ.get("_TYPER_COMPLETE_ARGS", "")
    if "\n" in text:
        words = [_unquoted(word) for word in text.split("\n")]
    else:
        words = _split(text)
        if shell in ("powershell", "pwsh"):
            incomplete = os.environ.get("_TYPER_COMPLETE_WORD_TO_COMPLETE", "")
            words = words if incomplete else [*words, ""]
        elif not text or text.endswith(" "):
            words.append("")
    return words[1:] or [""], words[-1]


def _unquoted(word: str) -> str:
    return "".join(_split(word)[:1]) if word else ""


def _split(text: str) -> list[str]:
    """The words of a line of a shell; one whose quotes are still open is taken as it is."""
    for closing in ("", '"', "'", "\\"):
        try:
            return shlex.split(text + closing)
        except ValueError:
            continue
    return text.split()

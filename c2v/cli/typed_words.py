"""The words of a command line that is not finished, understood as far as they go."""

from dataclasses import dataclass, field
from typing import Any

from c2v.cli.help_rows import takes_value


@dataclass
class Typed:
    """The words so far, understood: the command they lead to, and what was given to it."""

    command: Any
    path: list[str] = field(default_factory=list)
    """Its names, below ``c2v``."""
    arguments: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    pending: Any = None
    """The option whose value comes next."""
    only_arguments: bool = False
    """Whether ``--`` was typed."""


def understand(group: Any, words: list[str]) -> Typed | None:
    """The command that ``words`` lead to; None where they lead to none."""
    typed = Typed(group)
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--" and not typed.only_arguments:
            typed.only_arguments = True
        elif word.startswith("-") and len(word) > 1 and not typed.only_arguments:
            name, equals, value = word.partition("=")
            param = option_of(typed.command, name)
            if param is None or not takes_value(param):
                continue
            if not equals and not left:
                typed.pending = param
            else:
                typed.options[param.name] = value if equals else left.pop(0)
        elif hasattr(typed.command, "commands"):
            if word not in typed.command.commands:
                return None
            typed.command = typed.command.commands[word]
            typed.path.append(word)
        else:
            typed.arguments.append(word)
    return typed


def option_of(command: Any, name: str) -> Any:
    """The option of a command that has this name, if one has."""
    return next((one for one in command.params if name in (*one.opts, *one.secondary_opts)), None)

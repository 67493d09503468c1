"""What the help of a command says, whatever it is printed on: a terminal or a page of the manual.

Read off the commands themselves: a new one, or a new option, needs nothing here.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

_EVERYWHERE = ("library", "quiet", "verbose", "help")
_EVERYWHERE_TITLE = "For every command"
_KINDS = {"int": "N", "float": "NUMBER", "Path": "PATH", "str": "TEXT"}


@dataclass(frozen=True)
class Row:
    """An option, an argument or a command, and what it means."""

    name: str
    """As it is typed, with what follows it: ``-n, --top N``."""
    meaning: str


@dataclass(frozen=True)
class Section:
    """Rows under a heading."""

    title: str
    rows: tuple[Row, ...]


def usage(command: Any, path: str) -> str:
    """How a command is typed; ``path`` is how it is called: ``c2v model pull``."""
    if hasattr(command, "commands"):
        return f"{path} COMMAND [OPTIONS]"
    words = [path, *(_in_usage(param) for param in command.params if _is_argument(param))]
    return f"{' '.join(words)} [OPTIONS]"


def paragraphs(command: Any) -> list[str]:
    """What a command does, each paragraph on a line of its own."""
    text = (command.help or "").partition("\f")[0].strip()
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def sections(command: Any, context: Any) -> list[Section]:
    """Arguments, commands, options by their panels, and last what every command has.

    Without a context the option for help, which is made for each call, is not among them.
    """
    found: dict[str, list[Row]] = {}
    last: list[Row] = []
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            first = paragraphs(child)[:1]
            found.setdefault("Commands", []).append(Row(name, "".join(first)))
    for param in command.params if context is None else command.get_params(context):
        if getattr(param, "hidden", False):
            continue
        if _is_argument(param):
            found.setdefault("Arguments", []).append(Row(_value_of(param), _meaning(param)))
        elif param.name in _EVERYWHERE:
            last.append(Row(_names(param), _meaning(param)))
        else:
            title = getattr(param, "rich_help_panel", None) or "Options"
            found.setdefault(title, []).append(Row(_names(param), _meaning(param)))
    made = [Section(title, tuple(rows)) for title, rows in found.items()]
    return [*made, Section(_EVERYWHERE_TITLE, tuple(last))] if last else made


def plain(text: str) -> str:
    """A text on one line, without what escapes the brackets of rich's markup."""
    return " ".join(text.replace("\\[", "[").replace("[env: ", "[environment: ").split())


def choices_of(param: Any) -> tuple[str, ...]:
    """The values that a parameter can have, where they are a closed list; else nothing.

    Of an enumeration its members; of a metavar such as ``auto|whole|SECONDS`` the small words.
    """
    kind = getattr(param, "type_descriptor", None) or param.type
    given = getattr(kind, "choices", None)
    if given:
        return tuple(str(one.value if isinstance(one, Enum) else one) for one in given)
    metavar = param.metavar or ""
    if "|" not in metavar:
        return ()
    return tuple(word for word in metavar.split("|") if re.fullmatch(r"[a-z0-9]\S*[a-z0-9]", word))


def takes_value(param: Any) -> bool:
    """Whether a value follows an option."""
    return not (getattr(param, "is_flag", False) or getattr(param, "count", False))


def _is_argument(param: Any) -> bool:
    return bool(param.param_type_name == "argument")


def _in_usage(param: Any) -> str:
    value = _value_of(param)
    return value if param.required or value.startswith("[") else f"[{value}]"


def _value_of(param: Any) -> str:
    """What stands for the value of an option or argument."""
    many = "..." if _is_argument(param) and param.nargs == -1 else ""
    if param.metavar:
        return str(param.metavar).removesuffix(many) + many
    if choices := choices_of(param):
        return "|".join(choices)
    if _is_argument(param):
        return str(param.name).upper() + many
    kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    return _KINDS.get(getattr(kind, "__name__", ""), "VALUE")


def _names(param: Any) -> str:
    short = [name for name in param.opts if not name.startswith("--")]
    long = [name for name in param.opts if name.startswith("--")]
    names = ", ".join([*short, *long, *param.secondary_opts])
    indent = "" if short else "    "
    return f"{indent}{names} {_value_of(param)}" if takes_value(param) else f"{indent}{names}"


def _meaning(param: Any) -> str:
    said = [plain(getattr(param, "help", None) or "")]
    if limits := _limits(param):
        said.append(f"[{limits}]")
    if default := _default(param):
        said.append(f"[default: {default}]")
    if param.required:
        said.append("[required]")
    return " ".join(part for part in said if part)


def _limits(param: Any) -> str:
    holder = param if hasattr(param, "min") else param.type
    low, high = getattr(holder, "min", None), getattr(holder, "max", None)
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low:
        return f"at least {low:g}"
    return f"at most {high:g}" if high is not None else ""


def _default(param: Any) -> str:
    value = param.default
    shown = getattr(param, "show_default", True)
    if isinstance(shown, str):
        return shown
    if not shown or param.required or value in (None, "", False, (), []) or callable(value):
        return ""
    if value is True:
        return str(param.opts[0]) if param.secondary_opts else ""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value.value if isinstance(value, Enum) else value)

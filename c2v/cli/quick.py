"""Values of the command line without Pydantic, wherever no help of it is needed.

Typer (0.29) converts the value of every option by Pydantic, also of those nobody gave, and its
import takes as long as NumPy's: a fifth of a whole search. Here plain values are converted in
place: what has its type already, text, paths, whole numbers, members of an enumeration. Anything
else, and everything that is wrong, goes Typer's own way, so messages and results are Typer's.
"""

import functools
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from typer.core import TyperGroup

_PARTS = {"min", "max", "parser", "exists", "resolve_path", "readable", "path_type"}
"""What is read of Typer's description of a parameter."""


class QuickGroup(TyperGroup):
    """A group that, with its commands, takes plain values without Pydantic."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the group's own options."""
        _quicken(self, ctx)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is asked for; of words that are none, a search for them."""
        if ctx.parent is None and self.get_command(ctx, args[0]) is None:
            from c2v.cli.sentences import is_sentence, say_so

            commands = self.list_commands(ctx)
            if "search" in commands and is_sentence(args, commands):
                say_so(args, quiet=bool(ctx.params.get("quiet")))
                args = ["search", *args]
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help on one screen, instead of Typer's."""
        from c2v.cli.top_help import top_help

        formatter.write(top_help(self))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            _quicken(command, ctx)
            _let_explain(command)
        return command


def _quicken(command: Any, context: Any) -> None:
    for param in command.get_params(context):  # with the one for --help, which is made here
        own = getattr(param, "get_runtime_param", None)
        if isinstance(getattr(own, "__self__", None), _Shortcut):
            continue  # once is enough
        kind = getattr(param, "type_descriptor", None)
        # Private parts of Typer: before 0.29 there was no Pydantic in it, and they may be others
        # one day. Without them everything goes Typer's own way.
        info = getattr(kind, "parameter_info", None)
        if own is not None and hasattr(kind, "annotation") and _PARTS.issubset(dir(info)):
            param.get_runtime_param = _Shortcut(kind, own).itself
    for child in getattr(command, "commands", {}).values():
        _quicken(child, context)


def _let_explain(command: Any) -> None:
    """Let a command, and those below it, print c2v's help instead of Typer's."""
    command.format_help = functools.partial(_write_help, command)
    for child in getattr(command, "commands", {}).values():
        _let_explain(child)


def _write_help(command: Any, context: Any, formatter: Any) -> None:
    from c2v.cli.help_screen import help_of

    formatter.write(help_of(command, context))


class _Shortcut:
    """Stands where Typer expects the converter of one parameter."""

    def __init__(self, kind: Any, own: Callable[[], Any]) -> None:
        self._own = own
        self._kind = kind.annotation
        info = kind.parameter_info
        self._lowest = float("-inf") if info.min is None else info.min
        self._highest = float("inf") if info.max is None else info.max
        self._is_plain = info.parser is None and not any(
            (info.exists, info.resolve_path, info.readable and info.exists, info.path_type)
        )

    def itself(self) -> "_Shortcut":
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the command gets it.

        Raises:
            typer.BadParameter: it does not fit; by Typer.
        """
        many = param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        try:
            return self._many(value) if many else self._one(value, self._kind)
        except _UnknownError:
            return self._own().coerce(value, param=param, ctx=ctx)

    def _many(self, values: Any) -> list[Any]:
        if get_origin(self._kind) is not list or not isinstance(values, (list, tuple)):
            raise _UnknownError
        (kind,) = get_args(self._kind)
        return [self._one(value, kind) for value in values]

    def _one(self, value: Any, kind: Any) -> Any:
        converted = _converted(value, kind) if self._is_plain and isinstance(kind, type) else None
        if converted is None:
            raise _UnknownError
        is_number = kind in (int, float)
        if is_number and not self._lowest <= converted <= self._highest:
            raise _UnknownError
        return converted


class _UnknownError(Exception):
    """A value that is Typer's business. Never leaves this module."""


def _converted(value: Any, kind: type) -> Any:
    """``value`` as a ``kind``; None where only Typer's own machinery can convert it."""
    if type(value) is kind:
        return value
    if not isinstance(value, str):
        return value if kind is Path and isinstance(value, Path) else None
    if kind is Path:
        return Path(value)
    if kind is int and value.isascii() and value.isdecimal():
        return int(value)
    if issubclass(kind, Enum):
        return next((member for member in kind if member.value == value), None)
    return None

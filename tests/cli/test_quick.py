"""Start-up: values without Pydantic are those of Typer."""

from __future__ import annotations

import subprocess
import sys
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
import typer

from c2v.cli.quick import _PARTS, QuickGroup, _quicken


class Colour(str, Enum):
    RED = "red"
    BLUE = "dark-blue"


def application(cls: type[typer.core.TyperGroup] | None) -> tuple[typer.Typer, list[Any]]:
    """One command with every kind of parameter that c2v has; it notes what it gets."""
    got: list[Any] = []
    app = typer.Typer(cls=cls, pretty_exceptions_enable=False)

    @app.callback()
    def root(loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
        got.append(loud)

    @app.command()
    def work(
        words: Annotated[list[str] | None, typer.Argument()] = None,
        name: Annotated[str | None, typer.Option()] = None,
        file: Annotated[Path | None, typer.Option()] = None,
        files: Annotated[list[Path] | None, typer.Option("--more")] = None,
        count: Annotated[int, typer.Option("-n", min=1, max=50)] = 10,
        share: Annotated[float | None, typer.Option(min=-1.0, max=1.0)] = None,
        colour: Annotated[Colour, typer.Option()] = Colour.RED,
        flag: Annotated[bool, typer.Option("--flag")] = False,
    ) -> None:
        got.extend((words, name, file, files, count, share, colour, flag))

    return app, got


def outcome(cls: type[typer.core.TyperGroup] | None, arguments: list[str]) -> Any:
    """What the command got, or what the user is told."""
    app, got = application(cls)
    try:
        app(arguments, prog_name="x", standalone_mode=False)
    except Exception as error:
        return type(error).__name__, str(error)
    return [(type(value), value) for value in got]


@pytest.mark.parametrize(
    "line",
    [
        "work", "work a b", "--loud work --flag", "work --name é", "work --name ''",
        "work --file .", "work --file no/such", "work --more a --more b", "work -n 7", "work -n 07",
        "work -n 0", "work -n 51", "work -n x", "work -n ' 7'", "work -n -1", "work -n 1.0",
        "work -n ٣",
        "work --share 0.5", "work --share 2", "work --share nan", "work --share 1",
        "work --colour dark-blue", "work --colour BLUE", "work --colour pink", "work --nothing",
        "work --file", "nothing",
    ],
)  # fmt: skip
def test_values_and_messages_are_those_of_typer(line: str) -> None:
    import shlex

    arguments = shlex.split(line)
    assert outcome(QuickGroup, arguments) == outcome(None, arguments)


def test_a_typer_with_other_parts_keeps_its_own_way() -> None:
    """What stands in a parameter is private: one without it is left as it is."""

    class Parameter:
        type_descriptor = object()

        def get_runtime_param(self) -> str:
            return "Typer's own"

    class Command:
        def __init__(self, param: Any) -> None:
            self.params = [param]

        def get_params(self, _context: Any) -> list[Any]:
            return self.params

    strange, known = Parameter(), Parameter()
    _quicken(Command(strange), None)
    assert strange.get_runtime_param() == "Typer's own"
    info = SimpleNamespace(**dict.fromkeys(_PARTS))
    known.type_descriptor = SimpleNamespace(annotation=str, parameter_info=info)
    _quicken(Command(known), None)
    assert known.get_runtime_param() != "Typer's own"
    del info.parser
    less = Parameter()
    less.type_descriptor = known.type_descriptor
    _quicken(Command(less), None)
    assert less.get_runtime_param() == "Typer's own"


@pytest.mark.parametrize("arguments", [("status",), ("config", "show"), ("search", "x", "-n", "3")])
def test_plain_values_do_not_load_pydantic(arguments: tuple[str, ...], tmp_path: Path) -> None:
    script = (
        "import sys; from c2v.cli.app import run; run(sys.argv[1:]); "
        "print('pydantic' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments, "-L", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "False"

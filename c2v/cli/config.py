"""``c2v config``: the settings that stand in config.toml."""

from collections.abc import Callable
from typing import Annotated

import typer

from c2v.cli.render import PlainFormat, PlainFormatFlag, show
from c2v.cli.session import Session, command
from c2v.config import SETTINGS, config_path


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    group = typer.Typer(help="Show and change settings.", no_args_is_help=True)
    group.command("show", help=_with_meanings(show_settings))(command(show_settings))
    group.command("set", help=_with_meanings(set_value))(command(set_value))
    group.command("unset")(command(unset))
    app.add_typer(group, name="config")


def _with_meanings(function: Callable[..., None]) -> str:
    """The help of a command, and what every setting means."""
    meanings = "\n\n".join(f"{setting.name}: {setting.meaning}." for setting in SETTINGS.values())
    return f"{function.__doc__}\n\n{meanings}"


def show_settings(session: Session, style: PlainFormatFlag = PlainFormat.TABLE) -> None:
    """Show every setting as it holds now, and the file they can be written to."""
    import dataclasses

    settings = dataclasses.asdict(session.settings())

    def lines() -> None:
        for key, value in settings.items():
            session.out.print(f"{key} = {value}", soft_wrap=True)
        session.notice(f"file: {config_path()}")

    show(style, whole=lambda: settings, table=lines)


def set_value(
    session: Session,
    key: Annotated[str, typer.Argument(help="The setting.")],
    value: Annotated[str, typer.Argument(help="Its value.")],
) -> None:
    """Write one setting."""
    from c2v.services.configuring import change_setting

    session.notice(f"written to {change_setting(key, value)}")


def unset(session: Session, key: Annotated[str, typer.Argument(help="The setting.")]) -> None:
    """Take one setting out of the file."""
    from c2v.services.configuring import change_setting

    session.notice(f"removed from {change_setting(key, None)}")

"""``c2v config``: the settings that stand in config.toml."""

from typing import Annotated

import typer

from c2v.cli.render import PlainFormat, PlainFormatFlag, show
from c2v.cli.session import Session, command
from c2v.config import config_path, set_config_value


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    group = typer.Typer(help="Show and change settings.", no_args_is_help=True)
    group.command("show")(command(show_settings))
    group.command("set")(command(set_value))
    group.command("unset")(command(unset))
    app.add_typer(group, name="config")


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
    session.notice(f"written to {set_config_value(key, value)}")


def unset(session: Session, key: Annotated[str, typer.Argument(help="The setting.")]) -> None:
    """Take one setting out of the file."""
    session.notice(f"removed from {set_config_value(key, None)}")

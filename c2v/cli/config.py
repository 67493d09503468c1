"""``c2v config``: the settings, where each comes from, and the file that they are written to."""

from collections.abc import Callable
from typing import Annotated

import typer

from c2v.cli.render import PlainFormat, PlainFormatFlag, show
from c2v.cli.session import Session, command
from c2v.config import SETTINGS, config_path, load_settings, resolve

KeyArgument = Annotated[str, typer.Argument(help="The setting.", metavar="SETTING")]


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    group = typer.Typer(help="Show and change settings.", no_args_is_help=True)
    group.command("show", help=_with_meanings(show_settings))(command(show_settings))
    group.command("get")(command(get))
    group.command("set", help=_with_meanings(set_value))(command(set_value))
    group.command("unset")(command(unset))
    group.command("reset")(command(reset))
    app.add_typer(group, name="config")


def _with_meanings(function: Callable[..., None]) -> str:
    """The help of a command, and what every setting means."""
    meanings = "\n\n".join(f"{one.name}: {one.meaning}." for one in SETTINGS.values())
    return f"{function.__doc__}\n\n{meanings}"


def show_settings(
    session: Session,
    origins: Annotated[
        bool, typer.Option("--origins", help="In JSON too: where each comes from, what it means.")
    ] = False,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> None:
    """Show every setting, where its value comes from, and what it means."""
    session.settings()  # which refuses what does not fit together
    found = resolve(library=session.library)

    def lines() -> None:
        for key, (value, origin) in found.items():
            session.out.print(f"{key} = {value}", soft_wrap=True)
            session.notice(f"    {origin}: {SETTINGS[key].meaning}")
        session.notice(f"file: {config_path()}")

    def whole() -> dict[str, object]:
        if not origins:
            return {key: value for key, (value, _origin) in found.items()}
        return {
            key: {"value": value, "origin": origin, "meaning": SETTINGS[key].meaning}
            for key, (value, origin) in found.items()
        }

    show(style, whole=whole, table=lines)


def get(session: Session, key: KeyArgument) -> None:
    """Print the value of one setting, as it holds now."""
    from c2v.services.configuring import check_name

    check_name(key)
    value = getattr(load_settings(library=session.library), key)
    session.out.print(str(value), soft_wrap=True)


def set_value(
    session: Session,
    key: KeyArgument,
    value: Annotated[str, typer.Argument(help="Its value.")],
) -> None:
    """Write one setting."""
    from c2v.services.configuring import change_setting

    session.notice(f"written to {change_setting(key, value)}")


def unset(session: Session, key: KeyArgument) -> None:
    """Take one setting out of the file."""
    from c2v.services.configuring import change_setting

    session.notice(f"removed from {change_setting(key, None)}")


def reset(session: Session) -> None:
    """Begin with the defaults again; the file of before is kept beside it."""
    from c2v.config import reset_config

    kept = reset_config()
    if kept is None:
        session.notice("there is no file of settings: all are the defaults")
    else:
        session.notice(f"all settings are the defaults; those of before are kept in {kept}")

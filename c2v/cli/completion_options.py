"""``--install-completion`` and ``--show-completion``: Tab in the shell c2v was started from."""

import os
from pathlib import Path
from typing import Annotated

import typer

from c2v.errors import C2VError

_BASH_LINE = "source '{file}'"
_ZSH_LINE = "fpath+=~/.zfunc; autoload -Uz compinit; compinit"


def _install(wanted: bool) -> None:
    if wanted:
        shell = _shell()
        typer.echo(f"written to {install(shell, Path.home())}; it works in the next {shell}")
        raise typer.Exit


def _show(wanted: bool) -> None:
    if wanted:
        from c2v.cli.completion_scripts import SCRIPTS

        typer.echo(SCRIPTS[_shell()], nl=False)
        raise typer.Exit


def _shell() -> str:
    """The shell of whoever types.

    Raises:
        C2VError: it is none that c2v has a script for.
    """
    from c2v.cli.completion_scripts import SCRIPTS

    default = "powershell" if os.name == "nt" else ""
    name = Path(os.environ.get("SHELL", default)).name.removesuffix(".exe")
    if name not in SCRIPTS:
        raise C2VError(
            f"there is no completion for the shell {name or 'of this terminal'}",
            hint="export SHELL=bash, zsh, fish or pwsh",
        )
    return name


def install(shell: str, home: Path) -> Path:
    """Write a shell's script below ``home`` where it is found, and let the shell find it.

    Returns the file of the script. What is in the shell's own files stays; a line is added once.
    """
    from c2v.cli.completion_scripts import SCRIPTS

    places = {
        "bash": home / ".local/share/c2v-completion.bash",
        "zsh": home / ".zfunc/_c2v",
        "fish": home / ".config/fish/completions/c2v.fish",
    }
    file = places.get(shell, home / ".config/powershell/c2v-completion.ps1")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(SCRIPTS[shell], encoding="utf-8")
    if shell == "bash":
        _add_line(home / ".bashrc", _BASH_LINE.format(file=file))
    elif shell == "zsh":
        _add_line(home / ".zshrc", _ZSH_LINE)
    elif shell in ("powershell", "pwsh"):
        folder = home / ("Documents/PowerShell" if os.name == "nt" else ".config/powershell")
        _add_line(folder / "Microsoft.PowerShell_profile.ps1", f". '{file}'")
    return file


def _add_line(file: Path, line: str) -> None:
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if line not in text.splitlines():
        file.parent.mkdir(parents=True, exist_ok=True)
        ending = "" if not text or text.endswith("\n") else "\n"
        file.write_text(f"{text}{ending}{line}\n", encoding="utf-8")


InstallCompletionFlag = Annotated[
    bool,
    typer.Option(
        "--install-completion",
        callback=_install,
        is_eager=True,
        help="Let Tab complete commands, options and names in this shell.",
    ),
]
ShowCompletionFlag = Annotated[
    bool,
    typer.Option(
        "--show-completion",
        callback=_show,
        is_eager=True,
        help="Print the script for that, to put it elsewhere.",
    ),
]

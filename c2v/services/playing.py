"""Playing a moment in a player that is there, and showing a file in its folder.

No shell is ever involved: a command is a list of arguments, so a name may hold anything.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from c2v.errors import C2VError, DataError, UsageError

AUTO = "auto"
PLACEHOLDERS = ("{path}", "{uri}", "{start}")
"""Of a play command: the file, the file as file://, and seconds from the start of the video."""
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)s?")
_EXAMPLE = 'c2v config set play_command "mpv --start={start} {path}"'
_VLC_ON_MACOS = "/Applications/VLC.app/Contents/MacOS/VLC"


@dataclass(frozen=True, slots=True)
class PlayFrom:
    """A file and a time in it, in seconds."""

    path: str
    start: float = 0.0


def play_from(text: str) -> PlayFrom:
    """The place that ``FILE`` or ``FILE@TIME`` means; TIME is seconds, MM:SS or H:MM:SS.

    A file that has such a name itself is that file.

    Raises:
        DataError: there is no such file.
    """
    for name, start in _readings(text):
        path = Path(os.path.expanduser(name))  # noqa: PTH111 - ~nobody stays as it is
        if path.exists():
            return PlayFrom(str(path.absolute()), start)
    raise DataError(f"there is no file {text}", hint="c2v play FILE, or FILE@1:30")


def _readings(text: str) -> list[tuple[str, float]]:
    name, at, time = text.rpartition("@")
    match = _TIME.fullmatch(time) if at and name else None
    if match is None:
        return [(text, 0.0)]
    hours, minutes, seconds = match.groups()
    total = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
    return [(text, 0.0), (name, total)]


def play(place: PlayFrom, command: str = AUTO, *, on_choice: Callable[[str], None]) -> None:
    """Play a file from a time on, and wait for the player to end.

    Args:
        place: the file, absolute, and the time.
        command: a command line with :data:`PLACEHOLDERS`, or ``auto``: mpv, vlc, or what the
            system plays videos with (which cannot be told the time).
        on_choice: told the name of the player before it starts.

    Raises:
        DataError: the file is not there.
        UsageError: ``command`` cannot be understood.
        C2VError: there is no player, or it failed.
    """
    _check(place.path)
    arguments = _chosen(place) if command == AUTO else filled(command, place)
    if arguments is None:
        on_choice("the system's player, from the beginning")
        os.startfile(place.path)  # type: ignore[attr-defined,unused-ignore]
        return
    on_choice(arguments[0])
    _run(arguments, hint=_EXAMPLE)


def filled(command: str, place: PlayFrom) -> list[str]:
    """The arguments of a play command for one place; the file comes last where it is not named.

    >>> filled("mpv --start={start} {path}", PlayFrom("/a b.mp4", 12.5))
    ['mpv', '--start=12.5', '/a b.mp4']

    Raises:
        UsageError: a placeholder that there is not, an open quote, or no command at all.
    """
    try:
        words = shlex.split(command.replace("\\", "\\\\") if os.name == "nt" else command)
    except ValueError as error:
        raise UsageError(f"--play-command {command}: {error}", hint=_EXAMPLE) from error
    if not words:
        raise UsageError("--play-command is empty", hint=_EXAMPLE)
    values = {
        "{path}": place.path,
        "{uri}": Path(place.path).as_uri(),
        "{start}": seconds_text(place.start),
    }
    for word in _PLACEHOLDER.findall(command):
        if word not in values:
            raise UsageError(
                f"--play-command: {word} means nothing", hint=f"there are {', '.join(PLACEHOLDERS)}"
            )
    if "{path}" not in command and "{uri}" not in command:
        words.append("{path}")
    return [_PLACEHOLDER.sub(lambda found: values[found[0]], word) for word in words]


def seconds_text(seconds: float) -> str:
    """Seconds as players read them: no exponent, no needless digits.

    >>> seconds_text(12.0), seconds_text(0.0625)
    ('12', '0.062')
    """
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _chosen(place: PlayFrom) -> list[str] | None:
    """A player that is here with its arguments; None is the system's own on Windows."""
    start = seconds_text(place.start)
    if shutil.which("mpv"):
        return ["mpv", f"--start={start}", "--", place.path]
    vlc = shutil.which("vlc") or (_VLC_ON_MACOS if Path(_VLC_ON_MACOS).exists() else None)
    if vlc:
        return [vlc, f"--start-time={start}", Path(place.path).as_uri()]
    if sys.platform == "win32":
        return None
    return [_system_opener("no player was found: neither mpv nor vlc nor"), place.path]


def reveal(path: str, *, on_choice: Callable[[str], None]) -> None:
    """Show a file in the file manager, or open its folder where there is no way to point at it.

    Raises:
        DataError: the file is not there.
        C2VError: there is no file manager to be found.
    """
    _check(path)
    if sys.platform == "win32":
        on_choice("explorer")
        subprocess.run(f'explorer /select,"{path}"', check=False)  # its exit code means nothing
        return
    if sys.platform == "darwin":
        on_choice("Finder")
        _run(["open", "-R", "--", path])
        return
    if not _pointed_at(path, on_choice):
        opener = _system_opener("no file manager was found: there is no")
        on_choice(opener)
        _run([opener, str(Path(path).parent)])


def _pointed_at(path: str, on_choice: Callable[[str], None]) -> bool:
    """Whether the desktop's file manager was asked over D-Bus and said yes."""
    if not (os.environ.get("DBUS_SESSION_BUS_ADDRESS") and shutil.which("dbus-send")):
        return False
    asking = [
        "dbus-send", "--session", "--print-reply", "--reply-timeout=3000",
        "--dest=org.freedesktop.FileManager1", "/org/freedesktop/FileManager1",
        "org.freedesktop.FileManager1.ShowItems", f"array:string:{Path(path).as_uri()}", "string:",
    ]  # fmt: skip
    try:
        done = subprocess.run(asking, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    if done.returncode == 0:
        on_choice("the file manager, over D-Bus")
    return done.returncode == 0


def _system_opener(missing: str) -> str:
    name = "open" if sys.platform == "darwin" else "xdg-open"
    if shutil.which(name) is None:
        raise C2VError(f"{missing} {name}", hint=f"install mpv, or {_EXAMPLE}")
    return name


def _check(path: str) -> None:
    if not os.path.exists(path):  # noqa: PTH110 - never raises
        raise DataError(f"{path} is not there", hint="c2v index its folder again, or plug it in")


def _run(arguments: list[str], *, hint: str = "") -> None:
    try:
        code = subprocess.run(arguments, check=False).returncode
    except OSError as error:
        raise C2VError(
            f"{arguments[0]} cannot be started: {error.strerror}", hint=hint or "install it"
        ) from error
    if code:
        raise C2VError(f"{arguments[0]} ended with exit code {code}", hint=hint)

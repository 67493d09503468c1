"""Where c2v keeps things, and the settings of a run.

Folders come from the platform's own conventions (``platformdirs``), or all lie under ``C2V_HOME``.
A setting is looked up in this order: flag, ``C2V_*`` environment variable, ``config.toml``,
default. An unknown key in ``config.toml`` is an error: a typing mistake must not pass unnoticed.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from c2v.errors import C2VError, UsageError
from c2v.files.writing import write_file
from c2v.nearest import hint
from c2v.settings_file import changed, line_of, set_aside, text_of, values_in

CONFIG_FILE_NAME = "config.toml"
ENVIRONMENT_PREFIX = "C2V_"

Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
DecoderName = Literal["auto", "pyav", "decord"]
Strategy = Literal["auto", "exact", "hnsw"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name, what it means, and what it can be; :data:`SETTINGS` has them all."""

    name: str
    meaning: str
    default: str | int
    forms: tuple[str, ...] = ()
    """What its text looks like; capitals stand for something else. None: any text but the empty."""
    is_closed: bool = True
    """Whether anything but ``forms`` is refused here; else by whoever uses it."""
    lowest: int = 0
    highest: int = sys.maxsize

    @property
    def metavar(self) -> str:
        """Its value in a help text."""
        return "|".join(self.forms)

    @property
    def hint(self) -> str:
        """What it can be, in a sentence."""
        if isinstance(self.default, int):
            above = f" and at most {self.highest}" if self.highest < sys.maxsize else ""
            return f"it must be at least {self.lowest}{above}"
        if self.forms:
            return f"choose one of {', '.join(self.forms)}"
        return f"c2v config set {self.name} VALUE"

    def takes(self, value: str | int) -> bool:
        """Whether it can be ``value``, which is of the type of its default."""
        if isinstance(value, int):
            return self.lowest <= value <= self.highest
        if not self.forms or not self.is_closed:
            return bool(value)
        return any(re.fullmatch(form.replace(":N", r":\d+"), value) for form in self.forms)


DEVICES = ("auto", "cpu", "cuda", "cuda:N", "mps")
SETTINGS: dict[str, Setting] = {
    one.name: one
    for one in (
        Setting("model", "the model; auto takes the library's own", "auto"),
        Setting("library", "the library: a name, or a folder", "default"),
        Setting("device", "what the model runs on", "auto", DEVICES),
        Setting(
            "precision", "numbers the tower for pictures computes with", "auto", get_args(Precision)
        ),
        Setting("decoder", "what reads the files", "auto", get_args(DecoderName)),
        Setting(
            "segment",
            "how a video is cut into searchable pieces; auto cuts one of more than 30 s where what "
            "is seen changes",
            "auto",
            ("auto", "whole", "SECONDS", "scene"),
            is_closed=False,
        ),
        Setting(
            "play_command",
            "the player of c2v play; auto is mpv, vlc or the system's, else a command line with "
            "{path}, {uri} and {start}",
            "auto",
        ),
        Setting(
            "strategy",
            "how vectors are searched: all of them (exact) or by a graph (hnsw)",
            "auto",
            get_args(Strategy),
        ),
        Setting(
            "hnsw_m",
            "neighbours of a segment in the graph of --strategy hnsw, which is built again where "
            "it has another number (M of Malkov and Yashunin 2018)",
            16,
            lowest=2,
            highest=128,
        ),
        Setting(
            "hnsw_ef_construction",
            "how much of the graph is looked at while it is built, at least hnsw_m; it is built "
            "again where it had another number (efConstruction)",
            100,
            lowest=2,
        ),
        Setting("hnsw_ef", "how much of the graph is looked at in a search (ef)", 1400, lowest=2),
    )
}
"""Every setting, by name. The command line's help, :class:`Settings` and all checks read it."""


def _folder(kind: Literal["data", "cache", "config"]) -> Path:
    home = os.environ.get("C2V_HOME")
    if home:
        folder = expanded(home, where="C2V_HOME").absolute()
        if not folder.is_dir() and os.path.lexists(folder):
            raise UsageError(
                f"C2V_HOME is {home}, which is not a folder", hint="export C2V_HOME=FOLDER"
            )
        return folder / kind
    import platformdirs

    find = {
        "data": platformdirs.user_data_path,
        "cache": platformdirs.user_cache_path,
        "config": platformdirs.user_config_path,
    }[kind]
    homeless = UsageError(
        "there is no home folder to keep libraries and settings in", hint="export C2V_HOME=FOLDER"
    )
    try:
        folder = find("c2v", appauthor=False)
    except RuntimeError as error:  # neither HOME nor an entry in passwd
        raise homeless from error
    if not folder.is_absolute():  # as older versions of platformdirs say it: "~" stays
        raise homeless
    return folder


def expanded(path: str, *, where: str) -> Path:
    """A path with ``~`` and ``~user`` replaced by home folders.

    Raises:
        UsageError: there is no such home folder, or the text cannot be a path; names ``where``.
    """
    if "\0" in path:
        raise UsageError(f"{where} {path!r} holds a NUL character", hint="no path can hold one")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        user = path.partition("/")[0]
        raise UsageError(
            f"{where} {path}: there is no home folder {user}", hint="write the path out"
        ) from error


def data_dir() -> Path:
    """The folder of libraries and models (not created here)."""
    return _folder("data")


def cache_dir() -> Path:
    """The folder of things that can be deleted at any time (not created here)."""
    return _folder("cache")


def config_dir() -> Path:
    """The folder of ``config.toml`` (not created here)."""
    return _folder("config")


def libraries_dir() -> Path:
    """The folder of libraries that have a name (not created here)."""
    return data_dir() / "libraries"


def models_dir() -> Path:
    """The folder of bundles that were fetched, imported or fine-tuned (not created here)."""
    return data_dir() / "models"


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of all :data:`SETTINGS`, resolved; what each means and can be stands there.

    >>> Settings(**DEFAULTS).strategy
    'auto'

    Raises:
        UsageError: a value that its setting does not take.
    """

    model: str
    library: str
    device: str
    precision: Precision
    decoder: DecoderName
    segment: str
    play_command: str
    strategy: Strategy
    hnsw_m: int
    hnsw_ef_construction: int
    hnsw_ef: int

    def __post_init__(self) -> None:
        for setting in SETTINGS.values():
            value = getattr(self, setting.name)
            if value == "":
                raise UsageError(
                    f"{setting.name} is empty", hint=f"c2v config set {setting.name} VALUE"
                )
            if not setting.takes(value):
                raise UsageError(f"{setting.name} is {value!r}", hint=setting.hint)


DEFAULTS: dict[str, Any] = {setting.name: setting.default for setting in SETTINGS.values()}


def config_path() -> Path:
    """The file of the settings (it need not exist)."""
    return config_dir() / CONFIG_FILE_NAME


def load_settings(**flags: str | int | None) -> Settings:
    """Resolve the settings: flag > ``C2V_*`` variable > ``config.toml`` > default.

    Args:
        flags: settings given on the command line; ``None`` means not given.

    Raises:
        UsageError: an unknown key, or a value that does not fit, naming where it stands.
    """
    values = {key: value for key, (value, _origin) in resolve(**flags).items()}
    settings = Settings(**values)
    # Here and not where one of them is set: the other may be about to follow.
    if settings.hnsw_ef_construction < settings.hnsw_m:
        raise UsageError(
            f"hnsw_ef_construction is {settings.hnsw_ef_construction}, less than hnsw_m, "
            f"{settings.hnsw_m}",
            hint=f"c2v config set hnsw_ef_construction {settings.hnsw_m}",
        )
    return settings


def resolve(**flags: str | int | None) -> dict[str, tuple[Any, str]]:
    """Each setting's value, and where it comes from: ``default``, a file, a variable, a flag.

    Raises:
        UsageError: as :func:`load_settings`.
    """
    found: dict[str, tuple[Any, str]] = {key: (value, "default") for key, value in DEFAULTS.items()}
    path = config_path()
    text = text_of(path)
    for key, value in values_in(text, path).items():
        line = line_of(key, text)
        where = f"{path} line {line}" if line else str(path)
        found[key] = (_convert(key, value, where=where, mend=f"c2v config unset {key}"), str(path))
    for key in SETTINGS:
        variable = ENVIRONMENT_PREFIX + key.upper()
        if given := os.environ.get(variable):
            found[key] = (_convert(key, given, where=variable, mend=f"unset {variable}"), variable)
    for key, flag in flags.items():
        if flag is not None:
            option = "--" + key.replace("_", "-")
            found[key] = (_convert(key, flag, where=option), option)
    return found


def set_config_value(key: str, value: str | None) -> Path:
    """Write one setting to ``config.toml`` (``None`` removes it); other lines stay as they are.

    Returns the path of the file.

    Raises:
        UsageError: an unknown key or a value that does not fit, or the file is broken elsewhere;
            nothing is written.
        C2VError: the file cannot be read or written.
    """
    path = config_path()
    text = text_of(path)
    if value is None:
        if line_of(key, text) is None:
            _check_key(key, where="c2v config unset")
        new = changed(text, key, None)
    else:
        converted = _convert(key, value, where="c2v config set")
        # JSON strings and integers are valid TOML values.
        new = changed(text, key, json.dumps(converted, ensure_ascii=False))
    values_in(new, path)  # what is still broken is said, and not written over
    try:
        write_file(path, new)
    except OSError as error:
        raise C2VError(
            f"{path} cannot be written: {error.strerror}",
            hint="check the folder's permissions and room, or export C2V_HOME=FOLDER",
        ) from error
    return path


def reset_config() -> Path | None:
    """Begin with the defaults again; where the old file is kept, None where there was none.

    Raises:
        C2VError: it cannot be moved away.
    """
    return set_aside(config_path())


def _check_key(key: str, *, where: str, mend: str = "") -> None:
    if key not in SETTINGS:
        known = f"settings are {', '.join(SETTINGS)}"
        raise UsageError(
            f"unknown setting {key!r} ({where})",
            hint=hint(key, SETTINGS, f"{mend}; {known}" if mend else known),
        )


def _convert(key: str, value: object, *, where: str, mend: str = "") -> str | int:
    """The value in the type of the setting; text from outside may hold an integer.

    ``where`` it stands is named if it does not fit, and so is the command that mends it.
    """
    _check_key(key, where=where, mend=mend)
    setting = SETTINGS[key]
    converted = _of_type(setting, value)
    is_option = where.startswith("--")
    name, place = (where, "") if is_option else (key, f" ({where})")
    otherwise = f"{mend}, or " if mend else ""
    if converted is None:
        kind = "an integer" if isinstance(setting.default, int) else "text, in UTF-8, without NUL"
        raise UsageError(f"{name} is {value!r}{place}", hint=f"{otherwise}{key} takes {kind}")
    if converted == "":
        raise UsageError(f"{name} is empty{place}", hint=f"c2v config set {key} VALUE")
    if not setting.takes(converted):
        raise UsageError(
            f"{name} is {converted!r}{place}",
            hint=hint(str(converted), setting.forms, f"{otherwise}{setting.hint}"),
        )
    return converted


def _of_type(setting: Setting, value: object) -> str | int | None:
    """The value as text or integer, as the setting has it; None where it cannot be one."""
    if isinstance(setting.default, int):
        if isinstance(value, str) and re.fullmatch(r"\d+", value.strip()):
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    return value if isinstance(value, str) and _is_text(value) else None


def _is_text(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)

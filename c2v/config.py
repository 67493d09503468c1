"""Where c2v keeps things, and the settings of a run.

Folders come from the platform's own conventions (``platformdirs``), or all lie under ``C2V_HOME``.
A setting is looked up in this order: flag, ``C2V_*`` environment variable, ``config.toml``,
default. An unknown key in ``config.toml`` is an error: a typing mistake must not pass unnoticed.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from c2v.errors import C2VError, UsageError
from c2v.files.writing import write_file

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
    values = dict(DEFAULTS)
    for key, value in _read_file(config_path()).items():
        values[key] = _convert(key, value, where=str(config_path()))
    for key in SETTINGS:
        variable = ENVIRONMENT_PREFIX + key.upper()
        if os.environ.get(variable):
            values[key] = _convert(key, os.environ[variable], where=variable)
    for key, flag in flags.items():
        if flag is not None:
            values[key] = _convert(key, flag, where="--" + key.replace("_", "-"))
    settings = Settings(**values)
    # Here and not where one of them is set: the other may be about to follow.
    if settings.hnsw_ef_construction < settings.hnsw_m:
        raise UsageError(
            f"hnsw_ef_construction is {settings.hnsw_ef_construction}, less than hnsw_m, "
            f"{settings.hnsw_m}",
            hint=f"c2v config set hnsw_ef_construction {settings.hnsw_m}",
        )
    return settings


def set_config_value(key: str, value: str | None) -> Path:
    """Write one setting to ``config.toml`` (``None`` removes it); other lines stay as they are.

    Returns the path of the file.

    Raises:
        UsageError: an unknown key or a value that does not fit; nothing is written.
        C2VError: the file cannot be read or written.
    """
    path = config_path()
    _check_key(key, where="c2v config set")
    lines = [line for line in _text(path).splitlines() if not re.match(rf"\s*{key}\s*=", line)]
    if value is not None:
        converted = _convert(key, value, where="c2v config set")
        Settings(**{**DEFAULTS, key: converted})
        # JSON strings and integers are valid TOML values.
        lines.append(f"{key} = {json.dumps(converted, ensure_ascii=False)}")
    try:
        write_file(path, "".join(line + "\n" for line in lines))
    except OSError as error:
        raise C2VError(
            f"{path} cannot be written: {error.strerror}",
            hint="check the folder's permissions and room, or export C2V_HOME=FOLDER",
        ) from error
    return path


def _text(path: Path) -> str:
    """What stands in the file; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise C2VError(
            f"{path} cannot be read: {error.strerror}",
            hint="it holds the settings: make it a file that you can read, or remove it",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8 text (byte {error.start})", hint=f"edit {path}"
        ) from error


def _read_file(path: Path) -> dict[str, object]:
    text = _text(path)
    if not text:
        return {}
    # The standard library has it from 3.11 on; before that the same reader is named tomli.
    reader = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        content: dict[str, object] = reader.loads(text)
    except ValueError as error:  # TOMLDecodeError is a kind of it
        raise UsageError(f"{path} is not valid TOML: {error}", hint=f"edit {path}") from error
    for key in content:
        _check_key(key, where=str(path))
    return content


def _check_key(key: str, *, where: str) -> None:
    if key not in SETTINGS:
        raise UsageError(
            f"unknown setting {key!r} ({where})", hint=f"settings are {', '.join(SETTINGS)}"
        )


def _convert(key: str, value: object, *, where: str) -> str | int:
    """The value in the type of the setting; text from the environment may hold an integer."""
    _check_key(key, where=where)
    wanted = type(SETTINGS[key].default)
    if wanted is int and isinstance(value, str) and re.fullmatch(r"\d+", value.strip()):
        return int(value)
    if wanted is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if wanted is not int and isinstance(value, str) and _is_text(value):
        return value
    kind = "an integer" if wanted is int else "text, in UTF-8 and without NUL"
    raise UsageError(f"{key} is {value!r} ({where})", hint=f"{key} takes {kind}")


def _is_text(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)

"""Where c2v keeps things, and the settings of a run.

Folders come from the platform's own conventions (``platformdirs``), or all lie under ``C2V_HOME``.
A setting is looked up in this order: flag, ``C2V_*`` environment variable, ``config.toml``,
default. An unknown key in ``config.toml`` is an error: a typing mistake must not pass unnoticed.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args, get_type_hints

from c2v.errors import UsageError

CONFIG_FILE_NAME = "config.toml"
ENVIRONMENT_PREFIX = "C2V_"

Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
DecoderName = Literal["auto", "pyav", "decord"]
Strategy = Literal["auto", "exact", "hnsw"]

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_CHOICES: dict[str, tuple[str, ...]] = {
    "precision": get_args(Precision),
    "decoder": get_args(DecoderName),
    "strategy": get_args(Strategy),
}


def _folder(kind: Literal["data", "cache", "config"]) -> Path:
    home = os.environ.get("C2V_HOME")
    if home:
        return Path(home).expanduser().absolute() / kind
    import platformdirs

    find = {
        "data": platformdirs.user_data_path,
        "cache": platformdirs.user_cache_path,
        "config": platformdirs.user_config_path,
    }[kind]
    return find("c2v", appauthor=False)


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
    """The settings that can stand in ``config.toml``, resolved.

    ``hnsw_*`` are the parameters of the approximate index (hnswlib's M, ef_construction, ef).

    Raises:
        UsageError: a value that is not one of the choices.
    """

    model: str = "auto"
    library: str = "default"
    device: str = "auto"
    precision: Precision = "auto"
    decoder: DecoderName = "auto"
    segment: str = "auto"
    strategy: Strategy = "auto"
    hnsw_m: int = 16
    hnsw_ef_construction: int = 200
    hnsw_ef: int = 200

    def __post_init__(self) -> None:
        for key, choices in _CHOICES.items():
            value = getattr(self, key)
            if value not in choices:
                raise UsageError(f"{key} is {value!r}", hint=f"choose one of {', '.join(choices)}")
        if not _DEVICE.fullmatch(self.device):
            raise UsageError(
                f"device is {self.device!r}", hint="choose auto, cpu, cuda, cuda:N or mps"
            )
        for key in ("model", "library", "segment"):
            if not getattr(self, key):
                raise UsageError(f"{key} is empty", hint=f"c2v config set {key} VALUE")
        for key in ("hnsw_m", "hnsw_ef_construction", "hnsw_ef"):
            if getattr(self, key) < 2:
                raise UsageError(f"{key} is {getattr(self, key)}", hint="it must be at least 2")


SETTING_NAMES: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Settings))


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
    values: dict[str, str | int] = {}
    for key, value in _read_file(config_path()).items():
        values[key] = _convert(key, value, where=str(config_path()))
    for key in SETTING_NAMES:
        variable = ENVIRONMENT_PREFIX + key.upper()
        if os.environ.get(variable):
            values[key] = _convert(key, os.environ[variable], where=variable)
    for key, flag in flags.items():
        if flag is not None:
            values[key] = _convert(key, flag, where="--" + key.replace("_", "-"))
    return Settings(**values)  # type: ignore[arg-type]


def set_config_value(key: str, value: str | None) -> Path:
    """Write one setting to ``config.toml`` (``None`` removes it); other lines stay as they are.

    Returns the path of the file.

    Raises:
        UsageError: an unknown key or a value that does not fit; nothing is written.
    """
    path = config_path()
    _check_key(key, where="c2v config set")
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = [line for line in text.splitlines() if not re.match(rf"\s*{key}\s*=", line)]
    if value is not None:
        converted = _convert(key, value, where="c2v config set")
        Settings(**{key: converted})  # type: ignore[arg-type]
        # JSON strings and integers are valid TOML values.
        lines.append(f"{key} = {json.dumps(converted, ensure_ascii=False)}")
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=".config-", delete=False, encoding="utf-8"
    ) as file:
        file.write("".join(line + "\n" for line in lines))
    Path(file.name).replace(path)
    return path


def _read_file(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    # The standard library has it from 3.11 on; before that the same reader is named tomli.
    reader = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        content: dict[str, object] = reader.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are kinds of it
        raise UsageError(f"{path} is not valid TOML: {error}", hint=f"edit {path}") from error
    for key in content:
        _check_key(key, where=str(path))
    return content


def _check_key(key: str, *, where: str) -> None:
    if key not in SETTING_NAMES:
        raise UsageError(
            f"unknown setting {key!r} ({where})", hint=f"settings are {', '.join(SETTING_NAMES)}"
        )


def _convert(key: str, value: object, *, where: str) -> str | int:
    """The value in the type of the setting; text from the environment may hold an integer."""
    _check_key(key, where=where)
    wanted = get_type_hints(Settings)[key]
    if wanted is int and isinstance(value, str) and re.fullmatch(r"\d+", value.strip()):
        return int(value)
    if wanted is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if wanted is not int and isinstance(value, str):
        return value
    kind = "an integer" if wanted is int else "text"
    raise UsageError(f"{key} is {value!r} ({where})", hint=f"{key} takes {kind}")

"""Changing a setting: checked by whoever reads it, before it is written."""

from __future__ import annotations

from pathlib import Path

from c2v.config import SETTINGS, set_config_value
from c2v.errors import UsageError
from c2v.nearest import one_of


def change_setting(name: str, value: str | None) -> Path:
    """Write one setting to ``config.toml`` (``None`` removes it); returns the file's path.

    Raises:
        UsageError: an unknown name, or a value that a later command would refuse; nothing is
            written.
        C2VError: the file cannot be read or written.
    """
    if name == "segment" and value:
        from c2v.media.segments import SegmentMode

        try:
            SegmentMode.parse(value)
        except UsageError as error:
            auto = SETTINGS[name].default
            raise UsageError(error.message, hint=f"c2v config set {name} {auto}") from error
    return set_config_value(name, value)


def check_name(name: str) -> None:
    """Raises UsageError where no setting has that name; the nearest one is named."""
    if name not in SETTINGS:
        raise UsageError(f"there is no setting {name!r}", hint=one_of(name, SETTINGS))

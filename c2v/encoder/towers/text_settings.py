"""Sizes of a text tower as they stand in ``text.settings`` of a bundle, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar

from c2v.errors import ModelError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Made = TypeVar("Made", bound="DataclassInstance")


def from_text_settings(kind: type[Made], settings: Mapping[str, Any]) -> Made:
    """A dataclass of plain values out of its fields by name.

    Raises:
        ModelError: a field is missing or unknown.
    """
    known = {field.name: field.default for field in fields(kind)}
    missing = {name for name, default in known.items() if default is MISSING} - set(settings)
    wrong = sorted(missing | (set(settings) - set(known)))
    if wrong:
        problem = "missing" if wrong[0] in known else "unknown"
        raise ModelError(f"text.settings: {problem} field {wrong[0]}")
    return kind(**settings)


def to_text_settings(shape: DataclassInstance) -> dict[str, Any]:
    """Its fields by name. Those that have their default are left out, so that the settings, and
    with them the fingerprint, of a bundle stay what they were when a field is added."""
    found = {field.name: (getattr(shape, field.name), field.default) for field in fields(shape)}
    return {name: value for name, (value, default) in found.items() if value != default}

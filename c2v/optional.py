"""The parts of c2v that are installed only on demand, each met here and nowhere else.

A wish for a part that is missing is an error that says what is missing and the command that brings
it. Only what was left to c2v (``auto``) may be done another way; it says so with :func:`remark`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from c2v.errors import MissingPartError


@dataclass(frozen=True, slots=True)
class OptionalPart:
    """An optional package: what it is called, and the extra that brings it."""

    title: str
    extra: str
    note: str = ""


PARTS: Final = {
    "torch": OptionalPart("PyTorch", "clip"),
    "open_clip": OptionalPart("open_clip", "clip"),
    "hnswlib": OptionalPart("hnswlib", "hnsw", "it has no wheels and takes a C++ compiler"),
    "decord": OptionalPart("decord", "decord", "it has wheels for x86-64 Linux and Windows only"),
    "PIL": OptionalPart("Pillow", "clip"),
    "tokenizers": OptionalPart("tokenizers", "tokenizers"),
    "matplotlib": OptionalPart("matplotlib", "train"),
    "tensorboard": OptionalPart("tensorboard", "train"),
}
"""By the name under which they are imported."""


def has(*modules: str) -> bool:
    """Whether these parts are installed; nothing is imported."""
    return all(
        sys.modules[module] is not None if module in sys.modules else find_spec(module) is not None
        for module in modules
    )


def require(wish: str, *modules: str) -> None:
    """Check that the parts a wish takes are here, before any work is done for it.

    >>> require("--strategy hnsw", "json")

    Raises:
        MissingPartError: one is missing.
    """
    missing = [module for module in modules if not has(module)]
    if missing:
        raise missing_part(wish, missing)


def missing_import(error: Exception) -> MissingPartError | None:
    """The error to show for an import that failed for want of an optional part."""
    module = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or module not in PARTS:
        return None
    return missing_part("this", [module])


def missing_part(wish: str, modules: list[str]) -> MissingPartError:
    """The error for a wish that takes parts that are not installed."""
    parts = [PARTS[module] for module in modules]
    names = " and ".join(part.title for part in parts)
    verb = "is" if len(parts) == 1 else "are"
    return MissingPartError(
        f"{wish} needs {names}, which {verb} not installed", hint=how_to_get(*modules)
    )


def remark(gain: str, *modules: str) -> str:
    """A line about what c2v chose because a part is missing, and how to change that."""
    names = " and ".join(PARTS[module].title for module in modules if not has(module))
    return f"{gain} without {names}; to change that: {how_to_get(*modules)}"


def how_to_get(*modules: str) -> str:
    """The command that installs parts of one extra, for this installation of c2v."""
    parts = [PARTS[module] for module in modules]
    notes = "; ".join(dict.fromkeys(part.note for part in parts if part.note))
    command = install_command(parts[0].extra)
    return f"{command}  ({notes})" if notes else command


def install_command(extra: str) -> str:
    """The command that adds an extra to this installation of c2v."""
    from c2v.installation import this_installation

    return this_installation().command(extra)


def upgrade_hint() -> str:
    """How to come by a newer c2v."""
    from c2v.installation import this_installation

    return this_installation().upgrade()

"""What a model can be called: a folder name on every system, and never two that differ in case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from c2v.errors import UsageError

LONGEST_NAME: Final = 100
_PART: Final = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
_OWN: Final = re.compile(_PART)
_ANY: Final = re.compile(rf"{_PART}(/{_PART})?")
_STANDS_FOR_SLASH: Final = "--"
# Windows opens a device for these, whatever comes after the first dot.
_DEVICES: Final = frozenset({"con", "prn", "aux", "nul"}) | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(10)
}
_RULE: Final = (
    f"a name is up to {LONGEST_NAME} letters, digits, dots, single dashes, underscores and plus "
    "signs, begins with a letter or digit and does not end with a dot"
)


def is_name(text: str) -> bool:
    """Whether a bundle can be called that, fetched ones (``ARCHITECTURE/TAG``) included."""
    return len(text) <= 2 * LONGEST_NAME and _ANY.fullmatch(text) is not None


def check_bundle_name(name: str) -> str:
    """``name`` itself when it can name a bundle made by a user.

    Raises:
        UsageError: it cannot, on this system or on another one.
    """
    if name == "auto" or _is_device(name):
        kept = "by c2v" if name == "auto" else "by Windows"
        raise UsageError(f"{name!r} cannot name a model: that word is kept {kept}", hint=_RULE)
    if not _is_legal(name):
        shown = name if len(name) <= LONGEST_NAME else f"{name[:40]}... ({len(name)} characters)"
        raise UsageError(f"{shown!r} cannot name a model", hint=_RULE)
    return name


def name_from(text: str) -> str:
    """A legal name that looks like ``text``, such as the name of a file.

    >>> name_from("Frühling 2024 (final)."), name_from("con"), name_from("字幕")
    ('Fruhling-2024-final', 'model-con', 'model')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9._+-]+", "-", plain)
    words = re.sub(r"-{2,}", "-", words)[: LONGEST_NAME - 10]  # room for a number
    name = words.lstrip("._+-").rstrip(".-_+") or "model"
    return f"model-{name}" if name == "auto" or _is_device(name) else name


def same_but_for_case(name: str, names: Iterable[str]) -> str | None:
    """The name among ``names`` that is ``name`` on a system which does not tell case apart."""
    folded = name.casefold()
    return next((other for other in names if other.casefold() == folded), None)


def _is_legal(name: str) -> bool:
    return (
        len(name) <= LONGEST_NAME
        and _OWN.fullmatch(name) is not None
        and not name.endswith(".")
        and _STANDS_FOR_SLASH not in name
    )


def _is_device(name: str) -> bool:
    return name.partition(".")[0].casefold() in _DEVICES

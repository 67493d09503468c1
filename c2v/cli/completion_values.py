"""The values that an option or argument can have, by its kind: names, settings, indexed paths.

The kind is read off the parameter: its name where that says it, what stands for its value in the
help, or its type. Where this module has nothing, the shell offers files.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2v.cli.help_rows import choices_of
from c2v.config import SETTINGS, load_settings

if TYPE_CHECKING:
    from c2v.cli.typed_words import Typed

Found = list[tuple[str, str]]
_MOST = 200
"""Names of one folder; nobody reads more."""
_INDEXED = {"PATH-GLOB", "VIDEO", "FILE[@TIME]", "FILE[@FROM-TO]", "VIDEO[@TIME]"}


def values_of(typed: "Typed", param: Any, incomplete: str) -> Found:
    """What a parameter can be, as far as that can be listed; a few words beside each.

    Raises:
        C2VError: the settings are broken.
        sqlite3.Error: the library is.
    """
    kinds = {part for part in re.split(r"\|", param.metavar or "") if part}
    in_group = typed.path[:1] if param.param_type_name == "argument" else []
    if param.name == "library" or in_group == ["library"]:
        return _libraries()
    if param.name in ("model", "models") or (in_group == ["model"] and "NAME" in kinds):
        return _models(typed)
    if "SETTING" in kinds:
        return [(one.name, one.meaning) for one in SETTINGS.values()]
    if typed.path == ["config", "set"] and param.name == "value":
        return _values_of_setting(typed)
    if param.name == "data":
        from c2v.evaluation.datasets.benchmarks import BENCHMARKS

        return _bare(BENCHMARKS)
    if "TAG" in kinds:
        from c2v.library.sqlite.glance import tag_names

        return _bare(tag_names(_folder(typed)))
    if "EXT" in kinds:
        from c2v.media.scan import VIDEO_EXTENSIONS

        return _bare(VIDEO_EXTENSIONS)
    if kinds & _INDEXED or ("PATH" in kinds and not _is_on_disk(param)):
        return _bare(indexed_paths(_folder(typed), incomplete))
    return _bare(choices_of(param))


def _bare(names: Iterable[str]) -> Found:
    return [(name, "") for name in names]


def _libraries() -> Found:
    from c2v.library.sqlite.glance import named_libraries

    return _bare(named_libraries())


def _models(typed: "Typed") -> Found:
    from c2v.encoder.registry import DEFAULT_NAME, bundle_names

    names = bundle_names()
    if typed.path == ["model", "pull"]:
        names = [DEFAULT_NAME]
    if typed.path == ["model", "use"]:
        names = ["auto", *names]
    return _bare(names)


def _values_of_setting(typed: "Typed") -> Found:
    setting = SETTINGS.get("".join(typed.arguments[:1]))
    if setting is None:
        return []
    if setting.name in ("library", "model"):
        names = _libraries() if setting.name == "library" else _models(typed)
        return [*_bare([str(setting.default)]), *names]
    return _bare(form for form in setting.forms if form.islower())


def _is_on_disk(param: Any) -> bool:
    """Whether a PATH is one of the disk; else it is one of the library."""
    return "Path" in str(getattr(getattr(param, "type_descriptor", None), "annotation", ""))


def _folder(typed: "Typed") -> Path:
    from c2v.library.addresses import library_folder

    return library_folder(load_settings(library=typed.options.get("library")).library)


def indexed_paths(folder: Path, incomplete: str) -> list[str]:
    """Paths of the library that begin so, down to the next folder; as they were begun.

    With nothing typed: those below the current folder, else what all of them have in common.
    """
    from c2v.library.sqlite.glance import next_names

    written, slash, beginning = incomplete.rpartition(os.sep)
    place = os.path.expanduser(written + slash) or "."  # noqa: PTH111
    below = os.path.join(os.path.abspath(place), "")  # noqa: PTH100, PTH118
    names = next_names(folder, below, beginning, most=_MOST)
    if names or incomplete:
        return [written + slash + name for name in names]
    below = os.path.abspath(os.sep)  # noqa: PTH100
    while len(names := next_names(folder, below, "", most=2)) == 1 and names[0].endswith(os.sep):
        below += names[0]
    return [below + name for name in next_names(folder, below, "", most=_MOST)]

"""Typer's help without the parts of rich that c2v's help never uses.

``typer.rich_utils`` imports a Markdown parser and a syntax highlighter at its top: a quarter of the
time of ``c2v --help``. c2v writes its help in rich's own markup and leaves exceptions to Python,
so neither can ever be called; while the module is imported, classes that refuse to be used stand
in their place.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

_UNUSED = {"rich.markdown": "Markdown", "rich.traceback": "Traceback"}


def import_help() -> None:
    """Import what Typer prints help with; does nothing where that has happened already."""
    if "typer.rich_utils" in sys.modules:
        return
    absent = {name: kind for name, kind in _UNUSED.items() if name not in sys.modules}
    try:
        for name, kind in absent.items():
            module = ModuleType(name)
            setattr(module, kind, type(kind, (_Refuses,), {}))
            sys.modules[name] = module
        if importlib.util.find_spec("typer.rich_utils"):  # a private part of Typer: it may move
            importlib.import_module("typer.rich_utils")
    finally:
        for name in absent:
            sys.modules.pop(name, None)  # whoever asks from now on gets the real one


class _Refuses:
    def __init__(self, *_arguments: Any, **_options: Any) -> None:
        raise RuntimeError(f"{type(self).__name__} is not part of c2v's help")

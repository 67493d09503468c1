"""Reading a pickle of plain lists, tables and strings without running what else it may hold."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from c2v.errors import DataError
from c2v.files.reading import open_plain


class _PlainUnpickler(pickle.Unpickler):
    """Refuses every name: a pickle can otherwise call any function of this Python."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it wants to run {module}.{name}")


def load_plain(file: Path) -> Any:
    """What a pickle of built-in types holds.

    Raises:
        DataError: it cannot be read, is damaged, or holds anything but built-in types.
    """
    try:
        with open_plain(file) as stream:
            return _PlainUnpickler(stream, encoding="bytes").load()
    except Exception as error:  # a stranger's bytes: the parser lets all kinds through
        raise DataError(
            f"{file} cannot be read as plain data: {error}", hint="take the official file"
        ) from error

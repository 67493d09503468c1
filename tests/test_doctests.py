"""Every example in a docstring of c2v is run and shows what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import c2v
from c2v.optional import PARTS, has


def _modules() -> list[str]:
    found = pkgutil.walk_packages(c2v.__path__, "c2v.")
    named = ["c2v", *(module.name for module in found if module.name != "c2v.__main__")]
    return [name for name in named if ">>> " in _source(name)]


def _source(name: str) -> str:
    path = Path(c2v.__path__[0]).joinpath(*name.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", _modules())
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name in PARTS and not has(error.name):
            pytest.skip(f"{error.name} is not installed")
        raise
    done = doctest.testmod(module)
    assert done.attempted
    assert done.failed == 0

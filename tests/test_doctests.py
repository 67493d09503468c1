"""Every example in a docstring of c2v is run."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def _modules() -> list[str]:
    files = sorted((ROOT / "c2v").rglob("*.py"))
    with_examples = [file for file in files if ">>> " in file.read_text(encoding="utf-8")]
    dotted = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in with_examples]
    return [name.removesuffix(".__init__") for name in dotted]


@pytest.mark.parametrize("name", _modules())
def test_examples_do_what_they_say(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"an optional part is not installed: {error}")
    done = doctest.testmod(module, optionflags=FLAGS)
    assert done.attempted, f"the examples of {name} are not in docstrings, so nobody runs them"
    assert done.failed == 0, "see the output above"

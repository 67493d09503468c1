"""The optional parts: what is missing, and how this installation comes by it."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from c2v.errors import MissingPartError
from c2v.installation import Installation, this_installation
from c2v.optional import PARTS, has, missing_import, remark, require

ROOT = Path(__file__).parents[1]


@pytest.fixture
def no_hnswlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hnswlib", None)  # as if it were not installed


def test_a_missing_part_is_named_with_the_command_that_brings_it(no_hnswlib: None) -> None:
    assert has("json")
    assert not has("json", "hnswlib")
    require("a wish", "json")
    with pytest.raises(MissingPartError) as caught:
        require("--strategy hnsw", "hnswlib")
    assert caught.value.message == "--strategy hnsw needs hnswlib, which is not installed"
    assert caught.value.exit_code == 1
    assert shlex.quote(f"{ROOT}[hnsw]") in caught.value.hint
    assert "C++ compiler" in caught.value.hint
    assert remark("slow", "hnswlib").startswith("slow without hnswlib; to change that: ")


def test_an_import_that_nobody_guarded_is_the_same_error(no_hnswlib: None) -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        __import__("hnswlib.sub")
    found = missing_import(caught.value)
    assert found is not None
    assert found.message == "this needs hnswlib, which is not installed"
    assert missing_import(ModuleNotFoundError("no", name="something_else")) is None
    assert missing_import(OSError("no")) is None


def test_every_part_is_in_an_extra_that_exists() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = set(re.findall(r"^(\w+) = \[", project, re.MULTILINE))
    assert {part.extra for part in PARTS.values()} <= extras


CASES = {
    "/venv/bin/python -m pip install -e '/my checkout[clip]'": Installation(
        folder=Path("/my checkout"), editable=True, python="/venv/bin/python"
    ),
    "py -m pip install '/c2v[clip]'": Installation(folder=Path("/c2v"), python="py"),
    "pipx install --force --editable '/c2v[clip]'": Installation(
        folder=Path("/c2v"), editable=True, tool="pipx"
    ),
    "uv tool install --force '/c2v[clip]'": Installation(folder=Path("/c2v"), tool="uv tool"),
    "uv pip install --python py -e '/c2v[clip]'": Installation(
        folder=Path("/c2v"), editable=True, tool="uv", python="py"
    ),
    "py -m pip install 'c2v[clip] @ git+https://example.org/c2v@abc'": Installation(
        address="git+https://example.org/c2v@abc", python="py"
    ),
    "pipx install --force 'c2v[clip] @ file:///c2v.whl'": Installation(
        address="file:///c2v.whl", tool="pipx"
    ),
    "py -m pip install 'torch>=2' open_clip_torch": Installation(python="py"),
    "pipx inject c2v 'torch>=2' open_clip_torch": Installation(tool="pipx"),
    "uv pip install --python py 'torch>=2' open_clip_torch": Installation(
        tool="uv tool", python="py"
    ),
}


@pytest.mark.skipif(sys.platform == "win32", reason="quoted for a POSIX shell")
@pytest.mark.parametrize("command", CASES)
def test_the_command_for_each_way_of_installing(command: str) -> None:
    """Never a bare `pip install c2v`: c2v itself is on no index."""
    case = CASES[command]
    requirements = {"clip": ("torch>=2", "open_clip_torch")}
    case = Installation(
        tool=case.tool, python=case.python, folder=case.folder, editable=case.editable,
        address=case.address, requirements=requirements,
    )  # fmt: skip
    assert case.command("clip") == command


def test_here_c2v_runs_in_its_checkout() -> None:
    here = this_installation()
    assert here.folder == ROOT
    assert here.editable
    assert str(ROOT) in here.upgrade()

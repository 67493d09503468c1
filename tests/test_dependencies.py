"""Whatever c2v imports is declared, and what it always imports is not left to an extra."""

from __future__ import annotations

import ast
import functools
import re
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from c2v.optional import PARTS

ROOT = Path(__file__).parents[1]
tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")


def imported() -> dict[str, list[str]]:
    """Packages that c2v's modules import outside of type checking, and where."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "c2v").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typing_only = {
            id(node)
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
            for node in ast.walk(block)
        }
        for node in ast.walk(tree):
            if id(node) in typing_only:
                continue
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            for name in names:
                found.setdefault(name.partition(".")[0], []).append(path.name)
    own = {"c2v", "__future__", *sys.stdlib_module_names}
    return {name: where for name, where in found.items() if name not in own}


def normal(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[ <>=!~;\[(]", requirement)[0]).lower()


@functools.cache
def homes() -> dict[str, set[str]]:
    """Which distributions bring each importable name (3.10's own table lacks most of them)."""
    found: dict[str, set[str]] = {}
    for one in distributions():
        home = normal(one.metadata["Name"])
        for name in {file.parts[0].partition(".")[0] for file in one.files or ()}:
            found.setdefault(name, set()).add(home)
    return found


def project() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return content["project"]


def test_every_import_is_declared() -> None:
    declared = {normal(one) for one in project()["dependencies"]}
    extras = {normal(one) for many in project()["optional-dependencies"].values() for one in many}
    brought_by = homes()
    for name, where in imported().items():
        known = brought_by.get(name, {normal(name)}) & (declared | extras)
        assert known, f"{name} ({', '.join(sorted(set(where)))})"


def test_optional_parts_are_told_where_they_are_missed() -> None:
    """What only an extra brings is a part that c2v.optional knows, or the demo's and the tests'."""
    declared = {normal(one) for one in project()["dependencies"]}
    brought_by = homes()
    only_extra = {
        name for name in imported() if not brought_by.get(name, {normal(name)}) & declared
    }
    assert only_extra <= set(PARTS) | {"tomli", "torchvision"}, only_extra - set(PARTS)

"""What is in the wheel, and what is not."""

from __future__ import annotations

import re
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WEIGHTS = ("mini/image.onnx", "mini/text.safetensors", "mini/vocab.txt", "mini/config.json",
           "clip_merges.safetensors")  # fmt: skip
COMPLETIONS = {
    "bash-completion/completions/c2v": "c2v.bash",
    "zsh/site-functions/_c2v": "_c2v",
    "fish/vendor_completions.d/c2v.fish": "c2v.fish",
    "c2v/completions/c2v.ps1": "c2v.ps1",
    "man/man1/c2v.1": "c2v.1",
}


@pytest.fixture(scope="module")
def inside(wheel: Path) -> dict[str, bytes]:
    """Names in the wheel, without the version, and what is in them."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            re.sub(r"^c2v-[^/]+\.(dist-info|data)/", r"\1/", name): archive.read(name)
            for name in archive.namelist()
        }


def test_every_file_of_the_package_and_no_other(inside: dict[str, bytes]) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "c2v"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    package = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    assert {name for name in inside if name.startswith("c2v/")} == package
    tops = {name.partition("/")[0] for name in inside}
    assert tops == {"c2v", "data", "dist-info"}, "neither tests nor the maker's tool"


def test_weights_and_the_mark_of_types_are_inside(inside: dict[str, bytes]) -> None:
    for name in WEIGHTS:
        file = f"c2v/encoder/weights/{name}"
        assert inside[file] == (ROOT / file).read_bytes()
    assert "c2v/py.typed" in inside


def test_completions_go_where_shells_look(inside: dict[str, bytes]) -> None:
    found = {name for name in inside if name.startswith("data/")}
    assert found == {f"data/data/share/{name}" for name in COMPLETIONS}
    for name, file in COMPLETIONS.items():
        assert inside[f"data/data/share/{name}"] == (ROOT / "completions" / file).read_bytes()


def test_licence_and_commands(inside: dict[str, bytes]) -> None:
    for name in ("LICENSE", "NOTICE"):
        assert inside[f"dist-info/licenses/{name}"] == (ROOT / name).read_bytes()
    assert b"c2v = c2v.__main__:main" in inside["dist-info/entry_points.txt"]
    assert b"License-Expression: Apache-2.0" in inside["dist-info/METADATA"]

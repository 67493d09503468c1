"""What holds for the project as a whole: start-up, completions, the README's lines."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {
    "torch", "torchvision", "open_clip", "av", "decord", "onnxruntime", "hnswlib", "PIL",
    "huggingface_hub", "numpy", "sqlite3", "ray", "fastapi",
}  # fmt: skip


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=os.environ | environment,
        cwd=ROOT,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["index", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys; from c2v.cli.app import run; run(sys.argv[1:]); "
        "print(*sys.modules, file=sys.stderr)"
    )
    modules = set(run("-c", script, *arguments).stderr.split())
    assert "c2v.cli.index" in modules
    assert modules & HEAVY == set()


@pytest.mark.parametrize("room", ["media", "encoder", "library", "indexing", "search", "training"])
def test_importing_a_room_imports_nothing_heavy(room: str) -> None:
    done = run("-c", f"import sys, c2v.{room}; print(*sys.modules)")
    assert set(done.stdout.split()) & (HEAVY - {"numpy", "sqlite3"}) == set()


@pytest.mark.parametrize(
    ("shell", "file"),
    [("bash", "c2v.bash"), ("zsh", "_c2v"), ("fish", "c2v.fish"), ("powershell", "c2v.ps1")],
)
def test_completions_have_not_drifted(shell: str, file: str) -> None:
    fresh = run("-m", "c2v", _C2V_COMPLETE=f"source_{shell}").stdout
    assert fresh == (ROOT / "completions" / file).read_text(), (
        f"regenerate: _C2V_COMPLETE=source_{shell} c2v > completions/{file}"
    )


def test_the_page_of_the_manual_has_not_drifted() -> None:
    fresh = run("-m", "c2v.cli.man_page").stdout
    assert fresh == (ROOT / "completions" / "c2v.1").read_text(encoding="utf-8"), (
        "regenerate: python -m c2v.cli.man_page > completions/c2v.1"
    )


def test_completion_completes_commands_and_options() -> None:
    def complete(line: str, position: int) -> list[str]:
        done = run(
            "-m", "c2v", _C2V_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(position)
        )
        return done.stdout.split()

    assert complete("c2v se", 1) == ["search"]
    assert "--moments" in complete("c2v search --m", 2)


def test_ci_runs_the_lines_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)
    assert [line.split()[-1] for line in lines] == ["demo", "pytest"]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert [line for line in map(str.strip, script.splitlines()) if line in lines] == lines
    assert script.splitlines()[-1] == lines[1]


def test_ci_installs_exact_versions_from_anywhere() -> None:
    """No address and no path of the machine they were written down on."""
    text = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    exact = re.compile(r'[a-z0-9-]+==[0-9][0-9a-z.]*(; python_version (<|==|>=) "3\.\d+")?')
    assert [line for line in lines if not exact.fullmatch(line)] == []
    assert {"torch", "torchvision", "av"} <= {line.partition("==")[0] for line in lines}


def test_no_path_of_a_developer_in_the_project() -> None:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    for name in done.stdout.splitlines():
        if name.endswith((".py", ".md", ".toml", ".json")) and name != "tests/test_project.py":
            text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
            assert not re.search(r"/work/(main|shared)|/root/", text), name


def test_a_class_has_a_name_of_its_own() -> None:
    """Whoever reads `Part` or `Opened` is to know which one is meant; a face's own are private."""
    places: dict[str, list[str]] = {}
    for file in sorted((ROOT / "c2v").rglob("*.py")):
        room = file.relative_to(ROOT / "c2v").parts[0]
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and room != "cli":
                places.setdefault(node.name, []).append(str(file.relative_to(ROOT)))
    assert len(places) > 100
    assert {name: where for name, where in places.items() if len(where) > 1} == {}

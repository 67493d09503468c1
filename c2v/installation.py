"""How c2v was installed, and so the command that adds an extra to it.

c2v may lie in a checkout, in a virtual environment of pip or uv, or in one that pipx or uv made for
it alone; each wants another command, and a bare ``pip install c2v`` would be wrong for all of them.
Nothing here is imported before there is something to say.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

Tool = Literal["pip", "pipx", "uv", "uv tool"]

_PIPX_MARK = "pipx_metadata.json"
_UV_TOOL_MARK = "uv-receipt.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where this c2v came from, and who put it here.

    Attributes:
        tool: who manages the environment.
        python: the interpreter of the environment.
        folder: the checkout it was installed from, or runs in.
        editable: whether it runs in that checkout.
        address: what else it was installed from: the address of a file or of a repository.
        requirements: the packages behind each extra. Where the origin of c2v is not known they are
            installed by their own names: every index has them.
    """

    tool: Tool = "pip"
    python: str = "python3"
    folder: Path | None = None
    editable: bool = False
    address: str = ""
    requirements: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def command(self, extra: str) -> str:
        """The command that adds an extra."""
        again, source = self._source(extra)
        if self.tool == "pipx":
            return _line("pipx", *(("install", "--force") if again else ("inject", "c2v")), *source)
        if self.tool == "uv tool":
            if again:
                return _line("uv", "tool", "install", "--force", *source)
            return _line("uv", "pip", "install", "--python", self.python, *source)
        if self.tool == "uv":
            return _line("uv", "pip", "install", "--python", self.python, *source)
        return _line(self.python, "-m", "pip", "install", *source)

    def _source(self, extra: str) -> tuple[bool, tuple[str, ...]]:
        """Whether c2v itself is installed again, and what the tool is to install."""
        if self.folder is not None:
            own = self.tool in ("pip", "uv")
            flags = ("-e" if own else "--editable",) if self.editable else ()
            return True, (*flags, f"{self.folder}[{extra}]")
        if self.address:
            return True, (f"c2v[{extra}] @ {self.address}",)
        return False, self.requirements[extra]

    def upgrade(self) -> str:
        """Where a newer c2v comes from."""
        origin = self.folder or self.address
        return f"take a newer c2v {f'from {origin}' if origin else 'the way you took this one'}"


def this_installation() -> Installation:
    """How the c2v that runs was installed."""
    checkout = Path(__file__).resolve().parents[1]
    try:
        package = distribution("c2v")
    except PackageNotFoundError:
        return _installation(None, folder=checkout, editable=True)
    if (checkout / "pyproject.toml").is_file():  # it runs in a checkout, whatever is installed
        return _installation(package, folder=checkout, editable=True)
    origin = json.loads(package.read_text("direct_url.json") or "{}")
    url = str(origin.get("url", ""))
    if "dir_info" in origin:
        folder = Path(url2pathname(urlsplit(url).path))
        return _installation(
            package, folder=folder, editable=bool(origin["dir_info"].get("editable"))
        )
    if vcs := origin.get("vcs_info"):
        url = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    return _installation(package, address=url)


def _installation(
    package: Distribution | None,
    *,
    folder: Path | None = None,
    editable: bool = False,
    address: str = "",
) -> Installation:
    return Installation(
        tool=_tool(package),
        python=sys.executable or "python3",
        folder=folder,
        editable=editable,
        address=address,
        requirements=_requirements(package),
    )


def _tool(package: Distribution | None) -> Tool:
    home = Path(sys.prefix)
    if (home / _PIPX_MARK).is_file():
        return "pipx"
    if (home / _UV_TOOL_MARK).is_file():
        return "uv tool"
    installer = (package.read_text("INSTALLER") or "").strip() if package else ""
    return "uv" if installer == "uv" and find_spec("pip") is None else "pip"


def _requirements(package: Distribution | None) -> dict[str, tuple[str, ...]]:
    """Of each extra of one level the packages, without markers."""
    found: dict[str, list[str]] = {}
    for line in (package.requires if package else None) or ():
        requirement, _, marker = line.partition(";")
        _, _, extra = marker.partition("extra ==")
        if extra:
            found.setdefault(extra.strip(" '\""), []).append(requirement.strip())
    return {extra: tuple(packages) for extra, packages in found.items()}


def _line(*arguments: str) -> str:
    """One line to be pasted into a shell."""
    return subprocess.list2cmdline(arguments) if os.name == "nt" else shlex.join(arguments)

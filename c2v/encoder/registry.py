"""The encoders on this machine, by name.

* shipped: folders beside this module, under ``weights`` (``mini``);
* the user's: folders under ``models_dir()``, fetched, imported or fine-tuned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from c2v.config import models_dir
from c2v.encoder.bundle_config import CONFIG_NAME, BundleConfig, read_config
from c2v.errors import ModelError

DEFAULT_NAME: Final = "ViT-B-32"
DEFAULT_SOURCE: Final = "ViT-B-32-quickgelu/openai"  # what open_clip calls it
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9][A-Za-z0-9._+-]*)?")
_SHIPPED: Final = Path(__file__).parent / "weights"


@dataclass(frozen=True, slots=True)
class FoundBundle:
    """A bundle on this machine. ``problem`` says why it cannot be used; ``config`` is None then."""

    name: str
    directory: Path
    origin: Literal["shipped", "user"]
    config: BundleConfig | None
    problem: str = ""

    @property
    def size_bytes(self) -> int:
        """Bytes on disk, hard links counted once per bundle."""
        return sum(path.stat().st_size for path in self.directory.iterdir() if path.is_file())


def is_name(text: str) -> bool:
    """Whether a bundle can be called that."""
    return _NAME.fullmatch(text) is not None


def bundle_folder(name: str) -> Path:
    """The folder of a bundle in the user's models (``ARCH/TAG`` becomes ``ARCH--TAG``)."""
    return models_dir() / name.replace("/", "--")


def list_bundles() -> tuple[FoundBundle, ...]:
    """Every bundle on this machine, the shipped ones first, by name."""
    found: list[FoundBundle] = []
    origins: tuple[tuple[Literal["shipped", "user"], Path], ...] = (
        ("shipped", _SHIPPED),
        ("user", models_dir()),
    )
    for origin, root in origins:
        folders = sorted(root.iterdir()) if root.is_dir() else []
        for folder in folders:
            if folder.name.startswith(".") or not (folder / CONFIG_NAME).is_file():
                continue
            try:
                config = read_config(folder)
                found.append(FoundBundle(config.name, folder, origin, config))
            except ModelError as error:
                found.append(FoundBundle(folder.name, folder, origin, None, error.message))
    return tuple(found)


def find_bundle(name: str) -> Path | None:
    """The folder of a bundle on this machine; a user's bundle hides a shipped one of its name."""
    if name == DEFAULT_SOURCE:
        name = DEFAULT_NAME
    if not is_name(name):
        return None
    for folder in (bundle_folder(name), _SHIPPED / name):
        if (folder / CONFIG_NAME).is_file():
            return folder
    return None

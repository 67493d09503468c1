"""The encoders on this machine, by name.

* shipped: folders beside this module, under ``weights`` (``mini``);
* the user's: folders under ``models_dir()``, fetched, imported or fine-tuned.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from c2v.config import models_dir
from c2v.encoder.bundle_config import CONFIG_NAME, BundleConfig, read_config
from c2v.encoder.leftovers import settle_earlier
from c2v.encoder.licences import use_of
from c2v.encoder.logits import read_logits
from c2v.encoder.names import is_name, same_but_for_case
from c2v.errors import ModelError
from c2v.files.drafts import comes_back, settle

__all__ = [
    "DEFAULT_NAME",
    "DEFAULT_SOURCE",
    "NICKNAMES",
    "FoundBundle",
    "bundle_folder",
    "bundle_names",
    "check_free",
    "find_bundle",
    "is_name",
    "list_bundles",
    "put_back_models",
    "short_name",
]

DEFAULT_NAME: Final = "ViT-B-32"
DEFAULT_SOURCE: Final = "ViT-B-32-quickgelu/openai"  # what open_clip calls it
NICKNAMES: Final = {
    DEFAULT_NAME: DEFAULT_SOURCE,
    "PE-Core-B-16": "PE-Core-B-16/meta",
}
"""Fetched models that have a name of their own, and what open_clip calls them."""
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

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v model list``."""
        config = self.config
        return {
            "name": self.name,
            "origin": self.origin,
            "directory": str(self.directory),
            "size_bytes": self.size_bytes,
            "head": config.head.type if config else None,
            "feature_dim": config.feature_dim if config else None,
            "vector_dim": config.vector_dim if config else None,
            "source": config.source if config else None,
            "licence": config.licence if config else None,
            "use": use_of(config.licence) if config else None,
            "fingerprint": config.fingerprint if config else None,
            "problem": self.problem,
        }

    def details(self) -> dict[str, Any]:
        """The JSON of ``c2v model info``: more, for which a file of the bundle is read.

        Raises:
            ModelError: that file is damaged.
        """
        logits = read_logits(self.directory, self.config) if self.config else None
        return self.as_dict() | {
            "logit_scale": round(logits.scale, 3) if logits else None,
            "logit_bias": round(logits.bias, 3) if logits and logits.bias is not None else None,
        }


def short_name(name: str) -> str:
    """What a model is called here: its own name where it has one, else ``name`` itself.

    >>> short_name("ViT-B-32-quickgelu/openai"), short_name("ViT-L-14/openai")
    ('ViT-B-32', 'ViT-L-14/openai')
    """
    return next((own for own, source in NICKNAMES.items() if source == name), name)


def bundle_folder(name: str) -> Path:
    """The folder of a bundle in the user's models (``ARCH/TAG`` becomes ``ARCH--TAG``)."""
    return models_dir() / name.replace("/", "--")


def put_back_models(root: Path) -> None:
    """Undo what a killed run left half done in a folder of models, and sweep its drafts."""
    settle(root)
    settle_earlier(root)


def list_bundles() -> tuple[FoundBundle, ...]:
    """Every bundle on this machine, the shipped ones first, by name.

    Raises:
        ModelError: the folder of models cannot be read.
    """
    found: list[FoundBundle] = []
    put_back_models(models_dir())
    origins: tuple[tuple[Literal["shipped", "user"], Path], ...] = (
        ("shipped", _SHIPPED),
        ("user", models_dir()),
    )
    for origin, root in origins:
        for folder in _folders(root):
            if folder.name.startswith(".") or not _exists(folder / CONFIG_NAME):
                continue
            try:
                config = read_config(folder)
                found.append(FoundBundle(config.name, folder, origin, config))
            except ModelError as error:
                found.append(FoundBundle(folder.name, folder, origin, None, error.message))
    return tuple(found)


def bundle_names() -> list[str]:
    """The names of the bundles on this machine, read off their folders: nothing is opened.

    Raises:
        ModelError: the folder of models cannot be read.
    """
    folders = [folder for root in (_SHIPPED, models_dir()) for folder in _folders(root)]
    there = {one.name for one in folders if one.name[:1] != "." and _exists(one / CONFIG_NAME)}
    return sorted(name.replace("--", "/") for name in there)


def find_bundle(name: str) -> Path | None:
    """The folder of a bundle on this machine; a user's bundle hides a shipped one of its name.

    Raises:
        ModelError: the folder of models cannot be read.
    """
    name = short_name(name)
    if not is_name(name):
        return None
    own = bundle_folder(name)
    if not _exists(own / CONFIG_NAME):
        settle_earlier(own.parent)
        comes_back(own)
    if _exists(own / CONFIG_NAME):
        return own
    return _SHIPPED / name if _exists(_SHIPPED / name / CONFIG_NAME) else None


def check_free(name: str, target: Path, *, overwrite: bool) -> None:
    """Refuse a name that is taken.

    Raises:
        ModelError: there is a model of that name and it is not to be overwritten, or one whose
            name differs in nothing but case (many systems do not tell them apart).
    """
    names = [folder.name for folder in (*_folders(target.parent), *_folders(_SHIPPED))]
    other = same_but_for_case(target.name, [n for n in names if not n.startswith(".")])
    if other is not None and target.name not in names:
        raise ModelError(
            f"there is a model named {other} already, which differs from {name} in case alone",
            hint=f"choose another --name, or --name {other} --overwrite",
        )
    if target.exists() and not overwrite:
        raise ModelError(
            f"there is a model named {name} already ({target})",
            hint="choose another --name, or add --overwrite",
        )


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(root.iterdir()) if root.is_dir() else []
    except OSError as error:
        raise _unreadable(root, error) from error


def _exists(path: Path) -> bool:
    """Whether there is anything of that name; what it is is seen when it is read."""
    try:
        return path.exists()
    except OSError as error:
        raise _unreadable(path.parent, error) from error


def _unreadable(folder: Path, error: OSError) -> ModelError:
    return ModelError(
        f"{folder} cannot be read: {error.strerror or error}", hint="check its permissions"
    )

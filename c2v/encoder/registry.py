"""Encoders by name: shipped with c2v, on this machine, or to be fetched.

* shipped: folders beside this module, under ``weights`` (``mini``);
* the user's: folders under ``models_dir()``, fetched, imported or fine-tuned;
* to be fetched: ``ViT-B-32`` and every open_clip model as ``ARCHITECTURE/TAG``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from c2v.config import models_dir
from c2v.encoder.bundle_config import CONFIG_NAME, BundleConfig, read_config
from c2v.errors import ModelError

AUTO: Final = "auto"
SMALL_NAME: Final = "mini"
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
    if not _NAME.fullmatch(name):
        return None
    for folder in (bundle_folder(name), _SHIPPED / name):
        if (folder / CONFIG_NAME).is_file():
            return folder
    return None


def ensure_bundle(
    name_or_directory: str | Path, *, on_progress: Callable[[int, int], None] | None = None
) -> Path:
    """The folder of an encoder; an open_clip model that is not here is fetched first.

    A plain name is looked up as a name. A :class:`Path`, or text with the folder of a bundle
    behind it, is that folder.

    Raises:
        ModelError: there is no such encoder, or it cannot be fetched (known within five seconds).
    """
    if isinstance(name_or_directory, Path):
        return name_or_directory
    found = find_bundle(name_or_directory)
    if found is not None:
        return found
    folder = Path(name_or_directory).expanduser()
    if (folder / CONFIG_NAME).is_file():
        return folder
    fetchable = name_or_directory == DEFAULT_NAME or "/" in name_or_directory
    if fetchable and _NAME.fullmatch(name_or_directory):
        return fetch_bundle(name_or_directory, on_progress=on_progress)
    raise _unknown(name_or_directory)


def fetch_bundle(
    name: str,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> Path:
    """Fetch ``ViT-B-32`` or ``ARCHITECTURE/TAG`` and make a bundle of it.

    Args:
        name: what to fetch.
        on_progress: called with bytes done and bytes in all.
        overwrite: make it anew even if it is there.

    Raises:
        ModelError: it is no open_clip model, cannot be fetched, cannot be run by c2v, or is there
            already. Nothing is left half-written.
    """
    from c2v.encoder.architecture import model_config
    from c2v.encoder.fetch import default_is_cached, require_network, weights_cached

    if name == DEFAULT_SOURCE:
        name = DEFAULT_NAME
    if find_bundle(name) is not None and not overwrite:
        raise ModelError(f"{name} is on this machine already", hint="add --overwrite")
    source = DEFAULT_SOURCE if name == DEFAULT_NAME else name
    model_config(source.partition("/")[0])
    if not (default_is_cached() if name == DEFAULT_NAME else weights_cached()):
        require_network(name)  # before open_clip, whose import takes seconds
    from c2v.encoder.importing import bundle_from_hub

    return bundle_from_hub(source, name=name, on_progress=on_progress, overwrite=overwrite)


def choose_default(
    library_model: str | None = None, configured: str | None = None
) -> tuple[str, str | None]:
    """The encoder to use when none was asked for, and a line to show when it is second best.

    In this order: the library's own, the one in the settings, ``ViT-B-32`` if it is here or can
    be fetched (known within five seconds), ``mini``.

    Args:
        library_model: name of the model that filled the library, if it has one.
        configured: the setting ``model``; ``auto`` is no choice.
    """
    if library_model:
        return library_model, None
    if configured and configured != AUTO:
        return configured, None
    from c2v.encoder.fetch import default_is_cached, hub_reachable

    if find_bundle(DEFAULT_NAME) or default_is_cached() or hub_reachable():
        return DEFAULT_NAME, None
    return SMALL_NAME, (
        f"{DEFAULT_NAME} is not on this machine and cannot be fetched: using the small model "
        f"{SMALL_NAME}, which finds less; to change that: c2v model pull {DEFAULT_NAME}"
    )


def _unknown(name: str) -> ModelError:
    known = sorted({bundle.name for bundle in list_bundles()})
    hint = f"models here: {', '.join(known)}; open_clip models are named ARCHITECTURE/TAG"
    return ModelError(f"there is no model named {name!r}", hint=hint)

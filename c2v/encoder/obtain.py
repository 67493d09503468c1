"""An encoder by name, wherever it comes from: found on this machine, or fetched; and the default.

What can be fetched are ``ViT-B-32`` and every open_clip model as ``ARCHITECTURE/TAG``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from c2v.encoder.bundle_config import CONFIG_NAME
from c2v.encoder.registry import (
    DEFAULT_NAME,
    DEFAULT_SOURCE,
    find_bundle,
    is_name,
    list_bundles,
)
from c2v.errors import ModelError

AUTO: Final = "auto"
SMALL_NAME: Final = "mini"


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
    if fetchable and is_name(name_or_directory):
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

"""Encoders by name: found here, fetched, imported, exported; and which one when none was named.

Only this module leads to :mod:`c2v.encoder.sources`. Nothing here connects but
:func:`fetch_bundle`, which says where to and how much before it does. What can be fetched are
``ViT-B-32``, ``PE-Core-B-16`` and every open_clip model as ``ARCHITECTURE/TAG``
(:mod:`c2v.encoder.pretrained`), and bundles of c2v that lie somewhere.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from c2v.encoder.bundle_config import CONFIG_NAME, read_config
from c2v.encoder.default_model import BEST_FIRST
from c2v.encoder.names import check_bundle_name
from c2v.encoder.pretrained import find_pretrained
from c2v.encoder.registry import (
    DEFAULT_NAME,
    DEFAULT_SOURCE,
    NICKNAMES,
    bundle_folder,
    check_free,
    find_bundle,
    is_name,
    list_bundles,
    short_name,
)
from c2v.errors import ModelError, UnreachableError
from c2v.nearest import hint
from c2v.optional import require

AUTO: Final = "auto"
SMALL_NAME: Final = "mini"

Fetch = Callable[[str], Path]
"""Fetches a model by name, for those who may: gives the folder of its bundle."""


def locate_bundle(name_or_directory: str | Path) -> Path:
    """The folder of an encoder on this machine; nothing is fetched.

    A plain name is looked up as a name. A :class:`Path`, or text with the folder of a bundle
    behind it, is that folder.

    Raises:
        ModelError: there is no such encoder here; the hint says how to fetch it if that is a name
            that can be fetched.
    """
    if isinstance(name_or_directory, Path):
        return name_or_directory
    found = find_bundle(name_or_directory)
    if found is not None:
        return found
    with contextlib.suppress(OSError, ValueError):  # no name a folder could have
        folder = Path(os.path.expanduser(name_or_directory))  # noqa: PTH111 - it leaves ~nobody alone
        if (folder / CONFIG_NAME).exists():
            return folder
    raise not_here(name_or_directory)


def fetch_bundle(
    name: str,
    *,
    announce: Callable[[str], None],
    remark: Callable[[str], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    origin: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Fetch ``ViT-B-32`` or ``ARCHITECTURE/TAG`` and make a bundle of it.

    Args:
        name: what to fetch; of an address that holds a bundle of c2v, what to call it.
        announce: told in one line what comes from where, and how much it is, before the first
            connection. It is not called where the weights lie in the hub's cache already, for then
            there is none.
        remark: told of the licence, in one line, before the download; and of a file of which
            nobody states a checksum.
        on_progress: called with bytes done and bytes in all.
        origin: ``https://...``, ``file://...`` or a folder; by default the hub
            (:mod:`c2v.encoder.sources.origins`).
        overwrite: make it anew even if it is there.

    Raises:
        ModelError: it is no open_clip model, cannot be fetched, is not what is stated of it, cannot
            be run by c2v, or is there already. No bundle is left half-written; what was fetched
            is kept, and the next call goes on from there.
        UnreachableError: the hub does not answer (known within five seconds), or
            ``HF_HUB_OFFLINE`` is set.
        MissingPartError: its image tower takes PyTorch, which is not installed.
    """
    from c2v.encoder.sources.origins import open_origin
    from c2v.encoder.sources.pulling import PullWish, pull

    name = short_name(name)
    if find_bundle(name) is not None and not overwrite:
        raise ModelError(f"{name} is on this machine already", hint="add --overwrite")
    source = NICKNAMES.get(name, name)
    if origin is None and "/" not in source:
        raise _unknown(name)
    wish = PullWish(
        name=name,
        source=source if "/" in source else "",
        origin=open_origin(origin),
        is_named=origin is not None,
        announce=announce,
        remark=remark or (lambda _line: None),
        on_progress=on_progress,
    )
    target = bundle_folder(name)
    check_free(name, target, overwrite=overwrite)
    pull(wish, target, overwrite=overwrite)
    return target


def import_bundle(folder: Path, *, name: str, overwrite: bool = False) -> Path:
    """Copy a bundle among the models of this machine, every file compared with its digest.

    Returns:
        The folder of the copy.

    Raises:
        ModelError: ``folder`` holds no bundle, or one that is damaged, or the name is taken.
        UsageError: the name cannot be one.
    """
    from c2v.encoder.sources.origins import FolderOrigin
    from c2v.encoder.sources.ready_bundles import find_ready

    target = bundle_folder(check_bundle_name(name))
    check_free(name, target, overwrite=overwrite)
    found = find_ready(FolderOrigin(folder), "")
    if found is None:
        raise ModelError(
            f"{folder} holds no model of c2v (a config.json with what it names)",
            hint="give a checkpoint file, or the folder of a bundle",
        )
    found.write(target, name=name, overwrite=overwrite)
    return target


def import_checkpoint(
    file: Path,
    *,
    name: str,
    head: str = "auto",
    architecture: str | None = None,
    words: int | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> Path:
    """Make a bundle of a checkpoint: CLIP2Video or CLIP4Clip, or a bare CLIP (head meanP).

    Args:
        file: ``.pt``, ``.bin``, ``.ckpt`` or ``.safetensors``; nothing in it is executed.
        name: what the bundle will be called. A bare CLIP called ``ViT-B-32`` is of the
            architecture that c2v fetches under that name, unless another is given.
        head: ``auto`` takes the head the keys tell; else the type of CLIP4Clip head to use.
        architecture: open_clip's name for a bare CLIP whose sizes fit more than one.
        words: the most tokens of a text (:func:`c2v.encoder.sources.importing.checkpoint_source`).
        overwrite: replace a bundle of that name.
        settings: overrides under the reference's names (``center_weight``, ``sim_type``, ...).

    Returns:
        The folder of the bundle.

    Raises:
        ModelError: the file cannot be read, a key is missing or unknown, or the name is taken.
        UsageError: the name cannot be one.
        MissingPartError: it takes PyTorch or open_clip, which is not installed: all files but
            ``.safetensors`` do, and telling an architecture by its weights.
    """
    from c2v.encoder.clip_bundle import write_clip_bundle
    from c2v.encoder.sources.importing import checkpoint_source

    target = bundle_folder(check_bundle_name(name))
    check_free(name, target, overwrite=overwrite)
    clip = checkpoint_source(
        file,
        head=head,
        architecture=architecture,
        default_architecture=DEFAULT_SOURCE.partition("/")[0] if name == DEFAULT_NAME else None,
        words=words,
        **settings,
    )
    write_clip_bundle(target, name=name, clip=clip, overwrite=overwrite)
    return target


def export_checkpoint(name: str, file: Path) -> None:
    """Write a bundle in the official layout: bitwise what was imported, tensor for tensor.

    Args:
        name: a bundle on this machine.
        file: ``.safetensors``, or anything else for ``torch.save``.

    Raises:
        ModelError: there is no such bundle, its towers have no official layout, or the file
            cannot be written.
        MissingPartError: PyTorch is not installed.
    """
    require("c2v model export", "torch")
    from c2v.encoder.sources.exporting import write_official

    directory = find_bundle(name)
    if directory is None:
        raise not_here(name)
    write_official(directory, read_config(directory), file)


def choose_default(
    library_model: str | None = None, configured: str | None = None
) -> tuple[str, str | None]:
    """The encoder to use when none was asked for, and a line to show when it is second best.

    In this order: the library's own, the one in the settings, the first of
    :data:`~c2v.encoder.default_model.BEST_FIRST` that is here, ``mini``. Nothing is fetched and
    nobody is asked.

    Args:
        library_model: name of the model that filled the library, if it has one.
        configured: the setting ``model``; ``auto`` is no choice.
    """
    chosen = _chosen(library_model, configured)
    return (chosen, None) if chosen else (SMALL_NAME, _second_best("is not on this machine"))


def default_for_new_library(configured: str | None, fetch: Fetch) -> tuple[str, str | None]:
    """As :func:`choose_default` for a library without a model; ``ViT-B-32`` is fetched.

    Where the hub cannot be reached it is ``mini``, and the line says why.

    Raises:
        ModelError: the hub was reached, and fetching failed all the same.
    """
    chosen = _chosen(None, configured)
    if chosen:
        return chosen, None
    try:
        fetch(DEFAULT_NAME)
    except UnreachableError as error:
        return SMALL_NAME, _second_best(error.reason)
    return DEFAULT_NAME, None


def _chosen(library_model: str | None, configured: str | None) -> str | None:
    if library_model:
        return library_model
    if configured and configured != AUTO:
        return configured
    return next((name for name in BEST_FIRST if find_bundle(name)), None)


def _second_best(reason: str) -> str:
    return (
        f"{DEFAULT_NAME} {reason}: using the small model {SMALL_NAME}, which finds less; "
        f"to change that: c2v model pull {DEFAULT_NAME}"
    )


def not_here(name: str) -> ModelError:
    """Why there is no model of that name on this machine, and what fetches it or is like it."""
    if (name in NICKNAMES or "/" in name) and is_name(name):
        known = find_pretrained(NICKNAMES.get(name, name))
        if known is None or not known.is_light:
            require(f"the model {name}", "torch", "open_clip")  # or the hint would lead nowhere
        return ModelError(
            f"the model {name} is not on this machine",
            hint=f"c2v model pull {name}, or a model that is here: {', '.join(_names_here())}",
        )
    return _unknown(name)


def _unknown(name: str) -> ModelError:
    """There is none of that name; the hint begins with those that look like it."""
    here = _names_here()
    shown = name if len(name) <= 200 else f"{name[:40]}... ({len(name)} characters)"
    return ModelError(
        f"there is no model named {shown!r}",
        hint=hint(
            name,
            {*here, *NICKNAMES},
            f"models here: {', '.join(here)}; to be fetched: {', '.join(NICKNAMES)}, and what "
            "c2v model list --available shows",
            like=0.5,
        ),
    )


def _names_here() -> list[str]:
    return sorted({bundle.name for bundle in list_bundles()})

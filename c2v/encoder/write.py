"""Writing bundles: in a temporary folder beside the target, hashed, synced, then renamed.

Whatever goes wrong, the target either does not exist, is what it was, or is whole.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from c2v.encoder.bundle_config import (
    CONFIG_NAME,
    FORMAT,
    BundleConfig,
    FileRecord,
    HeadConfig,
    ImageConfig,
    Part,
    TextConfig,
)
from c2v.encoder.fingerprints import bundle_fingerprint, file_digest, towers_fingerprint
from c2v.errors import ModelError, UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def check_bundle_name(name: str) -> str:
    """``name`` itself when it can name a bundle made by a user.

    Raises:
        UsageError: it is empty, starts with a dot or holds anything but letters, digits, ``._+-``.
    """
    if not _NAME.fullmatch(name) or name == "auto":
        raise UsageError(
            f"{name!r} cannot name a model",
            hint="use letters, digits, dots, dashes and underscores",
        )
    return name


@contextlib.contextmanager
def bundle_draft(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill; renamed to ``target`` when the block ends well, removed when it does not.

    Raises:
        ModelError: ``target`` exists and is not to be overwritten (said before any work), or it
            cannot be written.
    """
    if target.exists() and not overwrite:
        raise ModelError(
            f"there is a model named {target.name} already ({target})",
            hint="choose another --name, or add --overwrite",
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise ModelError(
            f"{target.parent} cannot be written: {error}", hint="set C2V_HOME to another folder"
        ) from error
    try:
        yield draft
        _sync(draft)
        _replace(draft, target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def seal_bundle(
    directory: Path,
    *,
    name: str,
    feature_dim: int,
    vector_dim: int,
    image: ImageConfig,
    text: TextConfig,
    head: HeadConfig,
    parts: Mapping[str, Part],
    source: str,
    licence: str,
) -> BundleConfig:
    """Hash the files of a bundle folder and write its ``config.json``.

    Args:
        directory: a folder that holds every file of ``parts``.
        name: what the bundle is called.
        feature_dim: D, the width of features.
        vector_dim: V, the width of the head's vectors.
        image: the image tower.
        text: the text tower and its tokenizer.
        head: the temporal head.
        parts: file name to the part of the encoder it belongs to; only ``other`` files (metrics, a
            model card) do not count for the fingerprints.
        source: where the weights come from.
        licence: what is known of their licence.
    """
    files = {
        file: FileRecord(part, (directory / file).stat().st_size, file_digest(directory / file))
        for file, part in sorted(parts.items())
    }
    config = BundleConfig(
        format=FORMAT,
        name=name,
        feature_dim=feature_dim,
        vector_dim=vector_dim,
        image=image,
        text=text,
        head=head,
        source=source,
        licence=licence,
        files=files,
        fingerprint=bundle_fingerprint(image, text, head, files),
        towers_fingerprint=towers_fingerprint(image, files),
    )
    (directory / CONFIG_NAME).write_text(config.to_json(), encoding="utf-8")
    return config


def link_or_copy(source: Path, target: Path) -> None:
    """The same file under another name: a hard link where the file system allows, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _sync(directory: Path) -> None:
    for path in directory.iterdir():
        with path.open("rb") as file:
            # Windows syncs only files opened for writing; there the rename must do.
            if os.name == "posix":
                os.fsync(file.fileno())
    directory.chmod(0o755)  # mkdtemp makes private folders; a model is as public as its parent


def _replace(draft: Path, target: Path) -> None:
    """Rename ``draft`` to ``target``; an old target steps aside and is removed afterwards."""
    old: Path | None = None
    if target.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent)) / "bundle"
        target.replace(old)
    try:
        draft.replace(target)
    except OSError:
        if old is not None:
            old.replace(target)
        raise
    finally:
        if old is not None:
            shutil.rmtree(old.parent, ignore_errors=True)

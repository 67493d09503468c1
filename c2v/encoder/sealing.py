"""Writing bundles: in a working folder beside the target, hashed, synced, then moved there.

Whatever goes wrong, the target either does not exist, is what it was, or is whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from c2v.encoder.bundle_config import (
    CONFIG_NAME,
    FORMAT,
    BundleConfig,
    BundlePart,
    Calibration,
    FileRecord,
    HeadConfig,
    HubConfig,
    ImageConfig,
    QuestionConfig,
    TextConfig,
)
from c2v.encoder.fingerprints import bundle_fingerprint, file_digest, towers_fingerprint
from c2v.encoder.registry import check_free, put_back_models
from c2v.errors import ModelError
from c2v.files.drafts import folder_draft


@contextlib.contextmanager
def bundle_draft(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill; it becomes ``target`` when the block ends well, and vanishes otherwise.

    Raises:
        ModelError: ``target`` exists and is not to be overwritten (said before any work), or it
            cannot be written.
    """
    put_back_models(target.parent)
    check_free(target.name, target, overwrite=overwrite)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(
            f"{target.parent} cannot be written: {error}", hint="set C2V_HOME to another folder"
        ) from error
    try:
        with folder_draft(target, overwrite=overwrite) as draft:
            yield draft
    except FileExistsError:
        check_free(target.name, target, overwrite=False)  # made by another process meanwhile
        raise
    except OSError as error:
        raise ModelError(
            f"{target} cannot be written: {error}", hint="set C2V_HOME to another folder"
        ) from error


def seal_bundle(
    directory: Path,
    *,
    name: str,
    feature_dim: int,
    vector_dim: int,
    image: ImageConfig,
    text: TextConfig,
    head: HeadConfig,
    parts: Mapping[str, BundlePart],
    source: str,
    licence: str,
    hubs: HubConfig | None = None,
    questions: QuestionConfig | None = None,
    calibration: Calibration | None = None,
) -> BundleConfig:
    """Hash the files of a bundle folder and write its ``config.json``.

    Args:
        directory: a folder that holds every file of ``parts``.
        name: what the bundle is called.
        feature_dim: D, the width of features.
        vector_dim: V, the width of a library's vectors: the head's, one more with ``hubs``.
        image: the image tower.
        text: the text tower and its tokenizer.
        head: the temporal head.
        parts: file name to the part of the encoder it belongs to; only ``other`` files (metrics, a
            model card) do not count for the fingerprints.
        source: where the weights come from.
        licence: what is known of their licence.
        hubs: how far segments that are near to everything stand back.
        questions: how questions are put.
        calibration: what makes confidences of scores.
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
        fingerprint=bundle_fingerprint(image, text, head, files, hubs),
        towers_fingerprint=towers_fingerprint(image, files),
        calibration=calibration,
        hubs=hubs,
        questions=questions,
    )
    (directory / CONFIG_NAME).write_text(config.to_json(), encoding="utf-8")
    return config


def link_or_copy(source: Path, target: Path) -> None:
    """The same file under another name: a hard link where the file system allows, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)

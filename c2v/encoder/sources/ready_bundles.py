"""Bundles as they are, from a folder or a server: another machine's, or somebody's who made one.

Where an address holds a ``config.json`` of c2v, its files are those the config names, each of the
size and digest noted there.
"""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from c2v.encoder.bundle_config import CONFIG_NAME, BundleConfig, read_config
from c2v.encoder.fingerprints import bundle_fingerprint, towers_fingerprint
from c2v.encoder.sealing import bundle_draft
from c2v.encoder.sources.checksums import Checksum, refuse_pointer
from c2v.encoder.sources.origins import FolderOrigin, Origin, WebOrigin, sweep
from c2v.encoder.sources.transfer import Progress, read_small
from c2v.errors import ModelError
from c2v.files.reading import parse_json, read_plain

_MARK: Final = "towers_fingerprint"
"""A field of the ``config.json`` of bundles alone."""


@dataclass(frozen=True, slots=True)
class ReadyBundle:
    """A bundle at an address: where its files are, and its ``config.json`` as it stands there."""

    origin: Origin
    config_json: bytes

    @property
    def licence(self) -> str:
        """What its config says of its licence."""
        return str(_parsed(self.config_json).get("licence") or "") or "unknown"

    def write(
        self,
        target: Path,
        *,
        name: str,
        overwrite: bool = False,
        on_progress: Progress | None = None,
    ) -> BundleConfig:
        """Copy it to ``target`` under ``name``, every file compared with its digest.

        Raises:
            ModelError: a file is missing or not what the config states, or the target exists.
                Nothing is left behind but what was fetched.
        """
        with bundle_draft(target, overwrite=overwrite) as draft:
            (draft / CONFIG_NAME).write_bytes(self.config_json)
            config = read_config(draft)
            _check_fingerprints(config, self.origin.shown)
            total = sum(record.size_bytes for record in config.files.values())
            done = 0
            for file, record in config.files.items():
                stated = Checksum("blake2b", record.digest, f"the {CONFIG_NAME} there")
                found = self._file(file, stated, draft, total, done, on_progress)
                done += record.size_bytes
            config = dataclasses.replace(config, name=name)
            (draft / CONFIG_NAME).write_text(config.to_json(), encoding="utf-8")
        if config.files:
            sweep(found)
        return config

    def _file(
        self,
        file: str,
        stated: Checksum,
        draft: Path,
        total: int,
        done: int,
        on_progress: Progress | None,
    ) -> Path:
        def report(so_far: int, _of: int) -> None:
            if on_progress is not None:
                on_progress(done + so_far, total)

        found = self.origin.obtain("", file, remark=_nothing, on_progress=report)
        where = f"{self.origin.shown}/{file}"
        if found is None:
            raise ModelError(f"{where} is missing, which its {CONFIG_NAME} names", hint=_AGAIN)
        refuse_pointer(found)
        stated.check(found, shown=where, hint=_AGAIN)
        shutil.copyfile(found, draft / file)
        return found


_AGAIN: Final = "copy the whole folder of the bundle there again"


def _nothing(_line: str) -> None:
    """The digests of the config are what files are compared with."""


def find_ready(origin: Origin, name: str) -> ReadyBundle | None:
    """The bundle at an address itself, or below it under its name; None where there is none.

    Raises:
        ModelError: the server refuses to say.
    """
    folder = name.replace("/", "--")
    places = (origin,) if not name else (origin, *_below(origin, folder))
    for place in places:
        content = _config_at(place)
        if content is not None and _MARK in _parsed(content):
            return ReadyBundle(place, content)
    return None


def _below(origin: Origin, folder: str) -> tuple[Origin, ...]:
    if isinstance(origin, FolderOrigin):
        return (FolderOrigin(origin.root / folder),)
    assert isinstance(origin, WebOrigin)
    return (WebOrigin(f"{origin.base}/{folder}"),)


def _config_at(place: Origin) -> bytes | None:
    if isinstance(place, WebOrigin):
        return read_small(place.address("", CONFIG_NAME))
    assert isinstance(place, FolderOrigin)
    file = place.root / CONFIG_NAME
    try:
        return read_plain(file) if file.exists() else None
    except OSError as error:
        raise ModelError(
            f"{file} cannot be read: {error.strerror or error}", hint="check its permissions"
        ) from error


def _parsed(content: bytes) -> dict[str, object]:
    try:
        parsed = parse_json(content.decode("utf-8"))
    except ValueError:  # no bundle's
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _check_fingerprints(config: BundleConfig, where: str) -> None:
    towers = towers_fingerprint(config.image, config.files)
    whole = bundle_fingerprint(config.image, config.text, config.head, config.files)
    if (towers, whole) != (config.towers_fingerprint, config.fingerprint):
        raise ModelError(
            f"{where}/{CONFIG_NAME} was edited: its settings do not give its fingerprint",
            hint=_AGAIN,
        )

"""What identifies a bundle: digests of its files and of the settings that shape its output.

Hashing weights takes seconds, so it is done once, when the bundle is written. At each start the
fingerprints are only recomputed from the digests noted in ``config.json`` and from the settings
beside them, which costs nothing and notices an edited setting.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from c2v.encoder.bundle_config import FileRecord, HeadConfig, HubConfig, ImageConfig, TextConfig

_CHUNK_BYTES = 1 << 22


def file_digest(path: Path) -> str:
    """BLAKE2b (20 bytes, hexadecimal) of a file's content."""
    digest = hashlib.blake2b(digest_size=20)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def towers_fingerprint(image: ImageConfig, files: Mapping[str, FileRecord]) -> str:
    """Of all that shapes a frame feature: the image tower, its weights and its preprocessing."""
    return _hash(["image", dataclasses.asdict(image), _digests(files, ("image",))])


def bundle_fingerprint(
    image: ImageConfig,
    text: TextConfig,
    head: HeadConfig,
    files: Mapping[str, FileRecord],
    hubs: HubConfig | None = None,
) -> str:
    """Of all that shapes a vector: both towers, tokenizer and head (not the name or licence)."""
    shaping = (image, text, head) if hubs is None else (image, text, head, hubs)
    parts = [dataclasses.asdict(part) for part in shaping]
    return _hash(["bundle", *parts, _digests(files, ("image", "text", "head"))])


def _digests(files: Mapping[str, FileRecord], parts: Iterable[str]) -> list[list[str]]:
    return sorted([name, file.digest] for name, file in files.items() if file.part in set(parts))


def _hash(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()

"""Cache files that are either whole or not there.

A cache is written under a temporary name, read back, fsynced and renamed; it is trusted only when
its checksum and everything it says of itself agree with the database.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.files.writing import replacing

_HEAD = struct.Struct("<8sQII")
"""Magic, length of what follows, length of its JSON part, CRC-32 of all of it."""
_CRC_BYTES = 4

Arrays = dict[str, NDArray[Any]]


class UntrustedCacheError(Exception):
    """A cache file is absent, damaged, stale or of something else; the message says which.

    Never leaves the library: the answer is always to make the cache again.
    """


def write_cache_file(path: Path, magic: bytes, header: Mapping[str, Any], arrays: Arrays) -> None:
    """Write a JSON header and some arrays as one checksummed file."""
    layout = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
    text = json.dumps({**header, "arrays": layout}).encode()
    text += b" " * (-(len(text) + _HEAD.size) % 8)
    chunks = [text, *(np.ascontiguousarray(array).tobytes() for array in arrays.values())]
    length = sum(map(len, chunks))
    crc = zlib.crc32(_HEAD.pack(magic, length, len(text), 0)[:-_CRC_BYTES])
    for chunk in chunks:
        crc = zlib.crc32(chunk, crc)

    with replacing(path) as file:
        file.write(_HEAD.pack(magic, length, len(text), crc))
        for chunk in chunks:
            file.write(chunk)


def read_cache_file(path: Path, magic: bytes) -> tuple[dict[str, Any], Arrays]:
    """The header and arrays of ``write_cache_file``.

    Raises:
        UntrustedCacheError: absent, truncated, of another kind, or changed by as little as one bit.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UntrustedCacheError(f"{path.name}: {error.strerror}") from error
    if len(content) < _HEAD.size:
        raise UntrustedCacheError(f"{path.name} is cut short")
    found, length, text_length, crc = _HEAD.unpack_from(content)
    body = memoryview(content)[_HEAD.size :]
    if found != magic or length != len(body):
        raise UntrustedCacheError(f"{path.name} has another length or kind than it should")
    if zlib.crc32(body, zlib.crc32(content[: _HEAD.size - _CRC_BYTES])) != crc:
        raise UntrustedCacheError(f"{path.name} does not match its checksum")
    # From here on the file is as it was written, so its layout need not be doubted.
    header = json.loads(bytes(body[:text_length]))
    arrays: Arrays = {}
    offset = text_length
    for name, dtype, shape in header.pop("arrays"):
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(body, dtype, count, offset).reshape(shape)
        offset += arrays[name].nbytes
    return header, arrays


def bytes_of(folder: Path, pattern: str) -> int:
    """Size of the files of ``pattern``; one that goes meanwhile, or cannot be seen, has none."""
    total = 0
    with suppress(OSError):
        for path in folder.glob(pattern):
            with suppress(OSError):
                total += path.stat().st_size
    return total


def file_crc(path: Path) -> int:
    """CRC-32 of a whole file, read in bounded memory."""
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            crc = zlib.crc32(chunk, crc)
    return crc


def remove_others(folder: Path, pattern: str, keep: set[str]) -> None:
    """Delete the files of ``pattern`` that no index names any more.

    Only while holding the writer lock. A file that cannot be deleted (Windows keeps files that
    another process has mapped) is left for the next time: an unnamed file is never read.
    """
    for path in folder.glob(pattern):
        if path.name not in keep:
            try:
                path.unlink(missing_ok=True)
            except (PermissionError, IsADirectoryError):
                continue

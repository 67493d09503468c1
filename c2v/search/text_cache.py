"""Embedded queries on disk: a sentence that was asked before does not wait for the text tower.

One small file a query, named by a hash of all that shapes the numbers: the bundle's fingerprint,
the versions of the code that computes them, and the text (which is nowhere written down). A file
holds the numbers to the bit and a checksum; one that is damaged is as good as none. Files are
written under another name and renamed, so several processes may share the folder. What has not
been asked for longest goes first.

Only texts that are embedded alone go through here: in a batch, BLAS may round the last bit in
another way, and a search must not depend on what was asked before.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v import __version__
from c2v.encoder.bundle import Bundle
from c2v.files.writing import write_file
from c2v.search.interaction import AskedWords
from c2v.search.ranking import Query, text_queries

MAX_ENTRIES = 512
"""At 6 KB each for CLIP2Video on ViT-B/32: 3 MB."""
_SPARE = 64
"""So many are removed at a time, because listing the folder costs more than writing a file."""
_SUFFIX = ".query"
_CHECK_BYTES = 16


def cached_query(bundle: Bundle, text: str, folder: Path) -> Query:
    """What ``text_queries(bundle, [text])`` gives, from ``folder`` where it is there already."""
    path = folder / (_key(bundle, text) + _SUFFIX)
    found = _read(path, text, bundle)
    if found is not None:
        return found
    query = text_queries(bundle, [text])[0]
    with suppress(OSError):  # no room, or a folder that cannot be written: the next one computes
        numbers = b"".join(part.tobytes() for part in _parts(query))
        write_file(path, _checksum(path, numbers) + numbers, durable=False)
        _make_room(folder)
    return query


def _key(bundle: Bundle, text: str) -> str:
    put = repr(bundle.config.questions)
    parts = (bundle.fingerprint, put, __version__, np.__version__, text)
    # Texts from the command line may hold bytes that are not UTF-8, as lone surrogates.
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=20).hexdigest()


def _parts(query: Query) -> list[NDArray[np.float32]]:
    """The numbers of a query; of its words, [L] weights, [L] numbers and [L, D] vectors."""
    parts = [query.vector, query.feature]
    for asked in query.asked:
        numbers = np.asarray(asked.numbers, np.float32)
        parts += [asked.words.weights, numbers, asked.words.vectors]
    return parts


def _read(path: Path, text: str, bundle: Bundle) -> Query | None:
    """An entry; None when it is absent or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    check, numbers = content[:_CHECK_BYTES], content[_CHECK_BYTES:]
    wide, dim = bundle.head_dim, bundle.feature_dim
    count, odd = divmod(len(numbers) - 4 * (wide + dim), 4 * (dim + 2))
    if odd or (count > 0) != bundle.interacts or check != _checksum(path, numbers):
        return None
    with suppress(OSError):  # a read-only folder: then nothing is removed from it either
        os.utime(path)  # asked for just now
    values = np.frombuffer(numbers, np.float32).copy()  # a buffer of bytes cannot be written to
    vector, feature, rest = values[:wide], values[wide : wide + dim], values[wide + dim :]
    if not count:
        return Query(text, vector, feature)
    from c2v.encoder.heads import Words

    words = Words(rest[2 * count :].reshape(count, dim), rest[:count])
    each = tuple(rest[count : 2 * count].astype(int).tolist())
    return Query(text, vector, feature, asked=(AskedWords(text, words, each),))


def _checksum(path: Path, numbers: bytes) -> bytes:
    """Of the numbers and the name: a file that was renamed is not taken for another query's."""
    return hashlib.blake2b(numbers, digest_size=_CHECK_BYTES, key=path.stem.encode()).digest()


def _make_room(folder: Path) -> None:
    """Remove the entries that were asked for longest ago, once there are too many."""
    names = os.listdir(folder)  # noqa: PTH208 - half the time of Path.iterdir
    if len(names) <= MAX_ENTRIES:
        return
    ages = []
    for name in names:
        with suppress(FileNotFoundError):  # another process is removing, too
            ages.append(((folder / name).stat().st_mtime_ns, name))
    for _, name in sorted(ages)[: len(ages) - MAX_ENTRIES + _SPARE]:
        (folder / name).unlink(missing_ok=True)

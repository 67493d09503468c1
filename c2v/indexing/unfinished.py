"""Films whose reading was ended: their frame features, kept so that the next run goes on there.

A library holds whole videos alone. What was read of a long film before Ctrl-C, or kill -9, stands
in one small file of the cache folder: the features of its frames, which of its times they are of,
and what could not be read. Segments are cut when all frames are there, so a film that was read in
two runs has the rows and vectors of one read in a single run. The file goes when the film is in the
library, and after a month in any case.

It is named by the content of the film and by all that shapes the numbers, and holds a checksum: one
that is damaged, or of other times, is as good as none.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v import __version__
from c2v.files.writing import write_file

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.media.sampled import Layout
    from c2v.media.sampling import Sampling

FEWEST_FRAMES = 48
"""Less is read again in a moment: two segments of `auto`, or more."""
KEEP_EVERY_SECONDS = 30.0
"""What kill -9 loses of a film at most; an hour of it is 4 MB with features of 512 numbers."""
KEPT_DAYS = 30
_SUFFIX = ".frames"
_CHECK_BYTES = 16


@dataclass(frozen=True, slots=True, eq=False)
class KeptFrames:
    """What is known of the N sample times of a film."""

    features: NDArray[np.float16]
    """[N, D]; rows not in ``seen`` hold nothing."""
    seconds: NDArray[np.float32]
    """[N] the real time of each picture."""
    seen: NDArray[np.bool_]
    """[N] which have a feature."""
    settled: NDArray[np.bool_]
    """[N] which need not be read again: seen, or found to be unreadable."""
    problems: tuple[str, ...] = ()
    """Reasons why settled ones could not be read."""

    def left(self) -> list[tuple[int, int]]:
        """Ranges of times that are still to be read.

        >>> settled = np.array([True, False, False, True, False])
        >>> KeptFrames(np.zeros((5, 1)), np.zeros(5), settled, settled).left()
        [(1, 3), (4, 5)]
        """
        edges = np.flatnonzero(np.diff(self.settled, prepend=True, append=True))
        return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


@dataclass(slots=True)
class Unfinished:
    """The files of one encoder and one decoder in a folder; safe to be used by threads."""

    folder: Path
    towers: str
    """All that shapes the numbers, beside the film and its times."""
    refused: str = ""
    """Why the last file could not be written; empty when it could."""
    _written: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, folder: Path, bundle: Bundle, decoder: str) -> Unfinished:
        """Those of an encoder whose pictures a decoder of that name gives."""
        image = bundle.config.image
        parts = (bundle.towers_fingerprint, str(image.side), image.resize, decoder, __version__)
        return cls(folder, hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest())

    def find(self, content_id: str, sampling: Sampling, layout: Layout) -> KeptFrames | None:
        """What is kept of a film that is to be looked at in this way."""
        path = self._path(content_id, sampling)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        check, numbers = content[:_CHECK_BYTES], content[_CHECK_BYTES:]
        if check != _checksum(path, numbers):
            return None
        with np.load(io.BytesIO(numbers), allow_pickle=False) as arrays:
            if not np.array_equal(arrays["times"], layout.times):
                return None
            seen, rows = arrays["seen"], arrays["features"]
            features = np.zeros((len(seen), rows.shape[1]), np.float16)
            seconds = np.zeros(len(seen), np.float32)
            features[seen], seconds[seen] = rows, arrays["seconds"]
            problems = tuple(arrays["problems"].tolist())
            return KeptFrames(features, seconds, seen, arrays["settled"], problems)

    def keep(self, content_id: str, sampling: Sampling, layout: Layout, kept: KeptFrames) -> bool:
        """Write what is known of a film in place of what was; whether that could be done."""
        path = self._path(content_id, sampling)
        buffer = io.BytesIO()
        np.savez(
            buffer,
            times=layout.times,
            features=kept.features[kept.seen],
            seconds=kept.seconds[kept.seen],
            seen=kept.seen,
            settled=kept.settled,
            problems=np.array(kept.problems, dtype=np.str_),
        )
        numbers = buffer.getvalue()
        try:
            write_file(path, _checksum(path, numbers) + numbers, durable=False)
            self._sweep()
        except OSError as error:
            self.refused = error.strerror or str(error)
            return False
        return True

    def forget(self, content_id: str, sampling: Sampling) -> None:
        """The film is in the library, or nothing will come of it."""
        with suppress(OSError):  # it is swept one day
            self._path(content_id, sampling).unlink(missing_ok=True)

    def _path(self, content_id: str, sampling: Sampling) -> Path:
        name = hashlib.blake2b(
            "\0".join((content_id, str(sampling), self.towers)).encode(), digest_size=20
        )
        return self.folder / (name.hexdigest() + _SUFFIX)

    def _sweep(self) -> None:
        """Remove what nobody came back for."""
        before = time.time() - KEPT_DAYS * 86400
        for name in os.listdir(self.folder):  # noqa: PTH208 - half the time of iterdir
            path = self.folder / name
            with suppress(FileNotFoundError):  # another process sweeps, too
                if path.stat().st_mtime < before:
                    path.unlink()


def _checksum(path: Path, numbers: bytes) -> bytes:
    """Of the numbers and the name: a file that was renamed is not taken for another film's."""
    return hashlib.blake2b(numbers, digest_size=_CHECK_BYTES, key=path.stem.encode()).digest()

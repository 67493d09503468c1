"""Videos with their captions, by number; and which of them are held back for validation."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from c2v.errors import DataError
from c2v.evaluation.captions import Captions


@dataclass(frozen=True, slots=True)
class Pairs:
    """N texts and the number of the video each belongs to; M videos by path."""

    texts: tuple[str, ...]
    owner: tuple[int, ...]
    videos: tuple[str, ...]

    @classmethod
    def of(cls, captions: Captions, videos: Sequence[str]) -> Pairs:
        """The pairs of a captions file whose video is among ``videos``."""
        number = {path: index for index, path in enumerate(videos)}
        kept = [
            (text, number[path])
            for path, text in zip(captions.paths, captions.texts, strict=True)
            if path in number
        ]
        return cls(tuple(t for t, _ in kept), tuple(v for _, v in kept), tuple(videos))

    def texts_of(self) -> list[list[int]]:
        """The numbers of each video's texts."""
        found: list[list[int]] = [[] for _ in self.videos]
        for text, video in enumerate(self.owner):
            found[video].append(text)
        return found


def hold_out(videos: Sequence[str], *, count: int, seed: int) -> tuple[list[int], list[int]]:
    """Numbers of the videos to train on, and of those held back, each ascending.

    Videos are drawn by the hash of their name, so that one more video in the file does not move
    the others from one side to the other. The same file name in two folders goes to one side.

    Raises:
        DataError: fewer than three videos.
    """
    if len(videos) < 3:
        raise DataError(
            f"{len(videos)} video{'s' if len(videos) != 1 else ''} with captions: nothing to tell "
            "apart",
            hint="give captions of at least three videos",
        )

    def place(number: int) -> bytes:
        name = os.path.basename(videos[number])  # noqa: PTH119
        return hashlib.blake2b(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest()

    order = sorted(range(len(videos)), key=lambda number: (place(number), number))
    return sorted(order[count:]), sorted(order[:count])

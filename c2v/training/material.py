"""What a run is given to learn from: the videos of the captions that the library has, split."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from c2v.errors import DataError
from c2v.evaluation.captions import Captions
from c2v.evaluation.stored import Missing, StoredVideos, find_videos, read_features
from c2v.library import Store
from c2v.training.loop import Material
from c2v.training.pairs import Pairs, hold_out
from c2v.training.recipe import validation_count


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Pairs, the stored features of their videos, and which of them are held back."""

    pairs: Pairs
    stored: StoredVideos
    material: Material
    missing: tuple[Missing, ...]


def gather(
    library: Store,
    captions: Captions,
    later: Captions | None,
    *,
    share: float | None,
    seed: int,
    unreadable: Collection[Missing] = (),
) -> Gathered:
    """The videos of both files that the library has.

    Args:
        captions: what to train on.
        later: a validation split of its own; without it ``share`` of the videos is held back,
            drawn by ``seed``, and with ``share`` None none is: they will be in turns.
        unreadable: videos that cannot be used although the library has them.

    Raises:
        DataError: none of the videos is in the library, or too few to train and validate on.
    """
    both = captions if later is None else _joined(captions, later)
    found, missing = find_videos(library, both)
    for miss in unreadable:
        if found.pop(miss.path, None) is not None:
            missing = (*missing, miss)
    if not found:
        raise DataError(
            f"--data {captions.file}: none of its {len(both.videos)} videos is in the library "
            f"{library.address} ({missing[0].path}: {missing[0].reason})",
            hint="check the names, index the videos (c2v index DIR), or say where they are: "
            "--videos DIR",
        )
    stored = read_features(library, found, first_seconds=captions.first_seconds)
    pairs = Pairs.of(both, stored.paths)
    if share is None:
        train, held = list(range(len(pairs.videos))), list[int]()
    elif later is None:
        count = validation_count(len(pairs.videos), share)
        train, held = hold_out(pairs.videos, count=count, seed=seed)
    else:
        last = frozenset(later.paths)
        held = [n for n, path in enumerate(pairs.videos) if path in last]
        train = [n for n, path in enumerate(pairs.videos) if path not in last]
    if len(train) < 2 or not (held or share is None):
        raise DataError(
            f"--data {captions.file}: {len(train)} videos to train on and {len(held)} to validate "
            "on are in the library",
            hint="give captions of at least three videos",
        )
    return Gathered(pairs, stored, Material(pairs.texts_of(), train, held), missing)


def _joined(first: Captions, second: Captions) -> Captions:
    return replace(
        first,
        paths=first.paths + second.paths,
        texts=first.texts + second.texts,
        unclear={**first.unclear, **second.unclear},
    )

"""Videos that are in a library more than once, in whatever size, codec, container or cut.

What is stored proposes pairs (:mod:`c2v.search.lookalikes`); these are decoded, small, and compared
by how they move (:mod:`c2v.search.overlaps`). Files of the same content are pairs without a look.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from c2v.cores import share_out, usable_cores
from c2v.errors import DataError, UsageError
from c2v.search.duplicates import (
    DuplicateGroup,
    DuplicatePair,
    Duplicates,
    DuplicateVideo,
    Shared,
    components,
    without_recurring,
)
from c2v.search.lookalikes import Lookalike, Rows, joined, lookalikes, rows_of
from c2v.search.overlaps import Overlap
from c2v.services.looking import Looker

if TYPE_CHECKING:
    from c2v.library import SegmentRow, Store, VideoRecord
    from c2v.services.workspace import Workspace

Progress = Callable[[int, int], None]
"""Told how many pairs were looked at, of how many."""
_MOST_JOINED = 40
"""Videos of a group of which every two are compared, also where they do not look alike."""


def find_duplicates(space: Workspace, paths: Sequence[str], on_progress: Progress) -> Duplicates:
    """Groups of videos that share something; see :class:`VideoLibrary`."""
    store = space.store
    with store.snapshot():
        videos = _meant(store, paths)
        firsts = {video.content_id: video for video in reversed(videos)}
    gone = space.presence.missing(video.path for video in videos)
    for video in videos:  # of the same content one that is there is looked at
        if firsts[video.content_id].path in gone and video.path not in gone:
            firsts[video.content_id] = video
    seen = {video.id: video for video in firsts.values() if video.path not in gone}
    _tell_of_gone(space, [video for video in firsts.values() if video.path in gone])
    apart = store.told_apart()
    looker = Looker(store, seen, space.telling)
    found = _compared(looker, seen, _proposed(store, seen), on_progress)
    durations = {key: video.duration_seconds for key, video in seen.items()}
    pairs = [
        pair
        for pair in without_recurring(found, durations)
        if _contents(seen[pair.one], seen[pair.other]) not in apart
    ]
    return _grouped(videos, seen, pairs, gone)


def tell_apart(space: Workspace, paths: Sequence[str], *, undo: bool) -> int:
    """Remember, or forget, that these videos are no duplicates of each other; how many pairs."""
    store = space.store
    videos = _meant(store, paths)
    pairs = {_contents(one, other) for one, other in combinations(videos, 2)}
    pairs = {pair for pair in pairs if pair[0] != pair[1]}
    if not pairs:
        same = len(videos) > 1
        what = "are files of the same content" if same else "is one video"
        raise UsageError(
            f"{' '.join(paths)}: that {what}, and there is nothing to tell apart",
            hint="c2v duplicates --not-duplicates ONE.mp4 OTHER.mp4",
        )
    if undo:
        return store.forget_told_apart(pairs)
    store.tell_apart(pairs)
    return len(pairs)


def _meant(store: Store, paths: Sequence[str]) -> list[VideoRecord]:
    """The videos that paths and patterns mean, by path; all where there are none."""
    from c2v.paths.globs import PatternError
    from c2v.paths.patterns import select

    videos = store.videos()
    if not paths:
        return videos
    try:
        chosen, unmatched = select(paths, [video.path for video in videos])
    except PatternError as error:
        raise UsageError(str(error), hint="give videos, folders, or patterns as *.mp4") from error
    if unmatched:
        raise DataError(
            f"{unmatched[0]} is not in the library {store.address}",
            hint="c2v status shows the library; --library names another one",
        )
    return [videos[place] for place in sorted(chosen)]


def _contents(one: VideoRecord, other: VideoRecord) -> tuple[str, str]:
    first, second = sorted((one.content_id, other.content_id))
    return first, second


def _tell_of_gone(space: Workspace, gone: Sequence[VideoRecord]) -> None:
    if gone:
        which = f"{gone[0].path}{f' and {len(gone) - 1} more' if len(gone) > 1 else ''}"
        space.telling.notice(f"not compared, for the file is missing: {which}")


def _proposed(store: Store, seen: dict[int, VideoRecord]) -> list[Lookalike]:
    parts = list(_rows(store, seen)) if len(seen) > 1 else []
    return lookalikes(joined(parts)) if parts else []


def _rows(store: Store, seen: dict[int, VideoRecord]) -> Iterator[Rows]:
    """The stretches of each video; of one whose rows are damaged what is sound."""
    with store.snapshot():
        for batch in store.all_features():
            ids = batch.segment_ids.tolist()
            places = store.segment_rows(ids)
            features = dict(zip(ids, batch.features, strict=True))
            for key, group in groupby(ids, key=lambda one: places[one].video_id):
                if key in seen:
                    rows = [places[one] for one in group]
                    times = np.concatenate(
                        [_times(row, len(features[row.segment_id])) for row in rows]
                    )
                    frames = np.concatenate([features[row.segment_id] for row in rows])
                    yield rows_of(key, times, frames)


def _times(row: SegmentRow, count: int) -> NDArray[np.float32]:
    """When its frames were taken, within half a step."""
    edges = np.linspace(row.start_seconds, row.end_seconds, count + 1)
    return np.asarray((edges[:-1] + edges[1:]) / 2, np.float32)


def _compared(
    looker: Looker,
    seen: dict[int, VideoRecord],
    proposed: Sequence[Lookalike],
    on_progress: Progress,
) -> list[Shared]:
    """What the proposed pairs share, and then the pairs that have another video in common."""
    found: list[Shared] = []
    done = 0
    total = len(proposed)

    def look(pair: Lookalike) -> None:
        nonlocal done
        overlap = looker.overlap(pair)
        if overlap is not None:
            found.append(Shared(pair.one, pair.other, overlap))
        done += 1
        on_progress(done, total)

    share_out(proposed, look, threads=usable_cores())
    asked = {(pair.one, pair.other) for pair in proposed}
    more = [
        Lookalike(one, other, ())
        for group in components((pair.one, pair.other) for pair in found)
        if len(group) <= _MOST_JOINED
        for one, other in combinations(group, 2)
        if (one, other) not in asked and looker.is_short(one) and looker.is_short(other)
    ]
    total += len(more)
    share_out(more, look, threads=usable_cores())
    return sorted(found, key=lambda pair: (pair.one, pair.other))


def _grouped(
    videos: Sequence[VideoRecord],
    seen: dict[int, VideoRecord],
    shared: Sequence[Shared],
    gone: set[str],
) -> Duplicates:
    """Groups out of pairs, in which a file stands for all of the same content."""
    by_content: dict[str, list[VideoRecord]] = defaultdict(list)
    for video in videos:
        by_content[video.content_id].append(video)
    pairs: dict[tuple[int, int], DuplicatePair] = {}
    for copies in by_content.values():
        for a, b in combinations(copies, 2):
            pairs[a.id, b.id] = DuplicatePair(a.path, b.path, a.duration_seconds, 0.0, 1.0)
    for pair in shared:
        for a in by_content[seen[pair.one].content_id]:
            for b in by_content[seen[pair.other].content_id]:
                pairs[a.id, b.id] = _pair_of(a, b, pair.overlap)
    rows = {video.id: video for video in videos}
    groups = [
        DuplicateGroup(
            tuple(
                _described(video, gone) for video in sorted((rows[key] for key in ids), key=_worth)
            ),
            tuple(pairs[key] for key in sorted(pairs) if key[0] in ids),
        )
        for ids in components(pairs)
    ]
    return Duplicates(tuple(sorted(groups, key=lambda group: group.videos[0].path)))


def _pair_of(a: VideoRecord, b: VideoRecord, overlap: Overlap) -> DuplicatePair:
    start = overlap.spans[0][0]
    starts = start, max(0.0, start + overlap.offset)
    return DuplicatePair(
        a.path, b.path, overlap.seconds, overlap.offset, overlap.confidence, starts
    )


def _worth(video: VideoRecord) -> tuple[float, float, int, str]:
    """The best to keep first: most pixels, then the longest, then most bytes."""
    pixels = video.width * video.height
    return -pixels, -round(video.duration_seconds, 1), -video.size_bytes, video.path


def _described(video: VideoRecord, gone: set[str]) -> DuplicateVideo:
    return DuplicateVideo(
        video.path,
        video.duration_seconds,
        video.width,
        video.height,
        video.size_bytes,
        missing=video.path in gone,
    )

"""Names for videos: those that fit by measure, and those that a person gives and takes away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from c2v.errors import UsageError
from c2v.search.sequences import ResultSequence
from c2v.services.keywords import check_keywords
from c2v.services.places import StrPath, several
from c2v.services.selecting import tell_of_damage, videos_meant

if TYPE_CHECKING:
    from c2v.library import Store, Tag, VideoRecord
    from c2v.services.workspace import Workspace

LABEL_CONFIDENCE = 0.5
"""From here on a label of a user's own list is a tag."""
EVERYDAY_CONFIDENCE = 0.8
"""Of the everyday names hardly any fits a given video, so more is asked of them: at 0.5 a clip had
five of them and most were wrong, at 0.8 every other clip had one and two of three were right."""


class TagArguments(TypedDict, total=False):
    """How videos are tagged; all of it may be left out. Without any, everyday names are tried."""

    labels: Sequence[str] | None
    """Names that are tried; None are the everyday ones."""
    min_confidence: float | None
    """In [0, 1]; None is 0.5, and 0.8 for the everyday names."""
    add: Sequence[str]
    """Names that are given by hand, and nothing is measured: ``paths`` have to be named."""
    remove: Sequence[str]
    """Names that are taken away, also those given by hand, and nothing is measured."""
    clear: bool
    """Take away all tags that were measured, and measure nothing; those by hand stay."""
    dry_run: bool
    """Only say what would be done."""


@dataclass(frozen=True, slots=True)
class TaggedVideo:
    """A video and its tags, the surest first."""

    path: str
    tags: tuple[Tag, ...]

    def as_dict(self) -> dict[str, Any]:
        """One of the ``videos`` in the JSON of ``c2v tag``."""
        return {"path": self.path, "tags": [_tag_dict(tag) for tag in self.tags]}


@dataclass(frozen=True, slots=True)
class Tagging(ResultSequence[TaggedVideo]):
    """What a run gave and took away."""

    library: str
    looked_at: int
    """How many videos were meant."""
    min_confidence: float | None
    """None where nothing was measured."""
    results: tuple[TaggedVideo, ...]
    """The tags that were given, or had been already, by video."""
    removed: tuple[TaggedVideo, ...]
    """The tags that were taken away, by video."""
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v tag``."""
        return {
            "library": self.library,
            "looked_at": self.looked_at,
            "min_confidence": self.min_confidence,
            "dry_run": self.dry_run,
            "videos": [one.as_dict() for one in self.results],
            "removed": [one.as_dict() for one in self.removed],
        }


@dataclass(frozen=True, slots=True)
class TagList(ResultSequence[TaggedVideo]):
    """The tags of a library, by video."""

    library: str
    results: tuple[TaggedVideo, ...]

    def names(self) -> list[tuple[str, int, int]]:
        """Each name, on how many videos it is, and on how many by hand; the most frequent first."""
        counts: dict[str, tuple[str, int, int]] = {}
        for tag in (tag for one in self.results for tag in one.tags):
            name, videos, by_hand = counts.get(tag.name.lower(), (tag.name, 0, 0))
            counts[tag.name.lower()] = (name, videos + 1, by_hand + tag.by_hand)
        return sorted(counts.values(), key=lambda one: (-one[1], one[0].lower()))

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v tag --list``."""
        return {
            "library": self.library,
            "tags": [
                {"name": name, "videos": videos, "by_hand": by_hand}
                for name, videos, by_hand in self.names()
            ],
            "videos": [one.as_dict() for one in self.results],
        }


def _tag_dict(tag: Tag) -> dict[str, Any]:
    return {"name": tag.name, "confidence": round(tag.confidence, 6), "by_hand": tag.by_hand}


def list_tags(space: Workspace, paths: Iterable[StrPath] | StrPath) -> TagList:
    """The tags of the videos that are meant."""
    store = space.store
    with store.snapshot():
        videos = videos_meant(store, paths)
        tags = store.tags([video.id for video in videos])
    return TagList(store.address, _by_video(videos, tags))


def tag_videos(space: Workspace, paths: Iterable[StrPath] | StrPath, how: TagArguments) -> Tagging:
    """Give tags to the videos that are meant, or take some away; see :class:`TagArguments`."""
    check_keywords(how, TagArguments, of="tag")
    adds, removes, clear = how.get("add", ()), how.get("remove", ()), how.get("clear", False)
    labels, least = how.get("labels"), how.get("min_confidence")
    if any(isinstance(names, str) for names in (adds, removes, labels)):
        raise TypeError("tag takes lists of names, got one text")
    by_hand = bool(adds or removes or clear)
    if by_hand and (labels is not None or least is not None):
        raise UsageError(
            "--labels and --min-confidence measure, --add, --remove and --clear do not",
            hint="run c2v tag twice",
        )
    meant = several(paths)
    if adds and not meant:
        raise UsageError(
            "--add needs the videos that get the tag", hint='c2v tag holiday.mp4 --add "the sea"'
        )
    store, dry_run = space.store, how.get("dry_run", False)
    videos = videos_meant(store, meant)
    if not by_hand:
        return _measure(space, videos, labels, least, dry_run=dry_run)
    doomed = _doomed(store, videos, removes, clear=clear)
    given = _by_hand(videos, adds)
    if not dry_run:
        _write(store, given, doomed)
    return Tagging(
        store.address, len(videos), None, _by_video(videos, given), _by_video(videos, doomed),
        dry_run,
    )  # fmt: skip


def _by_hand(videos: Sequence[VideoRecord], names: Sequence[str]) -> list[Tag]:
    from c2v.library import Tag

    return [Tag(video.id, name, 1.0, by_hand=True) for video in videos for name in names]


def _doomed(
    store: Store, videos: Sequence[VideoRecord], names: Sequence[str], *, clear: bool
) -> list[Tag]:
    wanted = {name.lower() for name in names}
    tags = store.tags([video.id for video in videos])
    return [tag for tag in tags if tag.name.lower() in wanted or (clear and not tag.by_hand)]


def _measure(
    space: Workspace,
    videos: Sequence[VideoRecord],
    labels: Sequence[str] | None,
    least: float | None,
    *,
    dry_run: bool,
) -> Tagging:
    """Labels above a confidence become tags; what was measured for them before is replaced."""
    from c2v.library import Tag
    from c2v.search.everyday import EVERYDAY
    from c2v.search.label_confidence import label_confidences
    from c2v.search.video_vectors import video_vectors

    if least is None:
        least = EVERYDAY_CONFIDENCE if labels is None else LABEL_CONFIDENCE
    if not 0.0 <= least <= 1.0:
        raise UsageError(f"min_confidence is in 0 to 1, got {least}", hint="for example 0.7")
    names = EVERYDAY if labels is None else tuple(labels)
    if not names:
        raise UsageError("there are no labels", hint="leave them out for the everyday names")
    bundle, store = space.encoder(), space.store
    known = video_vectors(store, videos)
    tell_of_damage(space, known.left_out)
    confidences = label_confidences(bundle, known.vectors, names)  # [N, L]
    before = store.tags([video.id for video in videos])
    own = {(tag.video_id, tag.name.lower()): tag for tag in before if tag.by_hand}
    given = [
        own.get((known.videos[row].id, names[column].lower()))
        or Tag(known.videos[row].id, names[column], float(confidences[row, column]))
        for row, column in zip(*(confidences >= least).nonzero(), strict=True)
    ]
    fits = {(tag.video_id, tag.name.lower()) for tag in given}
    tried = {name.lower() for name in names}
    doomed = [
        tag
        for tag in before
        if not tag.by_hand
        and tag.name.lower() in tried
        and (tag.video_id, tag.name.lower()) not in fits
    ]
    if not dry_run:
        _write(store, given, doomed)
    return Tagging(
        store.address, len(videos), least, _by_video(videos, given), _by_video(videos, doomed),
        dry_run,
    )  # fmt: skip


def _write(store: Store, given: Sequence[Tag], doomed: Sequence[Tag]) -> None:
    """Both in one commit; nothing is opened for writing where there is nothing to write."""
    if not given and not doomed:
        return
    with store.batch():
        names_of: dict[int, list[str]] = {}
        for tag in doomed:
            names_of.setdefault(tag.video_id, []).append(tag.name)
        for video_id, names in names_of.items():
            store.remove_tags(names, video_ids=[video_id])
        store.write_tags(given)


def _by_video(videos: Sequence[VideoRecord], tags: Iterable[Tag]) -> tuple[TaggedVideo, ...]:
    of: dict[int, list[Tag]] = {}
    for tag in tags:
        of.setdefault(tag.video_id, []).append(tag)
    return tuple(
        TaggedVideo(
            video.path,
            tuple(sorted(of[video.id], key=lambda tag: (-tag.confidence, tag.name.lower()))),
        )
        for video in videos
        if video.id in of
    )
